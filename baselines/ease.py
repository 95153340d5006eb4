"""EASE: a linear model of which purchases go together, solved in closed form.

    B = I - P / diag(P) (each column by its own entry),  P = (X'X + ridge * I)^-1,  diagonal of B zero
    s(j) = sum over the history, p places before its end:  history_decay^p * B[i_p, j]

X is the binary matrix of users and items. Source: Steck, "Embarrassingly shallow autoencoders for sparse
data" (WWW 2019), equations 8 and 9; the decay over the history is ours, 1 being the paper's.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import Field
from scipy.linalg import lapack

from baselines.neighbours.constants import Constants, TunableModel
from baselines.neighbours.history_ranker import history_weights
from bench.errors import BenchError
from bench.retrieval.best import best_in_dense
from bench.schema import NO_ITEM, Histories, Rankings, TrainingData
from bench.tuning.space import Real

USERS_PER_CHUNK = 256
"""Users scored at a time; each takes one float32 an item."""


class EASESettings(Constants):
    """Constants of the formula above."""

    ridge: Annotated[float, Field(gt=0, le=1e9), Real(10, 2000, log=True)] = 200.0
    history_decay: Annotated[float, Field(ge=0, le=1), Real(0.2, 1)] = 0.6


class EASE(TunableModel):
    """One dense float32 matrix, items by items, is held: 0.6 GB for 12,000 items, 1.3 GB for 18,000.

    Lists hold no item of the user's own history; an empty history gets an empty list. Nothing is drawn:
    `seed` is there because every model takes it.
    """

    kind = "sequential"
    display_name = "EASE"
    Settings = EASESettings

    def fit(self, data: TrainingData) -> None:
        """Solve for B."""
        items = len(data.catalogue)
        bought = (history_weights(data.train, items, 1.0) > 0).astype(np.float32)
        gram = (bought.T @ bought).toarray(order="F")
        gram[np.diag_indices(items)] += np.float32(self.settings.ridge)
        self._weights = _zero_diagonal_solution(gram)

    def recommend(self, histories: Histories, depth: int) -> Rankings:
        """Rank all items but those of the history."""
        lists = np.full((len(histories), depth), NO_ITEM, dtype=np.int32)
        begun = np.flatnonzero(histories.lengths)
        for start in range(0, len(begun), USERS_PER_CHUNK):
            rows = begun[start : start + USERS_PER_CHUNK]
            chunk = histories.take(rows)
            weights = history_weights(chunk, len(self._weights), self.settings.history_decay)
            scores = weights.astype(np.float32) @ self._weights
            scores[np.repeat(np.arange(len(chunk)), chunk.lengths), chunk.items] = -np.inf
            lists[rows] = best_in_dense(scores, depth)
        return lists


def _zero_diagonal_solution(gram: Any) -> Any:
    """Turn X'X + ridge * I into B, in place where the library allows: (items, items), C order.

    The matrix is symmetric and positive definite, so Cholesky does, in a third of the work of a general
    inverse and one matrix of memory.
    """
    factor, failed = lapack.spotrf(gram, lower=0, overwrite_a=1)
    inverse, failed_too = lapack.spotri(factor, lower=0, overwrite_c=1)
    if failed or failed_too:
        raise BenchError("EASE: the matrix is singular in single precision; use a larger ridge")
    diagonal = np.diag(inverse).copy()
    # the upper triangle is filled; in C order its transpose is the lower one of the same memory
    weights = inverse.T
    rows_per_step = 1024
    for start in range(0, len(weights), rows_per_step):
        stop = min(start + rows_per_step, len(weights))
        weights[start:stop, stop:] = weights[stop:, start:stop].T
        block = weights[start:stop, start:stop]
        block[:] = np.tril(block) + np.tril(block, -1).T
    weights /= -diagonal
    np.fill_diagonal(weights, 0)
    return weights
