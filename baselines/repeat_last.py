"""Repeat last seen: the user's own last items, newest first, then popularity-weighted ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from baselines.popularity_weighted import training_counts
from baselines.sampling import draw_items, first_distinct
from bench.schema import NO_ITEM, Histories, Int32Array, Rankings, TrainingData


class RepeatLast:
    """Lists the user's last `depth` purchases, newest first and each once, and fills up by popularity.

    The places left go to popularity-weighted draws, without the items already listed, in the order drawn:
    the published code gives them equal scores, so no order among them is part of the definition.
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
        return first_distinct(np.hstack([recent, drawn]), depth)


def newest_items(histories: Histories, depth: int) -> Int32Array:
    """(users, depth) the last items of each history, newest first, padded with NO_ITEM."""
    ages = np.arange(depth)
    inside = ages < histories.lengths[:, None]
    newest = np.full(inside.shape, NO_ITEM, dtype=np.int32)
    newest[inside] = histories.items[(histories.indptr[1:, None] - 1 - ages)[inside]]
    return newest
