"""How often two items were bought by one user near each other: the counts behind the neighbour rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bench.schema import FloatArray, Histories, Int64Array

DAY = 86_400
"""Seconds; days are those of UTC, in which Amazon's times are given."""


def following(sequences: Histories, items: int, *, window: int, decay: float, activity_power: float) -> Any:
    """Sparse (items, items): row i, column j the weight of the purchases of j after i, in one sequence.

    A pair at distance d <= window counts decay^(d-1) / log2(2 + L)^activity_power, L being the length of
    the sequence, so that a user who buys much does not decide alone. An item does not follow itself.
    """
    total = sparse.csr_array((items, items))
    for distance, first, per_user in _pairs(sequences, window, activity_power):
        total = total + _counted(sequences, items, first, distance, per_user * decay ** (distance - 1))
    return total


def following_by_day(
    sequences: Histories,
    items: int,
    *,
    window: int,
    decay: float,
    day_decay: float,
    fade_days: float,
    activity_power: float,
) -> tuple[Any, Any]:
    """Give the same counts apart for pairs bought on one day and on different days.

    Those of one day fall by day_decay with the distance; the others by decay and by exp(-days / fade_days).
    The sequences must have times.
    """
    if sequences.times is None:
        raise ValueError("pairs can be told apart by their days only where purchases have times")
    days = sequences.times // DAY
    basket, later = sparse.csr_array((items, items)), sparse.csr_array((items, items))
    for distance, first, per_user in _pairs(sequences, window, activity_power):
        gap = days[first + distance] - days[first]
        same = gap == 0
        near = per_user[same] * day_decay ** (distance - 1)
        far = per_user[~same] * decay ** (distance - 1) * np.exp(-gap[~same] / fade_days)
        basket = basket + _counted(sequences, items, first[same], distance, near)
        later = later + _counted(sequences, items, first[~same], distance, far)
    return basket, later


def _pairs(
    sequences: Histories, window: int, activity_power: float
) -> Iterator[tuple[int, Int64Array, FloatArray]]:
    """Give for each distance where the first of each pair stands, and the weight of its owner."""
    lengths = sequences.lengths
    owners = np.repeat(np.arange(len(sequences)), lengths)
    per_user = np.log2(2.0 + lengths) ** -activity_power
    bought = sequences.items
    for distance in range(1, min(window, int(lengths.max(initial=1)) - 1) + 1):
        first = np.flatnonzero(owners[:-distance] == owners[distance:])
        first = first[bought[first] != bought[first + distance]]
        yield distance, first, per_user[owners[first]]


def _counted(sequences: Histories, items: int, first: Int64Array, distance: int, weights: FloatArray) -> Any:
    places = (sequences.items[first], sequences.items[first + distance])
    return sparse.csr_array((weights, places), shape=(items, items))


def purchases(sequences: Histories, items: int) -> Int64Array:
    """(items,) how often each was bought."""
    return np.bincount(sequences.items, minlength=items)


def scaled(links: Any, rows: NDArray[Any], columns: NDArray[Any]) -> Any:
    """Multiply each row and each column of a sparse matrix by a number of its own."""
    return sparse.csr_array(sparse.diags_array(rows) @ links @ sparse.diags_array(columns))


def odds(links: Any, shrink: float) -> Any:
    """Divide each row of a sparse matrix by its sum and `shrink`."""
    sums = links.sum(axis=1) + shrink
    return scaled(links, 1.0 / np.where(sums > 0, sums, 1.0), np.ones(links.shape[1]))
