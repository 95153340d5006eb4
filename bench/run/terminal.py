"""What a benchmark run shows in a terminal: one live line while it works, tables when it is done."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from bench.labels import HEADLINE, VIEW_SHORT, bytes_text, estimate_text, metric_label
from bench.marks import marks_text
from bench.record import VIEWS, Record
from bench.reported.rows import load_reported

if TYPE_CHECKING:
    from rich.table import Table

    from bench.run.runner import Outcome
from bench.text_table import new_table, render

WIDTH = 112
_HEADINGS = tuple(map(metric_label, HEADLINE))


class LiveLine:
    """Shows a model's progress past pytest's capture: one line redrawn on a terminal, else one a stage."""

    def __init__(self, name: str, capture: Any) -> None:
        self._name = name
        self._capture = capture
        with self._uncaptured():  # under capture, nothing looks like a terminal
            self._tty = sys.__stderr__ is not None and sys.__stderr__.isatty()
        self._begun: dict[str, float] = {}
        self._last = time.perf_counter()
        self._wrote = False

    def __enter__(self) -> LiveLine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._tty:
            self._write("\r\x1b[K")
        elif self._wrote and not self._capture:  # pytest ends its own lines
            self._write("\n")

    def show(self, what: str, done: int, total: int, note: str) -> None:
        """Listen to `bench.progress`: ten redraws a second at most, or a line every 15 seconds."""
        now = time.perf_counter()
        begun = self._begun.setdefault(what, now)
        finished = done >= total
        if not finished and now - self._last < (0.1 if self._tty else 15.0):
            return
        self._last = now
        seconds = now - begun
        if finished:  # a stage of the same name, if there is another, begins anew
            del self._begun[what]
        count = f" {done:,}/{total:,}" if total > 1 else ""
        rate = f", {done / seconds:,.0f}/s" if total > 1 and done and seconds > 0 else ""
        line = f"{self._name}: {what}{count}, {seconds:.1f} s{rate}{f', {note}' if note else ''}"
        self._wrote = True
        self._write(f"\r\x1b[K{line}" if self._tty else f"\n  {line}")

    def _uncaptured(self) -> AbstractContextManager[Any]:
        return self._capture.global_and_fixture_disabled() if self._capture else nullcontext()

    def _write(self, text: str) -> None:
        with self._uncaptured():
            if sys.__stderr__ is not None:
                sys.__stderr__.write(text)
                sys.__stderr__.flush()


def results_table(outcomes: Sequence[Outcome]) -> str:
    """Measured rows in both views, then what others reported for the same data set, then the paths."""
    records = [outcome.record for outcome in outcomes]
    parts = [render(_measured(records), WIDTH)]
    first = records[0].dataset
    parts.append(
        f"{first.users:,} users, {first.items:,} items, {first.split}, ties '{first.ties}', "
        f"fingerprint {first.fingerprint[:12]}.\nkept / removed: items of the user's own history "
        "kept in or removed from the lists. ±: half of the 95 % bootstrap interval.\n"
    )
    reported = _reported(first.name)
    if reported is not None:
        parts.append(reported)
    parts.append("Records:\n" + "\n".join(f"  {outcome.path}" for outcome in outcomes))
    return "\n".join(parts)


def speed_table(speeds: Sequence[tuple[str, dict[str, Any]]]) -> str:
    """What each speed case compared, and the ratio."""
    table = _table("case", "what was compared", "ratio")
    for name, info in speeds:
        facts = ", ".join(f"{key} {_fact(value)}" for key, value in info.items() if key != "ratio")
        ratio = info.get("ratio")
        table.add_row(name, facts, f"{ratio:.1f}x" if isinstance(ratio, int | float) else "")
    return render(table, WIDTH)


def _measured(records: Sequence[Record]) -> Table:
    with_vram = any(record.cost.peak_vram_bytes for record in records)
    headings = ["model", "seen", *_HEADINGS, "wall s", "users/s", "peak RAM"]
    table = _table(*headings, *(["peak VRAM"] if with_vram else []))
    for record in records:
        cost = record.cost
        own = [
            f"{sum(cost.wall_seconds.values()):,.1f}",
            f"{cost.users_per_second:,.0f}" if cost.users_per_second else "-",
            bytes_text(cost.peak_rss_bytes),
        ]
        if with_vram:
            own.append(bytes_text(cost.peak_device_bytes))
        for view in VIEWS:
            metrics = getattr(record.metrics, view) if record.metrics else {}
            first = view == VIEWS[0]
            table.add_row(
                record.model.name if first else f"  {marks_text(record)}".rstrip(),
                VIEW_SHORT[view],
                *(estimate_text(metrics.get(metric)) for metric in HEADLINE),
                *(own if first else [""] * len(own)),
            )
    return table


def _reported(dataset: str, limit: int = 8) -> str | None:
    """The first reported rows that have a figure at these cut-offs; protocols as numbered notes."""
    rows = [row for row in load_reported(dataset) if set(HEADLINE) & set(row.metrics)]
    if not rows:
        return None
    table = _table("reported elsewhere, not ranked", *_HEADINGS, "source", "note")
    notes: dict[str, int] = {}
    for row in rows[:limit]:
        note = notes.setdefault(row.protocol.note, len(notes) + 1)
        figures = [row.metrics.get(metric) for metric in HEADLINE]
        cells = ["-" if figure is None else f"{figure:.4f}" for figure in figures]
        table.add_row(
            row.model, *cells, textwrap.shorten(row.source.title, 40, placeholder=" ..."), f"({note})"
        )
    lines = [
        textwrap.fill(f"({number}) {note}", WIDTH, subsequent_indent="    ") for note, number in notes.items()
    ]
    lines.append(f"All {len(load_reported(dataset))} rows, with sources: genrec-bench reported {dataset}\n")
    return "\n".join([render(table, WIDTH), *lines])


def _table(*columns: str) -> Table:
    figures = {*_HEADINGS, "wall s", "users/s", "peak RAM", "peak VRAM", "ratio"}
    return new_table(columns, left=[number for number, name in enumerate(columns) if name not in figures])


def _fact(value: Any) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
