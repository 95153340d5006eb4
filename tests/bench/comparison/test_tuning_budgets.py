"""Tuning budgets: a row a tuned record, what it took and how often test was looked at, in the README."""

from __future__ import annotations

from pathlib import Path

from record_factory import make_ledger, write_record

from bench.comparison.readme_tables import newest, update_readme
from bench.comparison.tuning_budgets import BEGIN, END, HEAD, budgets, markdown_budgets
from bench.records import store
from bench.schema import Split


def test_each_tuned_record_says_what_its_constants_took(sample_split: Split, tmp_path: Path) -> None:
    write_record(tmp_path / "results", sample_split, "plain")
    write_record(tmp_path / "results", sample_split, "tuned", tuning=make_ledger(sample_split))
    records = newest(store.load_records(tmp_path / "results").valid())
    expected = ("tuned", "sample, leave-one-out, file", "nDCG@10 of 1,200 validation users, hill climbing")
    assert budgets(records) == [(*expected, "70", "1,234 s", "0.1000", "0.2000", "3")]
    table = markdown_budgets(records)
    assert table.splitlines()[0] == f"| {' | '.join(HEAD)} |" and "| tuned | sample" in table
    assert markdown_budgets([]) == "No record holds a tuning ledger.\n"

    readme = tmp_path / "README.md"
    readme.write_text(f"{BEGIN}\nold\n{END}\n")
    assert update_readme(readme, tmp_path / "results")
    assert table in readme.read_text() and "old" not in readme.read_text()
