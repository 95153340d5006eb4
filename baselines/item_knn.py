"""ItemKNN: cosine of the items' buyers, summed over the history.

    K[i, j] = |buyers of both| / ( sqrt(|buyers of i|) * sqrt(|buyers of j|) + shrink )
    s(j)    = sum over the history, p places before its end:  history_decay^p * K[i_p, j]

over the `neighbours` items j nearest to i. Sources: Sarwar et al., "Item-based collaborative filtering
recommendation algorithms" (WWW 2001); shrinkage as in Bell & Koren (ICDM 2007).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import Field
from scipy import sparse

from baselines.neighbours.constants import Constants
from baselines.neighbours.history_ranker import Table, history_weights
from baselines.neighbours.neighbour_model import NeighbourModel
from bench.retrieval.best import best_in_sparse
from bench.schema import NO_ITEM, Histories, TrainingData
from bench.tuning.space import Real, Whole


class ItemKNNSettings(Constants):
    """Constants of the formula above."""

    neighbours: Annotated[int, Field(ge=1, le=100_000), Whole(20, 1000, log=True)] = 200
    shrink: Annotated[float, Field(ge=0, le=1e6), Real(0.1, 100, log=True)] = 10.0
    history_decay: Annotated[float, Field(ge=0, le=1), Real(0.1, 1)] = 0.5


class ItemKNN(NeighbourModel):
    """Knows who bought what, and no order but that of the user asked about."""

    Settings = ItemKNNSettings
    display_name = "ItemKNN (cosine)"

    def tables(self, data: TrainingData) -> Sequence[Table]:
        """Compute the cosines."""
        links = cosine_links(data.train, len(data.catalogue), shrink=self.settings.shrink)
        return [Table(links=nearest(links, self.settings.neighbours), decay=self.settings.history_decay)]


def cosine_links(sequences: Histories, items: int, *, shrink: float) -> Any:
    """Sparse (items, items): K of the formula, for all pairs with a common buyer."""
    buyers = (history_weights(sequences, items, 1.0) > 0).astype(np.float64)
    both = sparse.coo_array(buyers.T @ buyers)
    apart = both.row != both.col
    row, column, common = both.row[apart], both.col[apart], both.data[apart]
    norms = np.sqrt(buyers.sum(axis=0))
    return sparse.csr_array((common / (norms[row] * norms[column] + shrink), (row, column)), shape=both.shape)


def nearest(links: Any, neighbours: int) -> Any:
    """Keep the `neighbours` largest entries of each row of a sparse CSR array, equal ones by lower column."""
    kept = best_in_sparse(links, neighbours)
    present = kept != NO_ITEM
    indptr = np.concatenate([[0], np.cumsum(present.sum(axis=1))])
    mask = sparse.csr_array((np.ones(int(indptr[-1])), kept[present], indptr), shape=links.shape)
    return sparse.csr_array(links.multiply(mask))
