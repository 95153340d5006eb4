"""The board's data frames as cells of an HTML table: labels, digits, bars, badges, clicks."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from bench.labels import COSTS, RANKED_BY, metric_label, with_metric_labels
from bench.marks import Mark
from bench.metrics.definitions import QUALITY
from leaderboard.cells.html_table import Badge, Bar, Cell, Column, Event, Row
from leaderboard.frames import formatting
from leaderboard.frames.board_rows import rows_of
from leaderboard.frames.model_sizes import size_text

_COSTS: dict[str, tuple[str, Callable[[float | None], str]]] = {
    "fit": ("fit_seconds", formatting.seconds),
    "recommend": ("recommend_seconds", formatting.seconds),
    "speed": ("users_per_second", formatting.count),
    "latency": ("latency_ms", lambda ms: formatting.seconds(_thousandth(ms))),
    "vram": ("peak_vram_bytes", formatting.size),
    "ram": ("peak_rss_bytes", formatting.size),
    "energy": ("energy_joules", formatting.energy),
    "size": ("parameters", lambda value: size_text(math.nan if value is None else value)),
}
_LABELS = {"parameters": "Parameters"} | {column: figure.label for column, figure in COSTS.items()}
COLUMNS: dict[str, str] = {
    "select": "",
    "rank": "Rank",
    "model": "Model",
    **{name: metric_label(name) for name in QUALITY},
    "lift": "Lift",
    **{
        name: COSTS[column].label if column in COSTS else "Parameters" for name, (column, _) in _COSTS.items()
    },
    "hardware": "Hardware",
    "date": "Date and commit",
}
_NOTES = {"rank": "group", "lift": "vs best untrained"}
FIXED = ("select", "rank", "model")
DEFAULT_COLUMNS = (*QUALITY, "lift", "fit", "recommend", "speed", "vram", "ram", "hardware", "date")


def board_columns(
    shown: Collection[str], cutoff: int, *, ranked_by: str = RANKED_BY, clicks: bool = True
) -> list[Column]:
    """Give the columns that are shown, the metric ranked by before the others, the rest in the board's order.

    Without clicks none selects or sorts.
    """
    qualities = sorted(QUALITY, key=lambda name: name != ranked_by)
    order = [*FIXED, *qualities, *(key for key in COLUMNS if key not in (*FIXED, *QUALITY))]
    columns = []
    for key in order:
        label = COLUMNS[key]
        if (key in FIXED or key in shown) and (clicks or key != "select"):
            column = _board_column(key, label, cutoff)
            columns.append(column if clicks else replace(column, sort=""))
    return columns


def _board_column(key: str, label: str, cutoff: int) -> Column:
    note, sort = _NOTES.get(key, ""), "" if key == "select" else key
    if key in QUALITY:
        label, note = f"{label}@{cutoff}", "95 % interval"
    elif key in _COSTS:
        sort, _ = _COSTS[key]
        note = COSTS[sort].note if sort in COSTS else ""
    return Column(
        key=key, label=label, note=note, sort=sort, numeric=key in QUALITY or key in _COSTS or key == "lift"
    )


def board_rows(
    frame: pd.DataFrame,
    columns: Sequence[Column],
    *,
    links: Callable[[str], str] | None,
    expanded: str = "",
    marked: Collection[str] = (),
) -> list[Row]:
    """Give the rows; `links` makes the address of a run's page (None: no clicks, as in the static page)."""
    scale = _scale(frame)
    return [
        Row(
            cells=[_cell(column.key, row, scale, links, expanded, marked) for column in columns],
            state="older" if row.get("is_older") else "marked" if row["id"] in marked else "",
        )
        for row in rows_of(frame)
    ]


