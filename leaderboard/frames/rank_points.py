"""A board's rows, and figures that others printed for the same data, in one order for a chart."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from bench.datasets.rules.split_rules import LEAVE_ONE_OUT
from bench.datasets.rules.tie_rules import FILE
from bench.record import View
from bench.reported.rows import ReportedRow
from leaderboard.frames.board_rows import BoardKey, by_rank, rows_of

_SEEN: dict[View, str] = {"seen_kept": "kept", "seen_removed": "removed"}


@dataclass(frozen=True, kw_only=True)
class RankPoint:
    """One dot: a row of the board, or a printed figure."""

    name: str
    kind: str
    value: float
    low: float
    """The interval; NaN where none is known."""
    high: float
    origin: str
    """'' for a row that was run; else where it comes from: such a mark is hollow."""
    id: str = ""
    """Of the record; empty for a printed figure."""
    href: str = ""


def rank_points(
    frame: pd.DataFrame, reported: Sequence[RankPoint], metric: str, links: Callable[[str], str] | None
) -> list[RankPoint]:
    """Give the board's rows that have the metric, and the printed figures, best first."""
    known = by_rank(frame[frame[metric].notna()], metric)
    points = [
        RankPoint(
            name=row["model"],
            kind=row["kind"],
            value=row[metric],
            low=row[f"{metric}_low"],
            high=row[f"{metric}_high"],
            origin="published outcomes, scored here" if row["published"] else "",
            id=row["id"],
            href=links(row["id"]) if links else "",
        )
        for row in rows_of(known)
    ]
    return sorted([*points, *reported], key=lambda point: -point.value)


def printed(rows: Sequence[ReportedRow], key: BoardKey, view: View, metric: str) -> list[RankPoint]:
    """Give the figures that others printed of the users, targets and view of a board.

    Where a source does not say whether seen items count, its figures are given for either view. What this
    project computed itself was printed nowhere.
    """
    if key.ties != FILE or key.split != LEAVE_ONE_OUT:
        return []
    return [
        RankPoint(
            name=row.model,
            kind=row.kind,
            value=row.metrics[metric],
            low=math.nan,
            high=math.nan,
            origin=f"printed in {row.source.title}, {row.place}",
        )
        for row in rows
        if row.comparable
        and row.read != "own"
        and metric in row.metrics
        and row.protocol.seen_items in (_SEEN[view], "unknown")
    ]
