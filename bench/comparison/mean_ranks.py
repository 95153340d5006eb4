"""Models over several data sets: their mean rank among those that were measured on every one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.schema import BoolArray


@dataclass(frozen=True, kw_only=True)
class MeanRank:
    """Mean over data sets of a model's rank by value, and of the best and worst that the users allow."""

    mean: float
    best: float
    worst: float


def mean_ranks(values: Sequence[Sequence[float]], better: Sequence[BoolArray]) -> list[MeanRank]:
    """Give the mean rank of each model.

    `values` holds, a data set each, the values of the same models in the same order, none missing;
    `better`, (models, models) each, which of them is significantly better than which. Equal values share
    the mean of their ranks.
    """
    by_value = np.array(values, dtype=np.float64)
    greater = (by_value[:, None, :] > by_value[:, :, None]).sum(axis=2)
    equal = (by_value[:, None, :] == by_value[:, :, None]).sum(axis=2)
    ranks = 1 + greater + (equal - 1) / 2
    best = np.array([1 + matrix.sum(axis=0) for matrix in better])
    worst = np.array([len(matrix) - matrix.sum(axis=1) for matrix in better])
    return [
        MeanRank(mean=float(mean), best=float(low), worst=float(high))
        for mean, low, high in zip(ranks.mean(axis=0), best.mean(axis=0), worst.mean(axis=0), strict=True)
    ]
