"""Records -> data frames: the rows of the board and of the numbers reported elsewhere.

Pure functions. Nothing is computed here that `bench` does not define: values are taken from records,
picked by view and cut-off, and put in columns; unknown is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pandas as pd

from bench.comparison.board_standings import BoardStandings
from bench.comparison.paired import GroupDifference
from bench.comparison.strongest import strongest_untrained
from bench.labels import COSTS, GROUP_LABELS, RANKED_BY, machine_text
from bench.marks import marks
from bench.metrics.definitions import QUALITY
from bench.record import Estimate, Record, View
from bench.record_parts import Cost
from bench.records.newest import newest
from bench.records.store import StoredRecord
from leaderboard.frames.model_sizes import model_size

FITS_BYTES = 24 * 2**30
NUMERIC = (
    *QUALITY,
    "lift",
    *COSTS,
    "parameters",
)


@dataclass(frozen=True, kw_only=True, order=True)
class BoardKey:
    """What rows must share to stand in one table."""

    dataset: str
    split: str
    ties: str
    fingerprint: str


def boards(records: Iterable[StoredRecord]) -> dict[BoardKey, list[StoredRecord]]:
    """Group records that may be compared, each group newest first as the input."""
    groups: dict[BoardKey, list[StoredRecord]] = {}
    for stored in records:
        info = stored.record.dataset
        key = BoardKey(dataset=info.name, split=info.split, ties=info.ties, fingerprint=info.fingerprint)
        groups.setdefault(key, []).append(stored)
    return dict(sorted(groups.items()))


def collapse(records: Sequence[StoredRecord]) -> tuple[list[StoredRecord], dict[str, list[StoredRecord]]]:
    """Give the record that stands for each model of one board, and its other ones by model name."""
    kept = newest(records)
    ids = {stored.id for stored in kept}
    older: dict[str, list[StoredRecord]] = {}
    for stored in records:
        if stored.id not in ids:
            older.setdefault(stored.record.model.name, []).append(stored)
    return kept, older


def leaderboard(
    records: Sequence[StoredRecord],
    *,
    view: View,
    cutoff: int,
    standings: BoardStandings | None = None,
    older: Mapping[str, Sequence[StoredRecord]] | None = None,
) -> pd.DataFrame:
    """Give one row a record: quality with intervals, standing, cost, and where and when it was run."""
    baseline = strongest_untrained([one.record for one in records], view, f"{RANKED_BY}@{cutoff}")
    reference = estimate(baseline, view, f"{RANKED_BY}@{cutoff}").value if baseline else None
    rows = []
    for stored in records:
        record = stored.record
        row: dict[str, object] = {"id": stored.id, **_identity(record), **_quality(record, view, cutoff)}
        value = estimate(record, view, f"{RANKED_BY}@{cutoff}").value
        row["lift"] = value / reference - 1 if value is not None and reference else math.nan
        row |= _cost(record.cost) | _place(stored.id, standings)
        row["held_back"] = ", ".join(flag.name for flag in stored.held_back)
        row["older"] = len((older or {}).get(record.model.name, ()))
        rows.append(row)
    frame = pd.DataFrame(rows, columns=list(rows[0]) if rows else ["id", *NUMERIC])
    return frame.astype({name: float for name in NUMERIC})


def estimate(record: Record | None, view: View, metric: str) -> Estimate:
    """Give a metric of a record, with all parts null where it was not measured.

    Published outcomes show their one view in either (see `Record.shown_view`), and are marked so.
    """
    found = None
    if record is not None and record.metrics is not None:
        found = getattr(record.metrics, record.shown_view(view)).get(metric)
    return found or Estimate(value=None)


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Give the rows of a frame with named columns as mappings."""
    return cast("list[dict[str, Any]]", frame.to_dict("records"))


