"""Which models are worth their cost: the Pareto front of quality against cost."""

from __future__ import annotations

from collections.abc import Sequence


def pareto_front(costs: Sequence[float], qualities: Sequence[float]) -> list[int]:
    """Give the positions of the points that no other point beats, cheapest first.

    A point is beaten by one that costs no more and is better, or that costs less and is as good.
    Of points equal in both, the first stands for all.

    >>> pareto_front([1.0, 2.0, 3.0, 2.5], [0.1, 0.3, 0.2, 0.3])
    [0, 1]
    """
    order = sorted(range(len(costs)), key=lambda point: (costs[point], -qualities[point], point))
    front: list[int] = []
    for point in order:
        if not front or qualities[point] > qualities[front[-1]]:
            front.append(point)
    return front


def gap_to_better(costs: Sequence[float], qualities: Sequence[float], point: int) -> float | None:
    """Give how many times its cost the cheapest better point costs (under 1: less); None if none is better.

    >>> gap_to_better([1.0, 250.0, 300.0], [0.1, 0.2, 0.3], 0)
    250.0
    """
    better = [cost for cost, quality in zip(costs, qualities, strict=True) if quality > qualities[point]]
    return min(better) / costs[point] if better else None