def _cell(
    key: str,
    row: dict[str, Any],
    scale: dict[str, tuple[float, int]],
    links: Callable[[str], str] | None,
    expanded: str,
    marked: Collection[str],
) -> Cell:
    if key == "select":
        return _select_cell(row["id"], marked)
    if key == "rank":
        return _rank_cell(row)
    if key == "model":
        return _model_cell(row, links, expanded)
    if key in QUALITY:
        return _quality_cell(row, key, *scale[key])
    if key == "lift":
        return Cell(text=formatting.percent(row["lift"]))
    if key == "hardware":
        return Cell(text=row["hardware"])
    if key == "date":
        return Cell(text=row["date"], note=row["commit"])
    column, show = _COSTS[key]
    return Cell(text=show(row[column]), note="declared" if row["declared"] and pd.notna(row[column]) else "")


def _rank_cell(row: dict[str, Any]) -> Cell:
    if pd.isna(row["best"]):
        return Cell(text=formatting.MISSING, title=row["no_ranks"])
    best, worst = int(row["best"]), int(row["worst"])
    letters = "".join(chr(ord("a") + group) for group in row["groups"] if group < 26)
    note = letters if letters and max(row["groups"]) < 26 else ""
    return Cell(
        text=str(best) if best == worst else f"{best}–{worst}",
        note=note,
        title="Models that share a letter do not differ significantly",
    )


def _select_cell(identity: str, marked: Collection[str]) -> Cell:
    return Cell(
        text="✓" if identity in marked else "",
        event=Event(name="select", value=identity),
        title="Select for Compare and Explore",
    )


def _model_cell(row: dict[str, Any], links: Callable[[str], str] | None, expanded: str) -> Cell:
    identity = row["id"]
    badges = mark_badges(row["marks"])
    if row["parameters"] > 0:
        badges.insert(
            0, Badge(text=size_text(row["parameters"]), title=f"{row['parameters']:,.0f} parameters")
        )
    if row["held_back"]:
        title = "Someone must look at its flags and clear it: genrec-bench results clear"
        badges.append(Badge(text="not ranked", tone="bad", title=title))
    if row["no_ranks"]:
        badges.append(Badge(text="not ranked", tone="bad", title=row["no_ranks"]))
    if links is not None:
        if row["older"] and not row.get("is_older"):
            open_now = expanded == row["name"]
            text = "hide older" if open_now else f"{row['older']} older"
            event = Event(name="older", value="" if open_now else row["name"])
            badges.append(Badge(text=text, title="Earlier records of this model", event=event))
    return Cell(
        text=row["model"],
        note=f"{row['kind']} · {row['name']}",
        kind=row["kind"],
        badges=tuple(badges),
        event=Event(name="run", value=identity, href=links(identity)) if links else None,
        href="" if links else row["link"],
    )


def mark_badges(found: Sequence[Mark]) -> list[Badge]:
    """Give the marks of a row as badges."""
    return [
        Badge(text=mark.text, tone="bad" if mark.bad else "warn", title=with_metric_labels(mark.why))
        for mark in found
    ]


def _quality_cell(row: dict[str, Any], key: str, top: float, decimals: int) -> Cell:
    value, low, high = row[key], row[f"{key}_low"], row[f"{key}_high"]
    if pd.isna(value):
        return Cell(text=formatting.MISSING, note="not measured")
    known = pd.notna(low) and pd.notna(high)
    bar = Bar(low=(low if known else value) / top, value=value / top, high=(high if known else value) / top)
    return Cell(text=formatting.number(value, decimals), note=formatting.span(low, high, decimals), bar=bar)


def _scale(frame: pd.DataFrame) -> dict[str, tuple[float, int]]:
    """Give each quality column its axis (largest upper bound) and its decimals."""
    scale = {}
    for name in QUALITY:
        half_widths = ((frame[f"{name}_high"] - frame[f"{name}_low"]) / 2).dropna()
        top = frame[[name, f"{name}_high"]].max().max() if len(frame) else float("nan")
        scale[name] = (float(top) if top > 0 else 1.0, formatting.decimals_for(half_widths))
    return scale


def _thousandth(value: float | None) -> float | None:
    return None if value is None else value / 1000
