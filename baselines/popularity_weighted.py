"""Popularity-weighted random: items drawn by how often they were bought, ranked by that count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from baselines.sampling import draw_items
from bench.schema import NO_ITEM, Histories, Int64Array, Rankings, TrainingData

LIST_SIZE = 5
"""Length of the published lists."""


class PopularityWeighted:
    """Draws items without replacement, in proportion to training purchases, ranked by them.

    The published lists are five long: five items are drawn, then ranked by count. The best bought of 50
    drawn items are better bought than those of five, so ranking a long list as a whole would be another
    model. Here each five draws in turn are ranked among themselves: the first five places are the published
    list, whatever `depth` is. Equal counts are ranked by lower item row. An item that nobody bought in
    training is never drawn, so a list is short where `depth` exceeds the number of bought items.
    """

    kind = "baseline"
    display_name = "Popularity-weighted random"

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed
        self.parameters: Mapping[str, Any] = {
            "popularity": "training purchases",
            "draws_ranked_together": LIST_SIZE,
        }

    def fit(self, data: TrainingData) -> None:
        """Count the purchases of each item."""
        self._counts = training_counts(data)
        self._order = popularity_order(self._counts)

    def recommend(self, histories: Histories, depth: int) -> Rankings:
        """Draw each user's list and rank it, five by five."""
        lists = draw_items(self._counts, histories.users, depth, seed=self.seed)
        for start in range(0, depth, LIST_SIZE):
            block = slice(start, start + LIST_SIZE)
            lists[:, block] = ranked_by(self._order, lists[:, block])
        return lists


def training_counts(data: TrainingData) -> Int64Array:
    """(items,) purchases in the training sequences; validation and test targets are not among them."""
    return np.bincount(data.train.items, minlength=len(data.catalogue))


def popularity_order(counts: Int64Array) -> Int64Array:
    """(items,) item rows by falling count, then by lower row."""
    return np.argsort(-counts, kind="stable")


def ranked_by(order: Int64Array, lists: Rankings) -> Rankings:
    """Put the items of each list in this order of all items, NO_ITEM last."""
    order = np.append(order, NO_ITEM)
    places = np.empty(len(order), dtype=np.int64)
    places[order] = np.arange(len(order))
    return order[np.sort(places[lists], axis=1)].astype(np.int32)
