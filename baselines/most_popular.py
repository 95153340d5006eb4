"""Most popular: the items bought most in training that the user does not have yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from baselines.popularity_weighted import popularity_order, training_counts
from bench.schema import NO_ITEM, Histories, Rankings, TrainingData

_CELLS_PER_CHUNK = 1 << 22


class MostPopular:
    """Ranks items by training purchases, then by lower row, and leaves out the user's own.

    An item that nobody bought in training is never listed. Nothing is drawn; `seed` is there because
    every model takes it.
    """

    kind = "baseline"
    display_name = "Most popular"

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed
        self.parameters: Mapping[str, Any] = {"popularity": "training purchases", "seen items": "left out"}

    def fit(self, data: TrainingData) -> None:
        """Count the purchases of each item."""
        counts = training_counts(data)
        order = popularity_order(counts)
        self._order = order[counts[order] > 0].astype(np.int32)
        self._place = np.full(len(counts), len(self._order), dtype=np.int64)
        self._place[self._order] = np.arange(len(self._order))

    def recommend(self, histories: Histories, depth: int) -> Rankings:
        """Take the first `depth` items of the order that are not in the history."""
        lists = np.full((len(histories), depth), NO_ITEM, dtype=np.int32)
        # as many as the longest history takes away are looked at beyond the list
        width = min(len(self._order), depth + int(histories.lengths.max(initial=0)))
        rows_a_chunk = max(1, _CELLS_PER_CHUNK // max(width, 1))
        for start in range(0, len(histories), rows_a_chunk):
            part = histories.take(np.arange(start, min(start + rows_a_chunk, len(histories))))
            seen = np.zeros((len(part), width + 1), dtype=np.bool_)
            owners = np.repeat(np.arange(len(part)), part.lengths)
            seen[owners, np.minimum(self._place[part.items], width)] = True
            first = np.argsort(seen[:, :width], axis=1, kind="stable")[:, :depth]
            found = np.where(np.take_along_axis(seen, first, axis=1), NO_ITEM, self._order[first])
            lists[start : start + len(part), : found.shape[1]] = found
        return lists
