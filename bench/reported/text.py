"""Reported numbers as plain text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from string import ascii_uppercase
from textwrap import wrap

from bench.reported.rows import Protocol, ReportedRow

COLUMNS = ("recall@5", "ndcg@5", "mrr@5", "recall@10", "ndcg@10")
_SHORT = {"recall": "R", "ndcg": "N", "mrr": "MRR"}
_LEGEND = (
    "A figure marked x may not stand beside a record of this harness; the note says why. Numbers of others "
    "are never ranked with measured rows. One relevant item a user: recall = hit rate."
)


def reported_table(rows: Sequence[ReportedRow], width: int = 100) -> str:
    """Lay rows out by source, each with its notes below it, then the protocols they refer to."""
    letters = _protocol_letters(rows)
    model_width = max(24, width - 7 * len(COLUMNS) - 9)
    heads = "".join(f"{_short(name):>7}" for name in COLUMNS)
    lines = [f"  {'':{model_width}}{heads}  prot."]
    for _, group in groupby(rows, key=lambda row: (row.source_id, row.place, row.read)):
        members = list(group)
        lines += ["", *_source_lines(members[0], width)]
        for row in members:
            lines += _row_lines(row, letters[row.protocol], model_width, width)
    lines += ["", "Protocols"]
    for protocol, letter in letters.items():
        lines += wrap(f"{letter}: {protocol.note}", width, initial_indent="  ", subsequent_indent="     ")
    return "\n".join([*lines, "", *wrap(_LEGEND, width)])


def _protocol_letters(rows: Sequence[ReportedRow]) -> dict[Protocol, str]:
    distinct = dict.fromkeys(row.protocol for row in rows)
    return dict(zip(distinct, ascii_uppercase, strict=False))


def _short(metric: str) -> str:
    name, _, cutoff = metric.partition("@")
    return f"{_SHORT[name]}@{cutoff}"


def _source_lines(row: ReportedRow, width: int) -> list[str]:
    text = f"{row.source.title}, {row.place} [{row.read}]" + (
        f" {row.source.link}" if row.source.link else ""
    )
    return wrap(text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _row_lines(row: ReportedRow, letter: str, model_width: int, width: int) -> list[str]:
    names = wrap(row.model, model_width - 1)
    cells = "".join(f"{_number(row.metrics.get(name)):>7}" for name in COLUMNS)
    mark = " " if row.comparable else "x"
    lines = [f"{mark} {names[0]:{model_width}}{cells}  {letter}"]
    lines += [f"  {name}" for name in names[1:]]
    others = [f"{_short(name)} {value:.4f}." for name, value in row.metrics.items() if name not in COLUMNS]
    slices = [
        f"{part.label} ({part.users:,} users): "
        + ", ".join(f"{_short(name)} {value:.4f}" for name, value in part.metrics.items())
        + "."
        for part in row.slices
    ]
    note = " ".join([*others, row.notes, *slices, _cost(row)]).strip()
    return lines + wrap(note, width, initial_indent="    ", subsequent_indent="    ")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _cost(row: ReportedRow) -> str:
    if row.cost is None:
        return ""
    hours = f"{row.cost.fit_hours:g} h to fit" if row.cost.fit_hours else ""
    memory = f"{row.cost.peak_vram_gb:g} GB" if row.cost.peak_vram_gb else ""
    parts = [part for part in (row.cost.hardware, hours, memory, row.cost.note) if part]
    return f"Cost as reported: {', '.join(parts)}."
