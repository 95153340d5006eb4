"""Submitted texts: retrieval by the rules of our own models, health, faults with their places."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from bench.commands.submit import register
from bench.errors import ConfigError
from bench.records.columns import read_texts
from bench.records.store import load_records
from bench.schema import Split
from bench.submission import Entry, Submission, build_record, read_submission
from bench.submission.rank_texts import as_item_line


def lines_of(split: Split, *, tokens: bool = False) -> list[dict[str, Any]]:
    """Each user's texts are the titles of two items of its own, the less likely one first."""
    titles, items = split.catalogue.titles, len(split.catalogue)
    lines = []
    for row, user in enumerate(split.user_ids):
        line = {
            "user_id": user,
            "texts": [titles[(row + 1) % items], f"  Title: {titles[row % items]}\nmore"],
            "log_likelihoods": [-2.0, -1.0],
        }
        lines.append(line | ({"tokens": [4, 4]} if tokens else {}))
    return lines


def read(split: Split, folder: Path, lines: list[Any], **options: Any) -> Submission:
    path = folder / "texts.jsonl"
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return read_submission(path, split, texts=True, **options)


def test_the_likeliest_text_finds_the_first_item(toy_split: Split, tmp_path: Path) -> None:
    submission = read(toy_split, tmp_path, lines_of(toy_split))
    assert submission.report.ok, str(submission.report)
    assert submission.rankings is not None and submission.generations is not None
    first = submission.rankings[:, 0]
    # items 4 and 6 share a title: the text stands for both, in catalogue order
    assert first.tolist() == [0, 1, 2, 3, 4, 5]
    assert submission.rankings[4, :2].tolist() == [4, 6]
    assert submission.generations.items.tolist()[:4] == [0, 1, 1, 2]
    assert submission.details["generation_health"]["exact_texts"] == 1.0
    assert submission.details["generation_health"]["texts_per_user"] == 2.0
    assert "tokens_per_user" not in submission.details["generation_health"]
    record = build_record(submission, Entry(name="mine", kind="generative"), toy_split, command="x")
    assert record.details["retrieval"]["list_rule"] == "by_likelihood"
    assert record.metrics is not None


@pytest.mark.parametrize("rule", ["published", "by_likelihood", "calrec"])
def test_every_list_rule_ranks_known_distinct_items(rule: str, toy_split: Split, tmp_path: Path) -> None:
    submission = read(toy_split, tmp_path, lines_of(toy_split, tokens=True), list_rule=rule)
    assert submission.report.ok and submission.rankings is not None
    for row in submission.rankings:
        kept = row[row >= 0]
        assert len(set(kept.tolist())) == len(kept) >= 1


def test_calrec_needs_token_counts_and_rules_have_names(toy_split: Split, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tokens"):
        read(toy_split, tmp_path, lines_of(toy_split), list_rule="calrec")
    with pytest.raises(ConfigError, match="did you mean 'published'"):
        read(toy_split, tmp_path, lines_of(toy_split), list_rule="publish")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Rose Soap", "Title: Rose Soap"),
        ("Title: Rose Soap", "Title: Rose Soap"),
        ("\n  Rose\tSoap \nand more", "Title: Rose Soap"),
        ("  \n ", ""),
        ("", ""),
    ],
)
def test_a_text_stands_for_its_first_line(text: str, line: str) -> None:
    assert as_item_line(text) == line


FAULTS: list[tuple[Any, str]] = [
    ("{", "line 2: "),
    ("[]", "line 2: needs user_id"),
    ({"user_id": "u1", "texts": ["a"]}, "line 2: needs user_id, texts and log_likelihoods"),
    ({"user_id": "u9", "texts": ["a"], "log_likelihoods": [-1]}, "line 2: user 'u9' is not in the data set"),
    ({"user_id": 1, "texts": ["a"], "log_likelihoods": [-1]}, "line 2: user '1' is not"),
    ({"user_id": "u1", "texts": "a", "log_likelihoods": [-1]}, "line 2: texts must be a list"),
    ({"user_id": "u1", "texts": ["a" * 1001], "log_likelihoods": [-1]}, "at most 1000 characters"),
    ({"user_id": "u1", "texts": ["a"], "log_likelihoods": [0.5]}, "line 2: log_likelihoods must be"),
    ({"user_id": "u1", "texts": ["a"], "log_likelihoods": [float("nan")]}, "line 2: log_likelihoods"),
    ({"user_id": "u1", "texts": ["a"], "log_likelihoods": [True]}, "line 2: log_likelihoods"),
    ({"user_id": "u1", "texts": ["a"], "log_likelihoods": []}, "line 2: 1 texts and 0 log-likelihoods"),
    ({"user_id": "u1", "texts": ["a"] * 101, "log_likelihoods": [-1] * 101}, "at most 100"),
    ({"user_id": "u1", "texts": ["a"], "log_likelihoods": [-1], "tokens": [0]}, "line 2: tokens"),
    ({"user_id": "u0", "texts": ["a"], "log_likelihoods": [-1]}, "users with more than one line (1): line 2"),
    ({"fingerprint": "f" * 64}, "made for other data"),
    ('{"user_id": "u1", "texts": ["\\ud800"], "log_likelihoods": [-1]}', "line 2: texts must be"),
]


@pytest.mark.parametrize(("bad", "message"), FAULTS)
def test_each_fault_is_named_with_its_line(bad: Any, message: str, toy_split: Split, tmp_path: Path) -> None:
    lines: list[Any] = lines_of(toy_split)
    lines[1] = bad
    submission = read(toy_split, tmp_path, lines)
    assert submission.rankings is None
    assert message in str(submission.report)


def test_missing_users_need_permission_here_too(toy_split: Split, tmp_path: Path) -> None:
    lines = lines_of(toy_split)[1:]
    assert "--allow-partial" in str(read(toy_split, tmp_path, lines).report)
    partial = read(toy_split, tmp_path, lines, allow_partial=True)
    assert partial.rankings is not None and (partial.rankings[0] == -1).all()
    record = build_record(partial, Entry(name="mine", kind="generative"), toy_split, command="x")
    assert record.status == "partial"


def test_the_command_keeps_the_texts_beside_the_record(sample_split: Split, tmp_path: Path) -> None:
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines_of(sample_split)))
    words = [
        "submit",
        str(path),
        "--dataset",
        "sample",
        "--name",
        "my-llm",
        "--kind",
        "generative",
        "--texts",
    ]
    outcome = CliRunner().invoke(app, [*words, "--results", str(tmp_path / "results")])
    assert outcome.exit_code == 0, outcome.output
    (stored,) = load_records(tmp_path / "results").records
    texts = read_texts(stored)
    assert texts is not None and len(texts) == len(sample_split.user_ids)
    first = np.asarray(texts["item_ids"].iloc[0])
    assert first[0] == sample_split.catalogue.item_ids[0]
    assert stored.record.texts_sha256 is not None
