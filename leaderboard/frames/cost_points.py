"""Quality against cost: the axes to choose from, the board's rows as points, and what they say."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from bench.comparison.board_standings import BoardStandings
from bench.comparison.pareto import better_by_value, gaps_to_better, pareto_front
from bench.labels import COSTS
from bench.schema import BoolArray
from leaderboard.frames import formatting
from leaderboard.frames.board_rows import rows_of
from leaderboard.frames.model_sizes import size_text

TIMES = (1e-3, 1e-2, 0.1, 1, 10, 60, 600, 3600, 36_000, 360_000, 3_600_000)
_DECADES = tuple(10.0**power for power in range(-6, 19))


@dataclass(frozen=True, kw_only=True)
class CostAxis:
    """A cost to plot: a column of the board, how to show it, and whether more of it is better."""

    column: str
    label: str
    phrase: str
    """As in 'nothing within 100 times its wall time is better'."""
    show: Callable[[float | None], str]
    more_is_better: bool = False
    ticks: tuple[float, ...] = _DECADES

    def cost(self, value: float) -> float:
        """Turn a value into one where less is better."""
        return 1 / value if self.more_is_better else value


AXES: dict[str, CostAxis] = {
    "time": CostAxis(
        column="total_seconds",
        label="Wall time to fit and recommend",
        phrase="wall time",
        show=formatting.seconds,
        ticks=TIMES,
    ),
    "speed": CostAxis(
        column="users_per_second",
        label="Users per second",
        phrase="time a user",
        show=lambda value: f"{formatting.count(value)}/s",
        more_is_better=True,
    ),
    "latency": CostAxis(
        column="latency_ms",
        label="Latency of one user, p50",
        phrase="latency",
        show=lambda value: formatting.seconds(None if value is None else value / 1000),
    ),
    "ram": CostAxis(
        column="peak_rss_bytes",
        label=COSTS["peak_rss_bytes"].label,
        phrase="memory",
        show=formatting.size,
    ),
    "vram": CostAxis(
        column="peak_vram_bytes",
        label=COSTS["peak_vram_bytes"].label,
        phrase="GPU memory",
        show=formatting.size,
    ),
    "energy": CostAxis(
        column="energy_joules",
        label="GPU energy",
        phrase="energy",
        show=formatting.energy,
        ticks=tuple(3600 * tick for tick in _DECADES),
    ),
    "money": CostAxis(
        column="money",
        label="Money to fit and recommend, at your prices",
        phrase="money",
        show=formatting.amount,
    ),
    "parameters": CostAxis(
        column="parameters",
        label="Parameters of the model",
        phrase="size",
        show=lambda value: size_text(math.nan if value is None else value),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Point:
    """One run on the chart."""

    id: str
    name: str
    kind: str
    cost: float
    quality: float
    low: float
    high: float
    details: tuple[str, ...] = ()
    """Further lines that show on hover."""
    href: str = ""


def points_of(
    frame: pd.DataFrame, metric: str, axis: CostAxis, links: Callable[[str], str] | None
) -> list[Point]:
    """Give the board's rows that have both figures; `links` makes the address of a run's page."""
    known = frame[frame[metric].notna() & (frame[axis.column] > 0)]
    return [
        Point(
            id=row["id"],
            name=row["model"],
            kind=row["kind"],
            cost=row[axis.column],
            quality=row[metric],
            low=row[f"{metric}_low"],
            high=row[f"{metric}_high"],
            details=(
                f"{row['kind']}, {row['hardware']}",
                f"{row['date']}, commit {row['commit']}",
                *(mark.text for mark in row["marks"]),
            ),
            href=links(row["id"]) if links else "",
        )
        for row in rows_of(known)
    ]


def better_of(points: Sequence[Point], standings: BoardStandings | None) -> BoolArray:
    """Tell which points are better than which: significantly, where that is known, else by value."""
    qualities = [point.quality for point in points]
    if standings is None:
        return better_by_value(qualities)
    return standings.better_of([point.id for point in points], qualities)


def front_of(points: Sequence[Point], axis: CostAxis, better: BoolArray) -> list[Point]:
    """Give the points that none is better and no costlier than, cheapest first."""
    return [points[row] for row in pareto_front([axis.cost(point.cost) for point in points], better)]


def sentence(points: Sequence[Point], axis: CostAxis, metric: str, better: BoolArray) -> str:
    """Say what the chart of at least one point shows, in words."""
    if len(points) == 1:
        return f"Only one run has both: {points[0].name}."
    costs = [axis.cost(point.cost) for point in points]
    front = pareto_front(costs, better)
    best = max(points, key=lambda point: point.quality)
    opening = f"Best {metric}: {best.name}."
    gaps = gaps_to_better(costs, better)
    open_ended = [(row, gap) for row in front if (gap := gaps[row]) is not None]
    if not open_ended and len(front) == 1:
        return f"{opening} It is also the cheapest by {axis.phrase}: no other run is worth its cost."
    if not open_ended:
        cheapest = points[front[0]].name
        return (
            f"{opening} The data do not tell it from {cheapest}, the cheapest of the {len(front)} runs on "
            "the front."
        )
    worth = [pair for pair in open_ended if pair[1] >= 10]
    row, gap = worth[-1] if worth else max(open_ended, key=lambda pair: pair[1])
    times = f"{gap:,.0f}" if gap >= 10 else f"{gap:.1f}"
    share = points[row].quality / best.quality if best.quality else 0.0
    return (
        f"{opening} Nothing within {times} times the {axis.phrase} of {points[row].name} is better; "
        f"it reaches {100 * share:.0f} % of the best. {len(front)} of {len(points)} runs are on the front."
        f"{_waste(points, costs, gaps, better, axis)}"
    )


def _waste(
    points: Sequence[Point],
    costs: Sequence[float],
    gaps: Sequence[float | None],
    better: BoolArray,
    axis: CostAxis,
) -> str:
    """Name the run that costs most against the cheapest better one, if that is ten times or more."""
    known = [(1 / gap, row) for row, gap in enumerate(gaps) if gap is not None and gap > 0]
    times, row = max(known, default=(0.0, -1))
    if times < 10:
        return ""
    cheapest = min((cost, other) for other, cost in enumerate(costs) if better[other, row])[1]
    return (
        f" {points[row].name} takes {times:,.0f} times the {axis.phrase} of {points[cheapest].name}, "
        "which is better."
    )
