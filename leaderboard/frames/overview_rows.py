"""All data sets under one protocol: each board's best rows, and a matrix of models by data sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.comparison.board_standings import BoardStandings
from bench.comparison.mean_ranks import MeanRank, mean_ranks
from bench.comparison.strongest import UNTRAINED
from bench.record import DatasetInfo
from bench.records.store import StoredRecord
from leaderboard.frames.board_rows import BoardKey, by_rank, rows_of

GENERATED = "sample"
"""The embedded shop, shown last: its figures say that the software works, nothing of the world."""
Row = dict[str, Any]
"""A row of the board's frame."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BoardView:
    """One data set's board: its rows best first, by the column `metric`."""

    key: BoardKey
    info: DatasetInfo
    metric: str
    rows: Sequence[Row]
    standings: BoardStandings

    @property
    def best(self) -> Row | None:
        """The best row."""
        return self.rows[0] if self.rows else None

    @property
    def generative(self) -> Row | None:
        """The best row that writes text."""
        return next((row for row in self.rows if row["kind"] == "generative"), None)

    @property
    def untrained(self) -> Row | None:
        """The strongest row that trains nothing."""
        return next((row for row in self.rows if row["kind"] in UNTRAINED and row["whole"]), None)


@dataclass(frozen=True, kw_only=True)
class MatrixRow:
    """One model: its row on each data set, None where it was not run, and its mean rank, if it has one."""

    name: str
    title: str
    kind: str
    rows: tuple[Row | None, ...]
    mean: MeanRank | None


def board_view(
    key: BoardKey,
    records: Sequence[StoredRecord],
    frame: pd.DataFrame,
    standings: BoardStandings,
    metric: str,
) -> BoardView:
    """Put a board's rows in order; rows without the metric, or that a flag holds back, are left out."""
    known = frame[frame[metric].notna() & (frame["held_back"] == "")]
    return BoardView(
        key=key,
        info=records[0].record.dataset,
        metric=metric,
        rows=rows_of(by_rank(known, metric)),
        standings=standings,
    )


def boards_of(
    groups: Mapping[BoardKey, Sequence[StoredRecord]], split: str, ties: str
) -> dict[BoardKey, Sequence[StoredRecord]]:
    """Give each data set's board under one protocol; of several fingerprints the newest one's."""
    found: dict[str, BoardKey] = {}
    for key, records in groups.items():
        if (key.split, key.ties) != (split, ties):
            continue
        known = found.get(key.dataset)
        if known is None or records[0].record.created > groups[known][0].record.created:
            found[key.dataset] = key
    return {key: groups[key] for key in sorted(found.values(), key=lambda key: key.dataset == GENERATED)}


def matrix(views: Sequence[BoardView]) -> list[MatrixRow]:
    """Give a row a model: first those that were run on every data set, by mean rank, then the others."""
    by_name = [{row["name"]: row for row in view.rows} for view in views]
    common = [name for name in (by_name[0] if by_name else {}) if all(name in rows for rows in by_name)]
    means = dict(zip(common, _mean_ranks(views, by_name, common), strict=True)) if len(common) > 1 else {}
    names = dict.fromkeys(name for rows in by_name for name in rows)
    found = []
    for name in names:
        own = tuple(rows.get(name) for rows in by_name)
        known = next(row for row in own if row is not None)
        found.append(
            MatrixRow(name=name, title=known["model"], kind=known["kind"], rows=own, mean=means.get(name))
        )
    place = {name: number for rows in by_name for number, name in enumerate(rows)}
    return sorted(found, key=lambda row: _order(row, place))


def _order(row: MatrixRow, place: Mapping[str, int]) -> tuple[float, float, float]:
    missing = sum(one is None for one in row.rows)
    return (missing, row.mean.mean if row.mean else 0.0, place[row.name])


def _mean_ranks(
    views: Sequence[BoardView], by_name: Sequence[Mapping[str, Row]], names: Sequence[str]
) -> list[MeanRank]:
    values = [[rows[name][view.metric] for name in names] for view, rows in zip(views, by_name, strict=True)]
    better = [
        view.standings.better_of([rows[name]["id"] for name in names], own)
        for view, rows, own in zip(views, by_name, values, strict=True)
    ]
    return mean_ranks(values, better)


def sentences(views: Sequence[BoardView], titles: Mapping[str, str], label: str) -> list[str]:
    """Say what all boards say together; `titles` names the data sets for people."""
    names = {row["name"] for view in views for row in view.rows}
    said = [f"{_sets(len(views))}, {len(names)} models, one protocol: who predicts the next item best?"]
    leads = Counter(view.best["model"] for view in views if view.best is not None)
    if not leads:
        return said
    on = ", ".join(f"{model} on {count}" for model, count in leads.most_common(4))
    said.append(f"Best by {label}: {on}.")
    pairs = [
        (view, view.generative, view.untrained)
        for view in views
        if view.generative is not None and view.untrained is not None
    ]
    if not pairs:
        return [*said, "No generative model has been measured under this protocol yet."]
    ahead = [v for v, written, cheap in pairs if v.standings.better(written["id"], cheap["id"])]
    shares = sorted(written[v.metric] / cheap[v.metric] for v, written, cheap in pairs if cheap[v.metric] > 0)
    where = f" ({', '.join(titles[view.key.dataset] for view in ahead)})" if ahead else ""
    reach = f"{shares[0]:.0%} to {shares[-1]:.0%}" if len(shares) > 1 else f"{shares[0]:.0%}"
    said.append(
        "The best generative row is significantly ahead of the strongest row that trains nothing on "
        f"{len(ahead)} of {len(pairs)}{where}; it reaches {reach.replace('%', ' %')} of it."
    )
    return said


def _sets(count: int) -> str:
    return f"{count} data sets" if count != 1 else "1 data set"
