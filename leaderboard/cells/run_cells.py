"""One record as cells of HTML tables: what it is, and its metrics at all cut-offs."""

from __future__ import annotations

import pandas as pd

from bench.labels import VIEW_LABELS, metric_label
from bench.marks import marks
from bench.record import Record, View
from bench.records.store import StoredRecord
from leaderboard.cells.board_cells import mark_badges
from leaderboard.cells.html_table import Badge, Cell, Column, Row, render, safe_link
from leaderboard.frames import formatting
from leaderboard.frames.board_rows import rows_of
from leaderboard.frames.run_rows import metrics_frame


def identity_table(stored: StoredRecord, dataset_title: str, ties_title: str) -> str:
    """Say in a table what a record is: model, authors, data, when and from which commit."""
    record = stored.record
    info, environment = record.dataset, record.environment
    name = Cell(
        text=record.model.display_name or record.model.name,
        note=stored.id,
        kind=record.model.kind,
        badges=tuple(_badges(stored)),
        href=safe_link(record.model.link),
    )
    data = Cell(
        text=f"{dataset_title}, same-day purchases {ties_title}",
        note=f"{info.users:,} test users, {info.items:,} items, {info.interactions:,} purchases; "
        f"fingerprint {info.fingerprint}",
    )
    dirty = " with uncommitted changes" if environment.dirty else ""
    made = Cell(
        text=f"{record.created:%Y-%m-%d %H:%M} UTC, seed {record.seed}",
        note=f"commit {environment.commit[:12]}{dirty}",
    )
    cells = {
        "Model": name,
        "Authors": Cell(text=record.model.authors or formatting.MISSING),
        "Data": data,
        "Made": made,
    }
    columns = [Column(key="what", label="", numeric=False), Column(key="wide", label="", numeric=False)]
    return render(columns, [Row(cells=[Cell(text=title), cell]) for title, cell in cells.items()])


def metrics_table(record: Record, view: View) -> str:
    """Give every metric of one view at all cut-offs, each with its interval."""
    frame = metrics_frame(record)
    frame = frame[frame["view"] == view]
    cutoffs = sorted(set(frame["cutoff"]))
    columns = [Column(key="title", label=VIEW_LABELS[view].capitalize(), numeric=False)]
    columns += [Column(key=f"k{cutoff}", label=f"@{cutoff}") for cutoff in cutoffs]
    rows = [
        Row(cells=[Cell(text=metric_label(metric)), *_values(frame, metric, cutoffs)])
        for metric in frame["metric"].drop_duplicates()
    ]
    return render(columns, rows)


def _values(frame: pd.DataFrame, metric: str, cutoffs: list[int]) -> list[Cell]:
    found = {row["cutoff"]: row for row in rows_of(frame[frame["metric"] == metric])}
    decimals = formatting.decimals_for((row["high"] - row["low"]) / 2 for row in found.values())
    return [
        Cell(
            text=formatting.number(found[cutoff]["value"], decimals),
            note=formatting.span(found[cutoff]["low"], found[cutoff]["high"], decimals),
        )
        if cutoff in found
        else Cell(text=formatting.MISSING)
        for cutoff in cutoffs
    ]


def _badges(stored: StoredRecord) -> list[Badge]:
    record = stored.record
    badges = [Badge(text=record.model.kind)]
    if stored.invalid is not None:
        badges.append(Badge(text="withdrawn", tone="bad", title=stored.invalid.reason))
    return badges + mark_badges(marks(record))
