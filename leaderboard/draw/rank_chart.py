"""All rows of a board in one small picture: a dot and its interval for each, best first.

As wide as the page and of one height, whether there are ten rows or a thousand; hover and focus name
a dot, and as many are named beside it as there is room for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from leaderboard.draw import marks
from leaderboard.draw.scales import round_ticks, tick_text
from leaderboard.frames import formatting
from leaderboard.frames.rank_points import RankPoint

_APART = 16.0
"""Pixels between two slanted names."""
_CROWDED = 2.2
"""So many times as far apart are the names of rows that were not run."""
_MOST_NARROW = 120
"""Rows on a phone's picture: more dots than that are no longer apart."""


def figure(points: Sequence[RankPoint], label: str, rival: RankPoint | None) -> str:
    """Give chart and legend; the value of `rival`, the strongest row that trains nothing, is drawn across."""
    wide = _svg(points, label, rival, width=1180, height=300)
    narrow = _svg(points[:_MOST_NARROW], label, rival, width=380, height=280)
    notes = []
    if any(point.origin for point in points):
        notes.append('<span><i class="dot hollow"></i>hollow: published, not run here</span>')
    if rival is not None:
        notes.append(f'<span><i class="rival"></i>{escape(rival.name)}, which trains nothing</span>')
    kinds = dict.fromkeys(point.kind for point in points)
    return f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>{marks.legend(kinds, *notes)}'


def _svg(points: Sequence[RankPoint], label: str, rival: RankPoint | None, *, width: int, height: int) -> str:
    frame = _Frame(points, width, height)
    named = _named(points, frame)
    parts = [
        _grid(frame, label),
        _rival(frame, rival),
        f'<path class="error" d="{"".join(_interval(frame, n, p) for n, p in enumerate(points))}"/>',
        *(
            marks.mark(
                point.kind, frame.x(n), frame.y(point.value), hollow=bool(point.origin), scale=frame.scale
            )
            for n, point in enumerate(points)
        ),
        *(_name(frame, n, points[n]) for n in sorted(named)),
        *(_target(frame, n, point, label) for n, point in enumerate(points)),
    ]
    title = escape(f"{label} of {len(points)} rows, best first")
    return (
        f'<svg class="chart" viewBox="0 0 {width} {height}" role="group" aria-label="{title}">'
        f"{''.join(parts)}</svg>"
    )


class _Frame:
    """Where rows land: side by side, values from 0 up."""

    def __init__(self, points: Sequence[RankPoint], width: int, height: int) -> None:
        self.width, self.height = width, height
        self.left, self.right = 48, width - (120 if width > 500 else 60)
        self.top, self.bottom = 84, height - 12
        self.step = (self.right - self.left) / max(len(points), 1)
        self.scale = min(0.85, max(0.4, self.step / 20))
        tops = [max(point.value, point.high if math.isfinite(point.high) else 0.0) for point in points]
        self.highest = max(tops, default=0.0) or 1.0

    def x(self, number: int) -> float:
        return self.left + (number + 0.5) * self.step

    def y(self, value: float) -> float:
        return self.bottom - value / self.highest * (self.bottom - self.top)


def _grid(frame: _Frame, label: str) -> str:
    lines = []
    ticks = round_ticks(frame.highest, 4)
    for value in ticks:
        y = frame.y(value)
        lines.append(
            f'<line class="grid" x1="{frame.left}" x2="{frame.right}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick" x="{frame.left - 6}" y="{y + 4:.1f}" text-anchor="end">'
            f"{tick_text(value, ticks)}</text>"
        )
    middle = (frame.top + frame.bottom) / 2
    lines.append(
        f'<text class="title" transform="translate(10 {middle:.0f}) rotate(-90)" '
        f'text-anchor="middle">{escape(label)}</text>'
    )
    return "".join(lines)


def _rival(frame: _Frame, rival: RankPoint | None) -> str:
    if rival is None:
        return ""
    y = frame.y(rival.value)
    return f'<line class="rival" x1="{frame.left}" x2="{frame.right}" y1="{y:.1f}" y2="{y:.1f}"/>'


def _interval(frame: _Frame, number: int, point: RankPoint) -> str:
    if not (math.isfinite(point.low) and math.isfinite(point.high)):
        return ""
    return f"M{frame.x(number):.1f} {frame.y(point.low):.1f}V{frame.y(point.high):.1f}"


def _named(points: Sequence[RankPoint], frame: _Frame) -> set[int]:
    """Choose the rows to name: the best, the best generative row, then those that were run, then others."""
    rows = range(len(points))
    written = next((n for n in rows if points[n].kind == "generative"), None)
    first = [n for n in (0, written) if n is not None and points]
    taken: set[int] = set()
    for n in [*first, *sorted(rows, key=lambda n: bool(points[n].origin))]:
        reach = math.ceil(_APART * (_CROWDED if points[n].origin and n not in first else 1) / frame.step)
        if not any(near in taken for near in range(n - reach + 1, n + reach)):
            taken.add(n)
    return taken


def _name(frame: _Frame, number: int, point: RankPoint) -> str:
    upper = point.high if math.isfinite(point.high) else point.value
    x, y = frame.x(number) + 2, frame.y(upper) - 8
    limit = 22 if frame.width > 500 else 15
    name = point.name if len(point.name) <= limit else point.name[: limit - 1] + "…"
    turned = f"translate({x:.1f} {y:.1f}) rotate(-40)"
    return f'<text class="label slanted" transform="{turned}">{escape(name)}</text>'


def _target(frame: _Frame, number: int, point: RankPoint, label: str) -> str:
    """Draw an invisible target as wide as the row's place, which names it and opens its run."""
    decimals = formatting.decimals_for([(point.high - point.low) / 2])
    interval = formatting.span(point.low, point.high, decimals)
    said = f"{point.name} ({point.kind}): {label} {formatting.number(point.value, decimals)}"
    said += (f" ({interval})" if interval else "") + (f"; {point.origin}" if point.origin else "")
    width = max(frame.step, 3.0)
    y = min(frame.y(point.value), frame.bottom - 8)
    box = f'<rect x="{frame.x(number) - width / 2:.1f}" y="{y - 12:.1f}" width="{width:.1f}" height="24"/>'
    title = f"<title>{escape(said)}</title>"
    if not point.href:
        return f'<g class="target" role="img" aria-label="{escape(said)}">{title}{box}</g>'
    event = f'data-event="run" data-value="{escape(point.id)}"'
    return (
        f'<a class="target" href="{escape(point.href)}" {event} aria-label="{escape(said)}">{title}{box}</a>'
    )
