"""Percentile bootstrap of a mean over users, exact and cheap where outcomes take few values.

Drawing n users with replacement and counting how many fall in each group of equal outcomes is one
multinomial draw, so a resample costs one draw a group instead of n. Every sum is over integer
counts in a fixed order: the same seed gives the same numbers, bit for bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bench.schema import FloatArray, Int64Array

RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Interval:
    """An estimate and its two-sided interval."""

    value: float
    low: float
    high: float


def percentile_bounds(samples: FloatArray, confidence: float = CONFIDENCE) -> tuple[FloatArray, FloatArray]:
    """Give the equal-tailed interval of bootstrap samples, (resamples, ...), along their first axis.

    The j-th smallest and j-th largest sample, j = floor((resamples + 1) (1 - confidence) / 2)
    (Davison & Hinkley 1997, section 5.3); always values that were drawn, never interpolated ones.
    """
    ordered = np.sort(samples, axis=0)
    # The small term undoes representation error: 0.05 / 2 * 2000 must not become 49.999...
    tail = max(1, math.floor((len(ordered) + 1) * (1 - confidence) / 2 + 1e-9))
    return ordered[tail - 1], ordered[len(ordered) - tail]


def grouped_means(
    counts: Int64Array, weights: FloatArray, rng: np.random.Generator, resamples: int
) -> FloatArray:
    """Draw bootstrap means of users in groups of equal outcomes: (resamples, metrics).

    `counts` (groups,) users in each group; `weights` (metrics, groups) the outcome of a user of
    that group in each metric. At least one user is needed.
    """
    users = int(counts.sum())
    drawn = rng.multinomial(users, counts / users, size=resamples)
    sums = np.zeros((resamples, len(weights)))
    # A loop instead of a matrix product: BLAS would add in an order that differs between machines.
    for group in np.flatnonzero(counts):
        sums += drawn[:, group, None] * weights[None, :, group]
    return sums / users


def grouped_intervals(
    counts: Int64Array,
    weights: FloatArray,
    rng: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> list[Interval]:
    """Give the mean of each metric over grouped users with its percentile bootstrap interval.

    Arrays as in `grouped_means`. The mean is correctly rounded (math.fsum).
    """
    users = int(counts.sum())
    low, high = percentile_bounds(grouped_means(counts, weights, rng, resamples), confidence)
    means = [math.fsum((counts * row).tolist()) / users for row in weights]
    return [
        Interval(value=value, low=float(bottom), high=float(top))
        for value, bottom, top in zip(means, low, high, strict=True)
    ]


def binned_interval(
    values: FloatArray,
    rng: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    bins: int = 32,
) -> Interval:
    """Give the mean of values that are all different, with its percentile bootstrap interval.

    The mean is exact. For the interval, the values (users,) are put in equal-width bins and each
    counts as the mean of its bin, which leaves the centre where it is and takes at most
    (range / bins)^2 / 12 from the variance.
    """
    low, high = float(values.min()), float(values.max())
    width = (high - low) / bins
    if width == 0.0:
        return Interval(value=low, low=low, high=low)
    rows = np.minimum(((values - low) / width).astype(np.int64), bins - 1)
    counts = np.bincount(rows, minlength=bins)
    # bincount adds one by one in user order, so the sums do not depend on the machine.
    sums = np.bincount(rows, weights=values, minlength=bins)
    means = sums / np.maximum(counts, 1)
    found = grouped_intervals(counts, means[None, :], rng, resamples=resamples, confidence=confidence)[0]
    return Interval(value=math.fsum(values.tolist()) / len(values), low=found.low, high=found.high)
