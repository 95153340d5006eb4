"""The row that a lift is over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from record_factory import write_record

from bench.comparison.strongest import strongest_untrained
from bench.comparison.summary_table import ROWS, summary
from bench.records import store
from bench.schema import Split


@pytest.fixture
def records(tmp_path: Path, sample_split: Split) -> dict[str, store.StoredRecord]:
    rows = (("floor", "baseline", 0.1), ("counts", "untrained", 0.5), ("deep", "sequential", 0.9))
    for name, kind, skill in rows:
        write_record(tmp_path, sample_split, name, skill=skill, kind=kind)  # type: ignore[arg-type]
    return {one.record.model.name: one for one in store.load_records(tmp_path).valid()}


def test_the_best_row_without_training_is_the_one_to_beat(records: dict[str, store.StoredRecord]) -> None:
    everyone = [one.record for one in records.values()]
    found = strongest_untrained(everyone, "seen_removed", "ndcg@5")
    values = {name: one.record.metrics.seen_removed["ndcg@5"].value for name, one in records.items()}  # type: ignore[union-attr]
    best = max(("floor", "counts"), key=lambda name: values[name] or 0)
    assert found is records[best].record
    assert strongest_untrained([records["deep"].record], "seen_removed", "ndcg@5") is None
    shallow = records["counts"].record.model_copy(update={"status": "partial"})
    left = strongest_untrained([shallow, records["floor"].record], "seen_removed", "ndcg@5")
    assert left is records["floor"].record
    told_more = records["counts"].record.model.model_copy(update={"uses_times": True})
    timed = records["counts"].record.model_copy(update={"model": told_more})
    assert strongest_untrained([timed, records["floor"].record], "seen_removed", "ndcg@5") is left


def test_the_readmes_lift_is_over_that_row(records: dict[str, store.StoredRecord]) -> None:
    table = summary(list(records.values()))
    values = {name: one.record.metrics.seen_removed["ndcg@5"].value for name, one in records.items()}  # type: ignore[union-attr]
    best = max(values["floor"] or 0, values["counts"] or 0)
    for name, value in values.items():
        (line,) = (line for line in table.splitlines() if line.startswith(f"| `{name}`"))
        assert f"| {(value or 0) / best - 1:+.0%} |" in line


def test_a_published_row_stands_in_the_readme_however_many_are_better(
    records: dict[str, store.StoredRecord],
) -> None:
    template = records["deep"].record
    better = [
        replace(
            records["deep"],
            record=template.model_copy(
                update={"model": template.model.model_copy(update={"name": f"deep-{number}"})}
            ),
        )
        for number in range(12)
    ]
    floor = records["floor"]
    others = replace(floor, record=floor.record.model_copy(update={"published_view": "seen_removed"}))
    lines = [line for line in summary([*better, others]).splitlines() if line.startswith("| `")]
    assert len(lines) == ROWS and lines[-1].startswith("| `floor` †")
