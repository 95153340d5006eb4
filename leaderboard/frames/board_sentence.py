"""What a board says, in sentences made from its rows: what is predicted, what is best, what it costs."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from bench.comparison.board_standings import BoardStandings
from bench.comparison.strongest import UNTRAINED
from bench.record import DatasetInfo
from leaderboard.frames import formatting
from leaderboard.frames.board_rows import by_rank, rows_of
from leaderboard.frames.model_sizes import size_text

_Row = dict[str, Any]


def sentences(
    frame: pd.DataFrame, standings: BoardStandings, info: DatasetInfo, *, title: str, metric: str, label: str
) -> list[str]:
    """Give the task, the best row, and the best generative row beside the best row that trains nothing.

    `metric` is the column ranked by, `label` its name with the cut-off, `title` that of the data set.
    """
    said = [
        f"Predicted: the next item of each of {info.users:,} users of {title}, out of all {info.items:,}."
    ]
    known = by_rank(frame[frame[metric].notna() & (frame["held_back"] == "")], metric)
    rows = rows_of(known)
    if not rows:
        return said
    said.append(_best(rows, standings, metric, label))
    cheap = next((row for row in rows if row["kind"] in UNTRAINED and row["whole"]), None)
    written = next((row for row in rows if row["kind"] == "generative"), None)
    if written is None:
        return [*said, "No generative model has been measured on these data yet."]
    return [*said, *_language_model(written, cheap, standings, metric)]


def _best(rows: list[_Row], standings: BoardStandings, metric: str, label: str) -> str:
    best = rows[0]
    opening = f"Best: {best['model']}, {label} {_value(best, metric)}{_in_time(best)}"
    others = [row for row in rows[1:] if row["id"] in standings.places]
    if best["id"] not in standings.places or not others:
        return f"{opening}."
    equal = [row["model"] for row in others if not standings.better(best["id"], row["id"])]
    if not equal:
        return f"{opening}, significantly ahead of every other row."
    more = f" and {len(equal) - 1} more" if len(equal) > 1 else ""
    return f"{opening}; the data do not tell it from {equal[0]}{more}."


def _language_model(row: _Row, cheap: _Row | None, standings: BoardStandings, metric: str) -> list[str]:
    size = f" ({size_text(row['parameters'])})" if row["parameters"] > 0 else ""
    opening = f"Best generative row: {row['model']}{size}, {_value(row, metric)}"
    if cheap is None or not cheap[metric] > 0:
        return [f"{opening}{_in_time(row)}."]
    share = formatting.percent(abs(row[metric] / cheap[metric] - 1)).lstrip("+")
    rival = f"{cheap['model']}, which trains nothing{_in_time(cheap, 'and takes')}"
    tested = row["id"] in standings.places and cheap["id"] in standings.places
    if tested and not standings.decided(row["id"], cheap["id"]):
        verdict = f"not told from {rival}"
    else:
        verdict = f"{share} {'more' if row[metric] > cheap[metric] else 'less'} than {rival}"
    time = "its time is not known" if math.isnan(row["total_seconds"]) else f"it takes {_time(row)}"
    return [f"{opening}: {verdict}; {time}."]


def _value(row: _Row, metric: str) -> str:
    half = (row[f"{metric}_high"] - row[f"{metric}_low"]) / 2
    return formatting.number(row[metric], formatting.decimals_for([half]))


def _time(row: _Row) -> str:
    """Hours of a GPU are not those of two cores, so it is said which."""
    on_gpu = " on a GPU" if row["peak_vram_bytes"] > 0 else ""  # not a number where none was used
    return formatting.seconds(row["total_seconds"]) + on_gpu


def _in_time(row: _Row, words: str = "in") -> str:
    return "" if math.isnan(row["total_seconds"]) else f" {words} {_time(row)}"
