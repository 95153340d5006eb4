"""Popularity-weighted random: items drawn by how often they were bought, ranked by that count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from baselines.sampling import draw_items
from bench.schema import NO_ITEM, Histories, Int64Array, Rankings, TrainingData


class PopularityWeighted:
    """Draws `depth` items without replacement, in proportion to training purchases, then ranks by them.

    Equal counts are ranked by lower item row. An item that nobody bought in training is never drawn, so a
    list is short where `depth` exceeds the number of bought items. The best bought of 50 drawn items are
    better bought than those of 5: the top of the list depends on `depth`.
    """

    kind = "baseline"
    display_name = "Popularity-weighted random"

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed
        self.parameters: Mapping[str, Any] = {"popularity": "training purchases"}

    def fit(self, data: TrainingData) -> None:
        """Count the purchases of each item."""
        self._counts = training_counts(data)

    def recommend(self, histories: Histories, depth: int) -> Rankings:
        """Draw each user's list and rank it."""
        drawn = draw_items(self._counts, histories.users, depth, seed=self.seed)
        return ranked_by_count(drawn, self._counts)


def training_counts(data: TrainingData) -> Int64Array:
    """(items,) purchases in the training sequences; validation and test targets are not among them."""
    return np.bincount(data.train.items, minlength=len(data.catalogue))


def ranked_by_count(lists: Rankings, counts: Int64Array) -> Rankings:
    """Order each list by falling count, then by lower row, with NO_ITEM last."""
    order = np.append(np.argsort(-counts, kind="stable"), NO_ITEM)
    places = np.empty(len(order), dtype=np.int64)
    places[order] = np.arange(len(order))
    return order[np.sort(places[lists], axis=1)].astype(np.int32)
