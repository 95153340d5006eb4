"""How often two items were bought by one user near each other: the counts behind the neighbour rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bench.schema import Histories, Int64Array


def following(sequences: Histories, items: int, *, window: int, decay: float, activity_power: float) -> Any:
    """Sparse (items, items): row i, column j the weight of the purchases of j after i, in one sequence.

    A pair at distance d <= window counts decay^(d-1) / log2(2 + L)^activity_power, L being the length of
    the sequence, so that a user who buys much does not decide alone. An item does not follow itself.
    """
    lengths = sequences.lengths
    owners = np.repeat(np.arange(len(sequences)), lengths)
    per_user = np.log2(2.0 + lengths) ** -activity_power
    bought = sequences.items
    total = sparse.csr_array((items, items))
    for distance in range(1, min(window, int(lengths.max(initial=1)) - 1) + 1):
        first = np.flatnonzero(owners[:-distance] == owners[distance:])
        first = first[bought[first] != bought[first + distance]]
        weights = per_user[owners[first]] * decay ** (distance - 1)
        total = total + sparse.csr_array(
            (weights, (bought[first], bought[first + distance])), shape=(items, items)
        )
    return total


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
