"""From item-to-item tables to lists: every item of a history votes, the recent ones loudest.

The score of item j for the history i_1 ... i_L, p being the places before its end (0 for the last item):

    s(j) = sum over tables t, sum over p:  decay_t^p * t[i_p, j]

Computed for many users at once, as a product of two sparse matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from bench.metrics.ranking import remove_seen
from bench.retrieval.best import best_in_sparse
from bench.schema import NO_ITEM, Histories, Rankings

USERS_PER_CHUNK = 512
"""Users scored at a time: one or two million scores on Amazon's 5-core data."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """What an item says of others, and how fast its voice fades with each purchase after it."""

    links: Any
    """Sparse CSR (items, items); row i holds what the purchase of i says for each other item."""
    decay: float


class HistoryRanker:
    """Ranks by the tables, one below the other in a single matrix."""

    def __init__(self, tables: Sequence[Table]) -> None:
        self._decays = [table.decay for table in tables]
        self._links = sparse.vstack([table.links for table in tables], format="csr")
        self._items = self._links.shape[1]

    def scores(self, histories: Histories) -> Any:
        """Sparse CSR (users, items) of all that some table links to the history, in no order."""
        voices = [history_weights(histories, self._items, decay) for decay in self._decays]
        return sparse.hstack(voices, format="csr") @ self._links

    def rank(self, histories: Histories, depth: int) -> Rankings:
        """Rank what the tables link to each history, without its own items: (users, depth), NO_ITEM last."""
        lists = np.full((len(histories), depth), NO_ITEM, dtype=np.int32)
        # users of like history length have like numbers of candidates, which keeps the score tables narrow
        order = np.argsort(histories.lengths, kind="stable")
        for start in range(0, len(order), USERS_PER_CHUNK):
            rows = order[start : start + USERS_PER_CHUNK]
            chunk = histories.take(rows)
            longest = int(chunk.lengths.max())
            lists[rows] = remove_seen(best_in_sparse(self.scores(chunk), depth + longest), chunk)[:, :depth]
        return lists


def history_weights(histories: Histories, items: int, decay: float) -> Any:
    """Sparse (users, items): decay^p summed over the places p where the item stands in the history."""
    ages = np.repeat(histories.indptr[1:], histories.lengths) - 1 - np.arange(len(histories.items))
    entries = (np.power(float(decay), ages), histories.items.copy(), histories.indptr.copy())
    matrix = sparse.csr_array(entries, shape=(len(histories), items))
    matrix.sum_duplicates()  # works in place, hence the copies
    return matrix
