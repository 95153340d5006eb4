"""Which models are worth their cost: the Pareto front of quality against cost, with or without noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.schema import BoolArray


def better_by_value(qualities: Sequence[float]) -> BoolArray:
    """Tell which points are better than which, (points, points), taking every difference as real."""
    values = np.asarray(qualities, dtype=np.float64)
    found: BoolArray = values[:, None] > values[None, :]
    return found


def pareto_front(costs: Sequence[float], better: BoolArray) -> list[int]:
    """Give the positions of the points that no other point beats, cheapest first.

    A point is beaten by one that is better, `better[one, point]`, and costs no more. Where better means
    significantly better, a costly point stays that no cheaper one is known to be better than.

    >>> pareto_front([1.0, 2.0, 3.0], better_by_value([0.1, 0.3, 0.2]))
    [0, 1]
    """
    price = np.asarray(costs, dtype=np.float64)
    beaten = (better & (price[:, None] <= price[None, :])).any(axis=0)
    left = np.flatnonzero(~beaten)
    return [int(point) for point in left[np.argsort(price[left], kind="stable")]]


def gaps_to_better(costs: Sequence[float], better: BoolArray) -> list[float | None]:
    """Give how many times its cost the cheapest better point costs (under 1: less); None if none is better.

    >>> gaps_to_better([1.0, 250.0, 300.0], better_by_value([0.1, 0.2, 0.3]))
    [250.0, 1.2, None]
    """
    price = np.asarray(costs, dtype=np.float64)
    cheapest = np.where(better, price[:, None], np.inf).min(axis=0, initial=np.inf)
    return [None if np.isinf(one) else float(one / own) for one, own in zip(cheapest, price, strict=True)]
