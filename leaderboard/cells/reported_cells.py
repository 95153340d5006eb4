"""The numbers reported elsewhere as cells of an HTML table."""

from __future__ import annotations

from collections.abc import Mapping
from string import ascii_uppercase
from typing import Any

import pandas as pd

from bench.labels import metric_label, with_metric_labels
from bench.metrics.definitions import QUALITY
from leaderboard.cells.html_table import Badge, Cell, Column, Row
from leaderboard.frames import formatting
from leaderboard.frames.board_rows import rows_of


def reported_columns(cutoff: int) -> list[Column]:
    """Give the columns of the table of reported numbers."""
    metrics = [
        Column(key=name, label=metric_label(f"{name}@{cutoff}"), note="reported; ours", sort=name)
        for name in QUALITY
    ]
    return [
        Column(key="model", label="Model", sort="model", numeric=False),
        Column(key="year", label="Year", sort="year"),
        *metrics,
        Column(key="source", label="Source", sort="source", numeric=False),
        Column(key="protocol", label="Protocol", note="see below", numeric=False),
        Column(key="notes", label="What to know", numeric=False),
    ]


def protocol_letters(frame: pd.DataFrame) -> dict[str, str]:
    """Give each way of measuring a short name, in the order of the rows: protocol -> letter."""
    distinct = dict.fromkeys(frame["protocol"])
    return {text: f"{ascii_uppercase[n % 26]}{n // 26 or ''}" for n, text in enumerate(distinct)}


def reported_cells(frame: pd.DataFrame, letters: Mapping[str, str]) -> list[Row]:
    """Give the rows of the table of reported numbers; where we measured the model, with the gap.

    `letters` are the short names of the ways of measuring.
    """
    return [
        Row(
            cells=[
                Cell(text=row["model"], kind=row["kind"], note=row["kind"], badges=_reported_badges(row)),
                Cell(text=formatting.MISSING if pd.isna(row["year"]) else f"{row['year']:.0f}"),
                *(_reported_value(row, name) for name in QUALITY),
                Cell(
                    text=row["source"],
                    note=f"{with_metric_labels(row['place'])} ({_READ[row['read']]})",
                    href=row["link"],
                ),
                Cell(text=letters[row["protocol"]], title=row["protocol"]),
                Cell(
                    text=with_metric_labels(row["notes"]) or formatting.MISSING,
                    note=_other_cutoffs(row["other"]),
                ),
            ],
            state="" if row["comparable"] else "separate",
        )
        for row in rows_of(frame)
    ]


_READ = {"primary": "read there", "quoted": "quoted by others", "own": "our own calculation"}


def _reported_badges(row: dict[str, Any]) -> tuple[Badge, ...]:
    if row["comparable"]:
        return ()
    return (Badge(text="other protocol", tone="warn", title="May not stand beside a record of this board"),)


def _reported_value(row: dict[str, Any], name: str) -> Cell:
    value, ours = row[name], row[f"{name}_ours"]
    if pd.isna(value):
        return Cell(text=formatting.MISSING)
    text = f"{value:.5f}".rstrip("0")
    text = text if len(text) >= 6 else f"{value:.4f}"
    if pd.isna(ours):
        return Cell(text=text)
    return Cell(text=text, note=f"ours {ours:.5f} ({formatting.signed(ours - value, 5)})")


def _other_cutoffs(metrics: Mapping[str, float]) -> str:
    return "; ".join(f"{metric_label(metric)} {value:.4f}" for metric, value in metrics.items())
