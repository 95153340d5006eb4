"""Where each model of a whole board stands, by one cheap test of all pairs at once.

`bench.comparison.paired` draws its p-values, and no drawn p-value is under 1 / (resamples + 1): on a
board of 60 models (1,770 pairs) Holm's correction would then call nothing significant. The paired z-test has
no such floor, needs one matrix product for all pairs, and with the thousands of users of a board
agrees with the randomisation test (Smucker, Allan & Carterette 2007).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bench.comparison.paired import Contender, check_comparable
from bench.metrics.ranking import parse_metric
from bench.record import View
from bench.schema import BoolArray, FloatArray
from bench.statistics.paired_tests import ALPHA, Standing, holm, standings


def board_standings(
    contenders: Sequence[Contender], *, metric: str, view: View, alpha: float = ALPHA
) -> dict[str, Standing]:
    """Give rank interval and tie groups of each model, by its label; p-values are Holm-corrected.

    One model alone is first of one. Models whose lists are shorter than the metric looks have no
    standing. Raises RecordError for models that may not be compared.
    """
    _, cutoff = parse_metric(metric)
    contenders = [one for one in contenders if all(record.depth >= cutoff for record in one.records)]
    if not contenders:
        return {}
    if len(contenders) > 1:
        check_comparable(contenders, metric, view)
    outcomes = np.stack([np.atleast_2d(one.outcomes(metric, view)).mean(axis=0) for one in contenders])
    places = standings(outcomes.mean(axis=1).tolist(), significant_pairs(outcomes, alpha))
    return {one.label: place for one, place in zip(contenders, places, strict=True)}


def significant_pairs(outcomes: FloatArray, alpha: float = ALPHA) -> BoolArray:
    """Tell which pairs of models, rows of (models, users), differ: symmetric (models, models)."""
    p_values = paired_z_test(outcomes)
    first, second = np.triu_indices(len(outcomes), 1)
    different = np.zeros(p_values.shape, dtype=np.bool_)
    different[first, second] = holm(p_values[first, second].tolist()) < alpha
    return different | different.T


def paired_z_test(outcomes: FloatArray) -> FloatArray:
    """Give the two-sided p-value of equal means for each pair of rows of (models, users).

    z = d / sqrt(s^2 / n), d the mean and s^2 the variance of the n users' differences; the variance
    of all pairs comes from the models' covariances. Rows that do not differ have p = 1.
    """
    models, users = outcomes.shape
    if users < 2:
        return np.ones((models, models))
    covariance = np.cov(outcomes).reshape(models, models)
    variance = np.diag(covariance)
    error = np.sqrt(np.maximum(variance[:, None] + variance[None, :] - 2 * covariance, 0.0) / users)
    means = outcomes.mean(axis=1)
    difference = np.abs(means[:, None] - means[None, :])
    # what is left of two equal rows is rounding; it must not be divided by more of the same
    known = error > 1e-12
    z = difference / np.where(known, error, 1.0)
    # erfc of the standard library: importing scipy for this would cost more than the whole test
    p_values = np.vectorize(math.erfc, otypes=[np.float64])(z / math.sqrt(2))
    return np.where(known, p_values, np.where(difference > 1e-12, 0.0, 1.0))
