"""Repeat last seen: the user's own last items, newest first, then popularity-weighted ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from baselines.popularity_weighted import ranked_by_count, training_counts
from baselines.sampling import draw_items, first_distinct
from bench.schema import NO_ITEM, Histories, Int32Array, Rankings, TrainingData


class RepeatLast:
    """Lists the user's last `depth` purchases, newest first and each once, and fills up by popularity.

    The places left are filled as `PopularityWeighted` would fill a list of that length, without the items
    already listed.
    """

    kind = "baseline"
    display_name = "Repeat last seen"

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed
        self.parameters: Mapping[str, Any] = {"backfill": "popularity-weighted"}

    def fit(self, data: TrainingData) -> None:
        """Count the purchases of each item, for the backfill."""
        self._counts = training_counts(data)

    def recommend(self, histories: Histories, depth: int) -> Rankings:
        """List the newest items and fill up."""
        recent = first_distinct(newest_items(histories, depth), depth)
        drawn = draw_items(self._counts, histories.users, depth, seed=self.seed, taken=recent)
        places_left = np.count_nonzero(recent == NO_ITEM, axis=1)
        drawn[np.arange(depth) >= places_left[:, None]] = NO_ITEM
        return first_distinct(np.hstack([recent, ranked_by_count(drawn, self._counts)]), depth)


def newest_items(histories: Histories, depth: int) -> Int32Array:
    """(users, depth) the last items of each history, newest first, padded with NO_ITEM."""
    ages = np.arange(depth)
    inside = ages < histories.lengths[:, None]
    newest = np.full(inside.shape, NO_ITEM, dtype=np.int32)
    newest[inside] = histories.items[(histories.indptr[1:, None] - 1 - ages)[inside]]
    return newest
