"""Quality against cost as one SVG, the same in the app and in the static page.

Drawn by hand rather than by a chart library, so that the static page needs no script: points are
links, the details of a point show on hover and focus. Named are the runs on the front and the best ones,
as far as there is room: drawing a thousand points takes as long as drawing a thousand marks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from bench.schema import BoolArray
from leaderboard.draw import marks
from leaderboard.draw.scales import round_ticks, tick_text
from leaderboard.frames import formatting
from leaderboard.frames.cost_points import TIMES, CostAxis, Point, better_of, front_of, sentence

_NAMED, _BEST = 20, 6
"""Most names in all; of them, those of the best runs come first."""
_RICH = 120
"""Points up to which each has a box of details; of more, each has a line."""


def figure(points: Sequence[Point], axis: CostAxis, metric: str, better: BoolArray | None = None) -> str:
    """Give sentence, chart and legend; of its two widths the style sheet shows the one that fits.

    `better`, (points, points), tells which points are better than which; without it, values decide.
    """
    known = better_of(points, None) if better is None else better
    front = front_of(points, axis, known)
    wide = svg(points, axis, metric, front, width=1340, height=420)
    narrow = svg(points, axis, metric, front, width=380, height=400)
    legend = marks.legend(
        dict.fromkeys(point.kind for point in points),
        '<span><i class="front"></i>Pareto front: faded runs are beaten by one that costs no more</span>',
    )
    return (
        f'<p class="sentence">{escape(sentence(points, axis, metric, known))}</p>'
        f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>{legend}'
    )


def svg(
    points: Sequence[Point],
    axis: CostAxis,
    metric: str,
    front: Sequence[Point],
    *,
    width: int,
    height: int,
) -> str:
    """Draw the chart; texts are escaped here, colours come from the style sheet by class."""
    frame = _Frame(points, axis, width=width, height=height)
    on_front = {point.id for point in front}
    parts = [
        _grid(frame, axis, metric),
        _front_line(frame, front),
        *(_mark(frame, point, faded=point.id not in on_front) for point in points),
        _labels(frame, _worth_naming(points, front)),
        *(_target(frame, axis, metric, point, rich=len(points) <= _RICH) for point in points),
    ]
    label = escape(f"{metric} against {axis.label.lower()}, {len(points)} runs")
    return (
        f'<svg class="chart" viewBox="0 0 {width} {height}" role="group" aria-label="{label}">'
        f"{''.join(parts)}</svg>"
    )


class _Frame:
    """Where values land on the canvas: cost on a log scale, quality from 0 up."""

    def __init__(self, points: Sequence[Point], axis: CostAxis, *, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.left, self.right, self.top, self.bottom = 52, width - 14, 14, height - 44
        costs = [point.cost for point in points] or [1.0]
        padding = 0.08 * max(math.log10(max(costs) / min(costs)), 1.0)
        self._low = math.log10(min(costs)) - padding
        self._high = math.log10(max(costs)) + padding + (0.12 if width > 500 else 0.25)
        self.quality_top = 1.08 * max((max(p.quality, p.high) for p in points), default=1.0) or 1.0
        self.ticks = self._inside(axis.ticks)
        if len(self.ticks) < 3:
            self.ticks = self._inside([tick * step for tick in axis.ticks for step in (1, 2, 5)])
        self.ticks = self.ticks[:: max(1, math.ceil(len(self.ticks) * 90 / (self.right - self.left)))]

    def _inside(self, ticks: Sequence[float]) -> list[float]:
        return sorted({tick for tick in ticks if self._low <= math.log10(tick) <= self._high})

    def x(self, cost: float) -> float:
        share = (math.log10(cost) - self._low) / (self._high - self._low)
        return self.left + share * (self.right - self.left)

    def y(self, quality: float) -> float:
        return self.bottom - quality / self.quality_top * (self.bottom - self.top)


def _grid(frame: _Frame, axis: CostAxis, metric: str) -> str:
    lines = []
    ticks = round_ticks(frame.quality_top, 5)
    for value in ticks:
        y = frame.y(value)
        lines.append(f'<line class="grid" x1="{frame.left}" x2="{frame.right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        text = tick_text(value, ticks)
        lines.append(
            f'<text class="tick" x="{frame.left - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
        )
    for value in frame.ticks:
        x = frame.x(value)
        lines.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{frame.top}" y2="{frame.bottom}"/>')
        text = escape(_tick(axis, value))
        lines.append(
            f'<text class="tick" x="{x:.1f}" y="{frame.bottom + 16}" text-anchor="middle">{text}</text>'
        )
    middle = (frame.left + frame.right) / 2
    better = "more is better" if axis.more_is_better else "less is better"
    note = f" ({better}, log scale)" if frame.width > 500 else ""
    lines.append(
        f'<text class="title" x="{middle:.0f}" y="{frame.height - 8}" text-anchor="middle">'
        f"{escape(axis.label + note)}</text>"
        f'<text class="title" transform="translate(12 {(frame.top + frame.bottom) / 2:.0f}) rotate(-90)" '
        f'text-anchor="middle">{escape(metric)}</text>'
    )
    return "".join(lines)


def _tick(axis: CostAxis, value: float) -> str:
    if axis.ticks is not TIMES:
        return axis.show(value)
    for unit, seconds in (("h", 3600.0), ("min", 60.0), ("s", 0.1)):
        if value >= seconds:
            return f"{value / max(seconds, 1.0):,g} {unit}"
    return f"{value * 1000:g} ms"


def _front_line(frame: _Frame, front: Sequence[Point]) -> str:
    """Join the best that each cost buys; runs of the front that noise keeps there lie below the line."""
    if len(front) < 2:
        return ""
    step: list[Point] = []
    highest = -math.inf
    for point in front:
        if point.quality > highest:
            highest = point.quality
            step.append(point)
    path = f"M{frame.x(step[0].cost):.1f} {frame.y(step[0].quality):.1f}"
    for point in step[1:]:
        path += f"H{frame.x(point.cost):.1f}V{frame.y(point.quality):.1f}"
    return f'<path class="front" d="{path}"/>'


def _mark(frame: _Frame, point: Point, *, faded: bool) -> str:
    x, y = frame.x(point.cost), frame.y(point.quality)
    bar = ""
    if math.isfinite(point.low) and math.isfinite(point.high):
        bar = (
            f'<line class="error" x1="{x:.1f}" x2="{x:.1f}" '
            f'y1="{frame.y(point.low):.1f}" y2="{frame.y(point.high):.1f}"/>'
        )
    drawn = bar + marks.mark(point.kind, x, y)
    return f'<g class="faded">{drawn}</g>' if faded else drawn


def _worth_naming(points: Sequence[Point], front: Sequence[Point]) -> list[Point]:
    """Give the best runs, then those of the front from the best down, each once."""
    best = sorted(points, key=lambda point: -point.quality)[:_BEST]
    chosen = {point.id: point for point in [*best, *sorted(front, key=lambda point: -point.quality)]}
    return list(chosen.values())[:_NAMED]


def _labels(frame: _Frame, points: Sequence[Point]) -> str:
    """Put each name beside its point, lower where it would cover another; leave out what has no room."""
    limit = 30 if frame.width > 500 else 16
    taken: list[tuple[float, float, float]] = []
    texts = []
    for point in points:
        name = point.name if len(point.name) <= limit else point.name[: limit - 1] + "…"
        length = 6.4 * len(name)
        x, anchor = frame.x(point.cost) + 9, "start"
        if x + length > frame.right:
            x, anchor = x - 18, "end"
        start = x if anchor == "start" else x - length
        for down in (-7, 4, 17, 30):
            y = frame.y(point.quality) + down
            covers = (abs(y - at) < 13 and start < end and begin < start + length for begin, end, at in taken)
            if y < frame.bottom and not any(covers):
                taken.append((start, start + length, y))
                place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
                texts.append(f'<text class="label" {place}>{escape(name)}</text>')
                break
    return "".join(texts)


def _target(frame: _Frame, axis: CostAxis, metric: str, point: Point, *, rich: bool) -> str:
    """Draw a large invisible target over the mark; hover and focus show its details, in a box if `rich`."""
    x, y = frame.x(point.cost), frame.y(point.quality)
    decimals = formatting.decimals_for([(point.high - point.low) / 2])
    interval = formatting.span(point.low, point.high, decimals)
    lines = [
        point.name[:48],
        f"{metric} {formatting.number(point.quality, decimals)}" + (f" ({interval})" if interval else ""),
        f"{axis.label}: {axis.show(point.cost)}",
        *(line[:60] for line in point.details),
    ]
    label = escape("; ".join(lines))
    circle = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{13 if rich else 6}"/>'
    circle += "" if rich else f"<title>{label}</title>"
    if point.href:
        event = f'data-event="run" data-value="{escape(point.id)}"'
        circle = f'<a href="{escape(point.href)}" {event} aria-label="{label}">{circle}</a>'
    return f'<g class="target">{circle}{_tip(frame, x, y, lines) if rich else ""}</g>'


def _tip(frame: _Frame, x: float, y: float, lines: Sequence[str]) -> str:
    width, height = 6.6 * max(len(line) for line in lines) + 16, 17 * len(lines) + 10
    left = min(max(x + 12, frame.left), max(frame.right - width, 4))
    top = y + 12 if y + 12 + height < frame.height else max(y - 12 - height, 2)
    texts = "".join(
        f'<text x="{left + 8:.1f}" y="{top + 17 * (number + 1):.1f}">{escape(line)}</text>'
        for number, line in enumerate(lines)
    )
    return (
        f'<g class="tip"><rect x="{left:.1f}" y="{top:.1f}" width="{width:.0f}" height="{height}" rx="4"/>'
        f"{texts}</g>"
    )
