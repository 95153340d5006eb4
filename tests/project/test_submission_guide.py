"""The guide to submissions, followed: export, make lists or texts elsewhere, submit, check."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.records.store import load_records

TESTS = Path(__file__).parents[1]
README = TESTS.parent / "results" / "README.md"
COMMAND = [sys.executable, "-c", "from bench.cli import main; main()"]
CARD = """\
display_name: Next item by counts
authors: A. Author
link: https://example.org/my-model
licence: MIT
base_model: none
training_data: the exported training sequences
tuned_on: nothing
parameters: 0
seeds: [0]
hardware: one CPU core
"""


def run(words: list[str], folder: Path) -> str:
    environment = os.environ | {"GENREC_BENCH_RESULTS": "results"}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("guide")
    run([*COMMAND, "data", "export", "sample", "--for-submission", "--to", "inputs"], folder)
    return folder


def test_lists_made_elsewhere_reach_the_board(exported: Path) -> None:
    run([sys.executable, str(TESTS / "examples" / "example_lists.py"), "inputs"], exported)
    (exported / "card.yaml").write_text(CARD)
    words = ["submit", "lists.parquet", "--dataset", "sample", "--name", "next-item", "--kind", "sequential"]
    said = run([*COMMAND, *words, "--card", "card.yaml"], exported)
    assert "accepted" in said and "Recall@5" in said and "record: results/v1/sample/next-item/" in said
    assert "0 problems" in run([*COMMAND, "results", "check", "--all-data"], exported)
    (stored,) = (
        one for one in load_records(exported / "results").records if one.record.model.name == "next-item"
    )
    verdicts = {audit.name: audit.verdict for audit in stored.record.audits}
    assert verdicts["shuffled_users"] == "pass"  # the counts do learn something about a user
    assert stored.record.model.authors == "A. Author"


def test_texts_made_elsewhere_reach_the_board(exported: Path) -> None:
    run([sys.executable, str(TESTS / "examples" / "example_texts.py"), "inputs"], exported)
    words = [
        "submit",
        "texts.jsonl",
        "--dataset",
        "sample",
        "--name",
        "parrot",
        "--kind",
        "generative",
        "--texts",
    ]
    said = run([*COMMAND, *words], exported)
    assert "accepted" in said
    (stored,) = (
        one for one in load_records(exported / "results").records if one.record.model.name == "parrot"
    )
    assert stored.record.details["generation_health"]["exact_texts"] == 1.0
    assert stored.texts_path.exists()


def test_the_readme_shows_the_examples_that_were_run() -> None:
    text = README.read_text()
    blocks = re.findall(
        r"<!-- example: tests/examples/example_lists.py -->\n```python\n(.*?)```", text, re.DOTALL
    )
    assert blocks == [(TESTS / "examples" / "example_lists.py").read_text()]
    assert "`tests/examples/example_texts.py`" in text
