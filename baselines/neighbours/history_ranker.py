"""From item-to-item tables to lists: every item of a history votes, the recent ones loudest.

The score of item j for the history i_1 ... i_L, p being the places before its end (0 for the last item):

    s(j) = sum over tables t, sum over p:  w_t,p * decay_t^p * t[i_p, j]

w is 1, but for tables that tell purchases of the day of the request from earlier ones. Computed for many
users at once, as a product of two sparse matrices. Where that would add up very many links, most of them for
items that cannot enter a list, it is a search as in texts (`bench.retrieval.pruned`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from baselines.neighbours.pairs import DAY
from bench.metrics.ranking import remove_seen
from bench.retrieval.best import best_in_sparse
from bench.retrieval.keys import rows_of
from bench.schema import NO_ITEM, BoolArray, Histories, Rankings

if TYPE_CHECKING:
    from bench.retrieval.pruned import PrunedSearch

USERS_PER_CHUNK = 512
"""Users scored at a time: one or two million scores on Amazon's 5-core data."""
USERS_PER_SEARCH = 1 << 15
"""Users searched for at a time."""
MANY_LINKS = 1 << 28
"""More links than this to add up are worth the start of numba."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """What an item says of others, and how fast its voice fades with each purchase after it."""

    links: Any
    """Sparse CSR (items, items); row i holds what the purchase of i says for each other item."""
    decay: float
    on_day: float = 1.0
    """Weight of purchases that were made on the day of the request."""
    off_day: float = 1.0
    """Weight of those made before, or at a time that is not known."""


class HistoryRanker:
    """Ranks by the tables, one below the other in a single matrix."""

    def __init__(self, tables: Sequence[Table]) -> None:
        self._voices = [(table.decay, table.on_day, table.off_day) for table in tables]
        self._links = sparse.vstack([table.links for table in tables], format="csr")
        self._items = self._links.shape[1]

    def scores(self, histories: Histories) -> Any:
        """Sparse CSR (users, items) of all that some table links to the history, in no order."""
        return self._weights(histories) @ self._links

    def _weights(self, histories: Histories) -> Any:
        """Sparse CSR (users, items of each table): how loud each item of the history speaks."""
        voices = [history_weights(histories, self._items, *voice) for voice in self._voices]
        return sparse.hstack(voices, format="csr")

    @cached_property
    def _search(self) -> PrunedSearch:
        from bench.retrieval.layers import layered
        from bench.retrieval.pruned import PrunedSearch

        self._links.sort_indices()
        return PrunedSearch.over(layered(self._links))

    def _searched(self, histories: Histories, depth: int) -> Rankings:
        from bench.retrieval.layers import in_layers

        queries = in_layers(self._weights(histories))
        return rows_of(self._search.best_keys(queries, depth, barred=histories))

    def _is_large(self, histories: Histories) -> bool:
        """Whether there is much to add up, and all of it positive, as a search wants it."""
        links = np.diff(self._links.indptr).reshape(len(self._voices), -1).sum(axis=0)
        if links[histories.items].sum() <= MANY_LINKS or not find_spec("numba"):
            return False
        return min(map(min, self._voices)) > 0 and bool((self._links.data > 0).all())

    def rank(self, histories: Histories, depth: int) -> Rankings:
        """Rank what the tables link to each history, without its own items: (users, depth), NO_ITEM last."""
        lists = np.full((len(histories), depth), NO_ITEM, dtype=np.int32)
        if self._is_large(histories):
            for start in range(0, len(histories), USERS_PER_SEARCH):
                chunk = histories.take(np.arange(start, min(start + USERS_PER_SEARCH, len(histories))))
                lists[start : start + len(chunk)] = self._searched(chunk, depth)
            return lists
        # users of like history length have like numbers of candidates, which keeps the score tables narrow
        order = np.argsort(histories.lengths, kind="stable")
        for start in range(0, len(order), USERS_PER_CHUNK):
            rows = order[start : start + USERS_PER_CHUNK]
            chunk = histories.take(rows)
            longest = int(chunk.lengths.max())
            lists[rows] = remove_seen(best_in_sparse(self.scores(chunk), depth + longest), chunk)[:, :depth]
        return lists


def history_weights(
    histories: Histories, items: int, decay: float, on_day: float = 1.0, off_day: float = 1.0
) -> Any:
    """Sparse (users, items): decay^p summed over the places p where the item stands in the history.

    Purchases of the day of the request count `on_day` times as much, all others `off_day` times.
    """
    ages = np.repeat(histories.indptr[1:], histories.lengths) - 1 - np.arange(len(histories.items))
    weights = np.power(float(decay), ages) * np.where(on_request_day(histories), on_day, off_day)
    entries = (weights, histories.items.copy(), histories.indptr.copy())
    matrix = sparse.csr_array(entries, shape=(len(histories), items))
    matrix.sum_duplicates()  # works in place, hence the copies
    return matrix


def on_request_day(histories: Histories) -> BoolArray:
    """(purchases,) whether it was made on the day on which its user's list is asked for, if that is known."""
    if histories.times is None or histories.request_times is None:
        return np.zeros(len(histories.items), dtype=np.bool_)
    asked = np.repeat(histories.request_times // DAY, histories.lengths)
    on_day: BoolArray = histories.times // DAY == asked
    return on_day
