"""The numbers reported elsewhere -> rows: values, year, source, and whether their protocol is a view's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import pandas as pd

from bench.datasets.rules.split_rules import LEAVE_ONE_OUT, LOO2
from bench.datasets.rules.tie_rules import FILE
from bench.metrics.definitions import QUALITY
from bench.record import View
from bench.records.store import StoredRecord
from bench.reported.rows import ReportedRow
from leaderboard.frames.board_rows import BoardKey, estimate

SEEN: dict[View, str] = {"seen_kept": "kept", "seen_removed": "removed"}
Fit = Literal["same", "unsaid", "other"]


def fit_of(row: ReportedRow, key: BoardKey, view: View) -> Fit:
    """Say whether a figure was measured as a board's view is, as far as its source says.

    "same": the whole catalogue ranked, each user's last purchase asked for in the order of the file, and seen
    items treated as in the view. "unsaid": the same, but what became of seen items is not said.
    """
    protocol = row.protocol
    last_item = protocol.split == "leave-one-out" and key.split in (LEAVE_ONE_OUT, LOO2)
    if not (row.comparable and last_item and key.ties == FILE and protocol.ranking == "full"):
        return "other"
    if protocol.seen_items == "unknown":
        return "unsaid"
    return "same" if protocol.seen_items == SEEN[view] else "other"


def reported_rows(
    rows: Sequence[ReportedRow], key: BoardKey, measured: Sequence[StoredRecord], *, view: View, cutoff: int
) -> pd.DataFrame:
    """Give one row a reported model, with our own value and the gap where we measured the same model.

    `key` names the board that `measured` are of. Our value is of the view that the source used (of `view`
    where the source does not say); there is none where the protocols do not allow the comparison.
    """
    ours = {stored.record.model.name: stored.record for stored in measured}
    table = []
    for row in rows:
        mine = ours.get(row.counterpart or "") if row.comparable else None
        seen: dict[str, View] = {"kept": "seen_kept", "removed": "seen_removed"}
        entry: dict[str, object] = {
            "id": row.id,
            "model": row.model,
            "kind": row.kind,
            "source": row.source.title,
            "link": row.source.link or "",
            "place": row.place,
            "protocol": row.protocol.note,
            "notes": row.notes,
            "read": row.read,
            "year": math.nan if row.source.year is None else float(row.source.year),
            "fit": fit_of(row, key, view),
            "comparable": row.comparable,
            "counterpart": row.counterpart if mine else "",
        }
        for name in QUALITY:
            metric = f"{name}@{cutoff}"
            value = estimate(mine, seen.get(row.protocol.seen_items, view), metric).value
            entry[name] = row.metrics.get(metric, math.nan)
            entry[f"{name}_ours"] = math.nan if value is None else value
        entry["other"] = {m: v for m, v in row.metrics.items() if not m.endswith(f"@{cutoff}")}
        table.append(entry)
    return pd.DataFrame(table)


def search(frame: pd.DataFrame, text: str, fits: Sequence[str]) -> pd.DataFrame:
    """Keep the rows of these fits whose model, source, protocol or notes hold every word."""
    kept = frame[frame["fit"].isin(list(fits))]
    haystack = kept[["model", "source", "kind", "protocol", "notes"]].agg(" ".join, axis=1).str.lower()
    for word in text.lower().split():
        kept = kept[haystack.loc[kept.index].str.contains(word, regex=False)]
    return kept


def progress(frame: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Give the dated figures of one metric, oldest first: year, value, best so far, model, source, fit."""
    dated = frame[frame["year"].notna() & frame[metric].notna()].sort_values(["year", metric])
    found = dated[["year", "model", "source", "fit"]].assign(value=dated[metric])
    return found.assign(best=found["value"].cummax())
