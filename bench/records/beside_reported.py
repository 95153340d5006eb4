"""Our measured rows beside numbers reported elsewhere, with every difference of protocol spelled out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import wrap

from bench.datasets.rules.split_rules import LOO, parse_split
from bench.datasets.rules.tie_rules import FILE
from bench.errors import unknown_name
from bench.labels import VIEW_SHORT, metric_label
from bench.marks import marks
from bench.models import available_models
from bench.record import VIEWS, Estimate
from bench.records.newest import newest
from bench.records.store import StoredRecord, load_records
from bench.reported.rows import ReportedRow, find_reported
from bench.text_table import new_table, render


@dataclass(frozen=True, kw_only=True)
class Line:
    """One value of one metric, ours or theirs."""

    metric: str
    row: str
    value: float
    low: float | None
    high: float | None
    users: int | None
    seen_items: str
    measured: bool


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One aspect in which a reported row was measured differently, or may have been."""

    row: str
    aspect: str
    ours: str
    theirs: str


@dataclass(frozen=True, kw_only=True)
class ReportedComparison:
    """Values side by side, and why they may not be compared."""

    dataset: str
    lines: list[Line]
    differences: list[Difference]
    notes: list[str]


def compare_with_reported(
    models: Sequence[str],
    key: str,
    results_dir: Path,
    *,
    dataset: str | None,
    ties: str | None,
    split: str | None,
) -> ReportedComparison:
    """Put the newest valid record of each model beside the reported row or source `key`.

    A model without a record is named in the notes, with the command that measures it.
    """
    name, ties, split = dataset or "beauty2014", ties or FILE, parse_split(split or LOO).name
    rows = find_reported(key, name)
    records = {
        model: stored
        for model in models
        if (stored := _newest(model, name, ties, split, load_records(results_dir).valid())) is not None
    }
    for model in models:
        if model not in records and model not in available_models():
            raise unknown_name("model", model, available_models())
    metrics = list(dict.fromkeys(metric for row in rows for metric in row.metrics))
    lines = [line for metric in metrics for line in _lines(metric, records, rows)]
    differences = [found for row in rows for found in _differences(row, ties, split)]
    notes = [f"{row.model}: {row.notes}" for row in rows if row.notes]
    notes += [
        f"{model} has no record on {name} with split {split} and ties {ties} yet; measure it with: "
        f"pytest bench --benchmark --dataset {name} --split {split} --ties {ties} --models {model}"
        for model in models
        if model not in records
    ]
    notes += [
        f"{model}: {mark.sentence}" for model, stored in records.items() for mark in marks(stored.record)
    ]
    if any(line.metric.startswith("recall") and not line.measured for line in lines):
        notes.append("Intervals of reported recalls are the normal approximation for their number of users.")
    notes.append("No relative gain is given: across protocols it would mean nothing.")
    return ReportedComparison(dataset=name, lines=lines, differences=differences, notes=notes)


def _newest(
    model: str, dataset: str, ties: str, split: str, stored: Sequence[StoredRecord]
) -> StoredRecord | None:
    for one in newest(stored):
        data = one.record.dataset
        measured = (one.record.model.name, data.name, data.ties, data.split)
        if measured == (model, dataset, ties, split) and one.record.metrics is not None:
            return one
    return None


def _lines(metric: str, records: dict[str, StoredRecord], rows: Sequence[ReportedRow]) -> list[Line]:
    lines = []
    for model, stored in records.items():
        for view in VIEWS:
            estimate: Estimate | None = getattr(stored.record.metrics, view).get(metric)
            if estimate is not None and estimate.value is not None:
                lines.append(
                    Line(
                        metric=metric,
                        row=model,
                        value=estimate.value,
                        low=estimate.low,
                        high=estimate.high,
                        users=stored.record.dataset.users,
                        seen_items=VIEW_SHORT[view],
                        measured=True,
                    )
                )
    for row in rows:
        if metric in row.metrics:
            low, high = row.interval(metric) or (None, None)
            lines.append(
                Line(
                    metric=metric,
                    row=row.model,
                    value=row.metrics[metric],
                    low=low,
                    high=high,
                    users=row.protocol.users,
                    seen_items=row.protocol.seen_items,
                    measured=False,
                )
            )
    return lines


def _differences(row: ReportedRow, ties: str, split: str) -> list[Difference]:
    theirs = row.protocol
    ours = f"{split}, every user" + ("" if ties == "file" else f", same-day ties {ties}")
    pairs = [
        ("split", ours, theirs.split),
        ("users", "all test users", f"{theirs.users:,}" if theirs.users else "unknown"),
        ("history", "all items before the target; a model may cut it", theirs.history or "unknown"),
        (
            "ranking",
            "full catalogue",
            f"{theirs.ranking} catalogue" if theirs.ranking == "full" else theirs.ranking,
        ),
        ("seen items", "both views shown", theirs.seen_items),
        ("read", "measured by this harness", f"{row.read}, {row.source.title}, {row.place}"),
    ]
    same = {"split": theirs.split == ours.removesuffix(", every user"), "ranking": theirs.ranking == "full"}
    return [
        Difference(row=row.model, aspect=aspect, ours=own, theirs=other)
        for aspect, own, other in pairs
        if not same.get(aspect, False)
    ]


def as_text(found: ReportedComparison, width: int = 100) -> str:
    """Lay it out for a terminal: values by metric, then differences, then notes."""
    out = [f"Measured and reported on {found.dataset} (reported values are never ranked with measured ones)"]
    for metric in dict.fromkeys(line.metric for line in found.lines):
        table = new_table(
            [metric_label(metric), "", "value", "95 % interval", "users", "seen items"], left=(0, -1)
        )
        for line in (line for line in found.lines if line.metric == metric):
            interval = "-" if line.low is None or line.high is None else f"{line.low:.4f}-{line.high:.4f}"
            users = "-" if line.users is None else f"{line.users:,}"
            mark = "measured" if line.measured else "reported"
            table.add_row(f"{mark} {line.row}", f"{line.value:.4f}", interval, users, line.seen_items)
        out += ["", render(table, width)]
    for row in dict.fromkeys(difference.row for difference in found.differences):
        out += ["", f"How {row} differs from this harness"]
        for one in (one for one in found.differences if one.row == row):
            text = f"{one.aspect}: {one.theirs} (here: {one.ours})"
            out += wrap(text, width, initial_indent="  - ", subsequent_indent="    ")
    out.append("")
    for note in found.notes:
        out += wrap(note, width, initial_indent="* ", subsequent_indent="  ")
    return "\n".join(out)


def as_json(found: ReportedComparison) -> str:
    """Give everything, unrounded."""
    return json.dumps(asdict(found), indent=1, ensure_ascii=False, allow_nan=False)
