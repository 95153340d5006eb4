"""Random: items drawn uniformly without replacement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from baselines.sampling import draw_items
from bench.schema import Histories, Rankings, TrainingData


class RandomItems:
    """Ranks items of the whole catalogue in random order, each user's own."""

    kind = "baseline"
    display_name = "Random items"

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed
        self.parameters: Mapping[str, Any] = {}

    def fit(self, data: TrainingData) -> None:
        """Note how many items there are."""
        self._weights = np.ones(len(data.catalogue), dtype=np.int64)

    def recommend(self, histories: Histories, depth: int) -> Rankings:
        """Draw each user's list."""
        return draw_items(self._weights, histories.users, depth, seed=self.seed)