def filter_rows(
    frame: pd.DataFrame,
    *,
    kinds: Sequence[str] = (),
    hardware: Sequence[str] = (),
    fits: bool = False,
    text: str = "",
) -> pd.DataFrame:
    """Keep the rows of these kinds and machines (none given: all) whose text holds every word.

    `fits` keeps runs whose peak VRAM is at most 24 GiB; a run measured without a GPU needs none, and
    one whose VRAM is not known is left out.
    """
    if frame.empty:
        return frame
    keep = pd.Series(True, index=frame.index)
    if kinds:
        keep &= frame["kind"].isin(list(kinds))
    if hardware:
        keep &= frame["hardware"].isin(list(hardware))
    if fits:
        needs_none = frame["peak_vram_bytes"].isna() & ~frame["gpu"] & ~frame["declared"]
        keep &= (frame["peak_vram_bytes"] <= FITS_BYTES) | needs_none
    haystack = frame[["name", "model", "authors", "hardware", "kind"]].agg(" ".join, axis=1).str.lower()
    for word in text.lower().split():
        keep &= haystack.str.contains(word, regex=False)
    return frame[keep]


def sort_rows(frame: pd.DataFrame, sort: str) -> pd.DataFrame:
    """Sort by a column, largest first if its name has '-' in front; unknown values come last."""
    column = sort.removeprefix("-")
    if frame.empty or column not in frame.columns:
        return frame
    return frame.sort_values(
        column, ascending=not sort.startswith("-"), na_position="last", kind="stable", key=_sort_key
    )


def by_rank(frame: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Sort by a metric, best first; rows that a flag holds back come last."""
    ordered = sort_rows(frame, f"-{metric}")
    if ordered.empty:
        return ordered
    return ordered.sort_values("held_back", key=lambda names: names != "", kind="stable")


def strongest_first(records: Sequence[StoredRecord], view: View) -> list[StoredRecord]:
    """Order runs to choose from: each model's newest by nDCG@10, then the older ones."""
    kept, older = collapse(records)
    ordered = sorted(kept, key=lambda one: -(estimate(one.record, view, f"{RANKED_BY}@10").value or 0.0))
    return ordered + [stored for group in older.values() for stored in group]


def group_rows(groups: Sequence[GroupDifference]) -> pd.DataFrame:
    """Give the paired differences of two runs by group of users; groups without users are left out."""
    rows = [
        {
            "slice": GROUP_LABELS.get(group.kind, group.kind),
            "label": f"{group.label} ({group.users:,} users)",
            "value": group.paired.difference.value,
            "low": group.paired.difference.low,
            "high": group.paired.difference.high,
            "verdict": group.paired.verdict("A", "B"),
        }
        for group in groups
        if group.paired is not None
    ]
    return pd.DataFrame(rows, columns=["slice", "label", "value", "low", "high", "verdict"])


def _identity(record: Record) -> dict[str, object]:
    return {
        "name": record.model.name,
        "model": record.model.display_name or record.model.name,
        "kind": record.model.kind,
        "authors": record.model.authors,
        "link": record.model.link,
        "marks": marks(record),
        "published": record.published_view is not None,
        "whole": record.status == "complete" and record.published_view is None,
        "declared": record.cost.source == "declared",
        "hardware": machine_text(record, published="not re-run"),
        "gpu": record.environment.gpu is not None,
        "date": record.created.date().isoformat(),
        "commit": record.environment.commit[:8],
        "seed": record.seed,
        "parameters": model_size(record),
    }


def _quality(record: Record, view: View, cutoff: int) -> dict[str, float]:
    values: dict[str, float] = {}
    for name in QUALITY:
        found = estimate(record, view, f"{name}@{cutoff}")
        for suffix, value in (("", found.value), ("_low", found.low), ("_high", found.high)):
            values[name + suffix] = math.nan if value is None else value
    return values


def _cost(cost: Cost) -> dict[str, float]:
    def known(value: float | None) -> float:
        return math.nan if value is None else float(value)

    values = {name: known(figure.of(cost)) for name, figure in COSTS.items()}
    return values | {"total_seconds": values["fit_seconds"] + values["recommend_seconds"]}


def _place(row: str, standings: BoardStandings | None) -> dict[str, object]:
    standing = standings.places.get(row) if standings else None
    return {
        "best": float(standing.best_rank) if standing else math.nan,
        "worst": float(standing.worst_rank) if standing else math.nan,
        "groups": standing.groups if standing else (),
        "no_ranks": standings.unreadable.get(row, "") if standings else "",
    }


def _sort_key(column: pd.Series) -> pd.Series:
    return column if pd.api.types.is_numeric_dtype(column) else column.str.lower()
