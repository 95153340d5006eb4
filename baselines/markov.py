"""Markov chain: the odds that an item follows, from each of the last purchases.

    P[i, j] = ( F[i, j] + back * F[j, i] ) / ( row sum + shrink )
    s(j)    = sum over the history, p places before its end:  history_decay^p * P[i_p, j]

F counts the purchases of j at most `window` places after i, the nearer the more: decay^(d-1). With window 1,
back 0, shrink 0 and history_decay 0 it is the first-order maximum-likelihood chain. Source: item-to-item
transition models as in Rendle et al., "Factorizing personalized Markov chains" (WWW 2010), without factors;
skipping places as in Shani et al., "An MDP-based recommender system" (JMLR 2005).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field
from scipy import sparse

from baselines.neighbours.constants import Constants
from baselines.neighbours.history_ranker import Table
from baselines.neighbours.neighbour_model import NeighbourModel
from baselines.neighbours.pairs import following, odds
from bench.schema import TrainingData
from bench.tuning.space import Real, Whole


class MarkovSettings(Constants):
    """Constants of the formula above."""

    window: Annotated[int, Field(ge=1, le=1000), Whole(1, 20, log=True)] = 4
    decay: Annotated[float, Field(ge=0, le=1), Real(0.3, 1)] = 0.7
    back: Annotated[float, Field(ge=0, le=1), Real(0, 1)] = 0.3
    shrink: Annotated[float, Field(ge=0, le=1e6), Real(0.1, 100, log=True)] = 5.0
    history_decay: Annotated[float, Field(ge=0, le=1), Real(0, 1)] = 0.4


class Markov(NeighbourModel):
    """Ranks by transition odds."""

    Settings = MarkovSettings
    display_name = "Markov chain"

    def tables(self, data: TrainingData) -> Sequence[Table]:
        """Count the transitions."""
        settings = self.settings
        after = following(
            data.train,
            len(data.catalogue),
            window=settings.window,
            decay=settings.decay,
            activity_power=0.0,
        )
        links = sparse.csr_array(after + settings.back * after.T)
        return [Table(links=odds(links, settings.shrink), decay=settings.history_decay)]
