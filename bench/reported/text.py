"""Reported numbers as plain text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase
from textwrap import wrap

from bench.reported.rows import ReportedRow
from bench.text_table import new_table, render

COLUMNS = ("recall@5", "ndcg@5", "mrr@5", "recall@10", "ndcg@10")
_SHORT = {"recall": "R", "ndcg": "N", "mrr": "MRR"}
_LEGEND = (
    "A figure marked x may not stand beside a record of this harness; the note says why. Numbers of others "
    "are never ranked with measured rows. One relevant item a user: recall = hit rate."
)


def reported_table(rows: Sequence[ReportedRow], width: int = 100) -> str:
    """Lay rows out as one table; below it the sources, protocols and notes that it refers to."""
    protocols = dict(zip(dict.fromkeys(row.protocol for row in rows), ascii_uppercase, strict=False))
    sources = {text: number for number, text in enumerate(dict.fromkeys(map(_source, rows)), start=1)}
    table = new_table(["row", "model", *map(_short, COLUMNS), "see"], left=(1, -1))
    for number, row in enumerate(rows, start=1):
        figures = (_number(row.metrics.get(name)) for name in COLUMNS)
        mark = "" if row.comparable else "x "
        table.add_row(
            f"{mark}{number}", row.model, *figures, f"{protocols[row.protocol]} {sources[_source(row)]}"
        )
    notes = {str(number): note for number, row in enumerate(rows, start=1) if (note := _note(row))}
    parts = {
        "Protocols": {letter: protocol.note for protocol, letter in protocols.items()},
        "Sources": {str(number): text for text, number in sources.items()},
        "Notes on rows": notes,
    }
    lines = [render(table, width)]
    for title, entries in parts.items():
        lines += ["", title]
        for key, text in entries.items():
            lines += wrap(f"{key:>4}: {text}", width, subsequent_indent=" " * 6, break_on_hyphens=False)
    return "\n".join([*lines, "", *wrap(_LEGEND, width)])


def _short(metric: str) -> str:
    name, _, cutoff = metric.partition("@")
    return f"{_SHORT[name]}@{cutoff}"


def _source(row: ReportedRow) -> str:
    return f"{row.source.title}, {row.place} [{row.read}] {row.source.link}".rstrip()


def _note(row: ReportedRow) -> str:
    others = [f"{_short(name)} {value:.4f}." for name, value in row.metrics.items() if name not in COLUMNS]
    slices = [
        f"{part.label} ({part.users:,} users): "
        + ", ".join(f"{_short(name)} {value:.4f}" for name, value in part.metrics.items())
        + "."
        for part in row.slices
    ]
    return " ".join([*others, row.notes, *slices, _cost(row)]).strip()


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _cost(row: ReportedRow) -> str:
    if row.cost is None:
        return ""
    hours = f"{row.cost.fit_hours:g} h to fit" if row.cost.fit_hours else ""
    memory = f"{row.cost.peak_vram_gb:g} GB" if row.cost.peak_vram_gb else ""
    parts = [part for part in (row.cost.hardware, hours, memory, row.cost.note) if part]
    return f"Cost as reported: {', '.join(parts)}."
