"""`genrec-bench results`: what a user sees, and the README's table made from the records."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from toy_record import RANKINGS, make_record
from typer.testing import CliRunner

from bench.cli import build_app
from bench.comparison.readme_tables import BEGIN, END, markdown_table, newest, update_readme
from bench.comparison.summary_table import summary
from bench.errors import RecordError
from bench.metrics.ranking import evaluate
from bench.record import ModelInfo, dataset_info
from bench.records import store
from bench.schema import NO_ITEM, Split


@pytest.fixture
def results(toy_split: Split, tmp_path: Path) -> Path:
    store.write(make_record(toy_split, depth=50), toy_split, RANKINGS, None, tmp_path)
    return tmp_path


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(build_app(), arguments)
    if isinstance(done.exception, Exception):
        return 1, str(done.exception)
    return done.exit_code, done.output


def test_list_names_records_and_problems(results: Path) -> None:
    bad = results / "v1" / "toy" / "toy-model" / "x.json"
    bad.write_text("{")
    code, output = run("results", "list", "--results", str(results))
    assert code == 0
    assert "toy/toy-model/20260102T030405678901Z" in output.replace("\n", "")
    assert "not shown" in output and "1 records, 1 not readable" in output


def test_show_prints_the_record(results: Path) -> None:
    code, output = run("results", "show", "20260102", "--results", str(results))
    assert code == 0 and json.loads(output)["model"]["name"] == "toy-model"


def test_a_missing_folder_is_refused() -> None:
    code, output = run("results", "list", "--results", "nowhere")
    assert code == 1 and "no results folder 'nowhere'" in output


def test_table_holds_the_measured_figures(results: Path) -> None:
    code, output = run("results", "table", "--results", str(results))
    metrics = store.load_records(results).records[0].record.metrics
    assert code == 0 and metrics is not None
    (row,) = [line for line in output.splitlines() if "`toy-model`" in line]
    assert f"| {metrics.seen_removed['recall@5'].value:.4f} ± " in row
    assert f"| {metrics.seen_kept['mrr@5'].value:.4f} |" in row


def test_only_the_newest_valid_record_of_a_model_is_in_the_table(toy_split: Split, results: Path) -> None:
    later = make_record(toy_split, depth=50, created="2026-03-01T00:00:00Z", seed=5)
    path = store.write(later, toy_split, RANKINGS, None, results)
    assert [kept.record.seed for kept in newest(store.load_records(results).valid())] == [5]
    store.invalidate(store.load_record(path), "made for a test")
    assert [kept.record.seed for kept in newest(store.load_records(results).valid())] == [0]
    assert markdown_table(store.load_records(results).valid()).count("`toy-model`") == 1


def test_update_readme_is_idempotent_and_needs_its_marks(results: Path, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    assert update_readme(readme, results)
    text = readme.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "old" not in text
    assert "`toy-model`" in text
    assert not update_readme(readme, results)
    readme.write_text("no marks")
    with pytest.raises(RecordError, match="no lines"):
        update_readme(readme, results)


def test_the_readme_speaks_of_what_git_tracks(toy_split: Split, tmp_path: Path) -> None:
    """A user's own run shows in `results table`, and in the README only once it is added."""
    results, readme = tmp_path / "results", tmp_path / "README.md"
    store.write(make_record(toy_split), toy_split, RANKINGS, None, results)
    readme.write_text(f"{BEGIN}\n{END}\n")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "results"], cwd=tmp_path, check=True)
    assert update_readme(readme, results)
    text = readme.read_text()
    mine = make_record(toy_split, model=ModelInfo(name="mine", kind="baseline", display_name="Mine"))
    store.write(mine, toy_split, RANKINGS, None, results)
    assert "`mine`" in run("results", "table", "--results", str(results))[1]
    assert not update_readme(readme, results)
    assert "`toy-model`" in text and "`mine`" not in text
    subprocess.run(["git", "add", "results"], cwd=tmp_path, check=True)
    assert update_readme(readme, results) and "`mine`" in readme.read_text()


def test_the_summary_has_one_table_a_data_set_and_a_column_a_split(toy_split: Split, tmp_path: Path) -> None:
    for minute, (ties, split) in enumerate([("file", "leave-one-out"), ("shuffled:0", "leave-one-out")]):
        lists = np.pad(RANKINGS, [(0, 0), (0, 7)], constant_values=NO_ITEM)
        record = make_record(
            toy_split,
            depth=10,
            metrics=evaluate(toy_split, lists),
            created=datetime(2026, 1, 2, 3, minute, tzinfo=UTC),
            dataset=dataset_info(replace(toy_split, ties=ties, name=split, fingerprint=str(minute) * 64)),
        )
        store.write(record, toy_split, lists, None, tmp_path)
    text = summary(newest(store.load_records(tmp_path).records))
    head, rule, row = [line for line in text.splitlines() if line.startswith("|")]
    assert head.split(" | ")[-3:] == ["nDCG@10, shuffled", "lift", "fit and lists |"] and "loo2" not in head
    assert rule == "|---|--:|--:|--:|--:|--:|--:|--:|" and row.startswith("| `toy-model` (lists of 10")
