"""Co-visit: what others bought shortly after, or before, the items of the history.

    C[i, j] = ( F[i, j] + back * F[j, i] ) / ( (n_i + shrink)^source_power * (n_j + shrink)^target_power )
    s(j)    = sum over the history, p places before its end:  history_decay^p * C[i_p, j]

F[i, j] sums, over all purchases of j at distance d <= window after i in one user's sequence of length L,
decay^(d-1) / log2(2 + L)^activity_power; n counts training purchases.

Sources: sequence-aware item-to-item rules with a weight falling by distance (SR of Ludewig & Jannach,
"Evaluation of session-based recommendation algorithms", UMUAI 2018); popularity damping of both ends
(Deshpande & Karypis, "Item-based top-N recommendation algorithms", TOIS 2004); damping of busy users (Breese
et al., UAI 1998). The direction weight and the decay over the history are ordinary practice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from baselines.neighbours.constants import Constants
from baselines.neighbours.history_ranker import Table
from baselines.neighbours.neighbour_model import NeighbourModel
from baselines.neighbours.pairs import following, purchases, scaled
from bench.schema import Histories, TrainingData
from bench.tuning.space import Real, Whole


class CoVisitSettings(Constants):
    """Constants of the formula above."""

    window: Annotated[int, Field(ge=1, le=1000), Whole(1, 60, log=True)] = 20
    decay: Annotated[float, Field(ge=0, le=1), Real(0.4, 1)] = 0.7
    back: Annotated[float, Field(ge=0, le=1), Real(0, 1)] = 0.3
    activity_power: Annotated[float, Field(ge=0, le=10), Real(0, 1.5)] = 0.3
    source_power: Annotated[float, Field(ge=-2, le=2), Real(-0.3, 0.6)] = 0.0
    target_power: Annotated[float, Field(ge=-2, le=2), Real(-0.3, 0.6)] = 0.0
    shrink: Annotated[float, Field(ge=0, le=1e6), Real(1, 50, log=True)] = 10.0
    history_decay: Annotated[float, Field(ge=0, le=1), Real(0.1, 1)] = 0.4


class CoVisit(NeighbourModel):
    """Ranks by co-visit alone: an item that nobody bought near one of the history's is not listed."""

    Settings = CoVisitSettings
    display_name = "Co-visit"

    def tables(self, data: TrainingData) -> Sequence[Table]:
        """Count the pairs."""
        links = co_visit_links(data.train, len(data.catalogue), self.settings)
        return [Table(links=links, decay=self.settings.history_decay)]


def co_visit_links(sequences: Histories, items: int, settings: CoVisitSettings) -> Any:
    """Sparse (items, items): C of the formula, over the mean of its entries so that texts can be added."""
    after = following(
        sequences,
        items,
        window=settings.window,
        decay=settings.decay,
        activity_power=settings.activity_power,
    )
    damped = purchases(sequences, items) + max(settings.shrink, 1e-9)  # an unsold item has no pairs
    links = scaled(
        after + settings.back * after.T, damped**-settings.source_power, damped**-settings.target_power
    )
    return links / links.data.mean() if links.nnz else links
