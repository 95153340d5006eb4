"""`compare MODEL --reported SOURCE`: values side by side, differences of protocol, never a percentage."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from record_factory import write_record
from typer.testing import CliRunner, Result

from bench.commands.compare import register
from bench.errors import ConfigError
from bench.schema import Split


@pytest.fixture(scope="module")
def results(sample_split: Split, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One record of llama-8b, as if it were measured on Beauty."""
    folder = tmp_path_factory.mktemp("results")
    write_record(
        folder, replace(sample_split, dataset="beauty2014"), "llama-8b", skill=0.3, kind="generative"
    )
    return folder


def compare(results: Path, *words: str) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    return CliRunner().invoke(app, ["compare", *words, "--results", str(results)])


def test_both_views_stand_beside_gpt4rec_with_the_differences(results: Path) -> None:
    outcome = compare(results, "llama-8b", "--reported", "gpt4rec")
    assert outcome.exit_code == 0, outcome.output
    text = outcome.output
    assert text.count("measured llama-8b") == 4  # two metrics, two views
    assert "0.0653" in text and "0.0551-0.0755" in text and "2,236" in text
    for aspect in ("split: 80/10/10", "history: last 15 items", "Not leave-one-out over all users", "quoted"):
        assert aspect in text
    assert "no record" not in text
    assert all("%" not in line or "95 %" in line for line in text.splitlines())


def test_a_model_that_was_not_measured_is_named_with_its_command(results: Path) -> None:
    text = compare(results, "llama-1b", "llama-8b", "--reported", "nanogenrec-1b").output
    assert "llama-1b has no record on beauty2014" in " ".join(text.split())
    assert "--models llama-1b" in " ".join(text.split())
    assert "measured llama-8b" in text


def test_json_holds_the_same_unrounded(results: Path) -> None:
    content = json.loads(compare(results, "llama-8b", "--reported", "gpt4rec", "--json").output)
    assert {line["measured"] for line in content["lines"]} == {True, False}
    assert {one["aspect"] for one in content["differences"]} >= {"split", "users", "history", "seen items"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["llama-8b", "--reported", "gpt5rec"], "did you mean 'gpt4rec'"),
        (["lama-8b", "--reported", "gpt4rec"], "did you mean 'llama-8b'"),
        (["llama-8b", "--reported", "gpt4rec", "--latex"], "text or --json"),
    ],
)
def test_wrong_names_and_formats(words: list[str], message: str, results: Path) -> None:
    outcome = compare(results, *words)
    assert isinstance(outcome.exception, ConfigError) and message in str(outcome.exception)
