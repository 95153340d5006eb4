"""What all rows made of item-to-item tables have in common."""

from __future__ import annotations

from collections.abc import Sequence

from baselines.neighbours.constants import TunableModel
from baselines.neighbours.history_ranker import HistoryRanker, Table
from bench.schema import Histories, Rankings, TrainingData


class NeighbourModel(TunableModel):
    """Fits tables of item links and ranks by what a user's history says through them.

    A subclass gives `Settings` and `tables`. Lists hold no item of the user's own history and end where no
    table links anything more; an empty history gets an empty list. Nothing is drawn: `seed` is there
    because every model takes it.
    """

    kind = "untrained"

    def tables(self, data: TrainingData) -> Sequence[Table]:
        """Count the tables in the training data."""
        raise NotImplementedError

    def fit(self, data: TrainingData) -> None:
        """Count the tables."""
        self._ranker = HistoryRanker(self.tables(data))

    def recommend(self, histories: Histories, depth: int) -> Rankings:
        """Rank what the history's items link to."""
        return self._ranker.rank(histories, depth)
