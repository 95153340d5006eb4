"""Percentile bootstrap of a mean over users, exact and cheap where outcomes take few values.

Drawing n users with replacement and counting how many fall in each group of equal outcomes is one
multinomial draw, so a resample costs little more than a draw a group. Every sum is over integer
counts in a fixed order and draws are those of `bench.statistics.draws`: the same seed gives the same numbers,
bit for bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from bench.schema import FloatArray, Int64Array
from bench.statistics.draws import bit_generator, multinomial

RESAMPLES = 2000
CONFIDENCE = 0.95
EXTREMES, BINS = 4, 32
"""Of values that are all different: so many at each end stand alone, the others share so many bins."""


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
    counts: Int64Array, weights: FloatArray, bits: np.random.BitGenerator, resamples: int
) -> FloatArray:
    """Draw bootstrap means of users in groups of equal outcomes: (resamples, metrics).

    `counts` (groups,) users in each group; `weights` (metrics, groups) the outcome of a user of
    that group in each metric. At least one user is needed.
    """
    return _weighted(multinomial(counts, bits, resamples), counts, weights)


def grouped_intervals(
    counts: Int64Array,
    weights: FloatArray,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> list[Interval]:
    """Give the mean of each metric over grouped users with its percentile bootstrap interval.

    Arrays as in `grouped_means`. The mean is correctly rounded (math.fsum).
    """
    users = int(counts.sum())
    drawn = grouped_means(counts, weights, bit_generator(seed), resamples)
    low, high = percentile_bounds(drawn, confidence)
    means = [math.fsum((counts * row).tolist()) / users for row in weights]
    return [
        Interval(value=value, low=float(bottom), high=float(top))
        for value, bottom, top in zip(means, low, high, strict=True)
    ]


def mean_interval(
    values: FloatArray, *, seed: int = 0, resamples: int = RESAMPLES, confidence: float = CONFIDENCE
) -> Interval:
    """Give the mean of values, (users,), at least one, with its percentile bootstrap interval.

    The mean is exact, and so is the bootstrap where there are few different values. Where there are
    many, they are sorted into bins of as many users each (the largest and smallest are bins of their
    own), each counts as the mean of its bin, and the draws are stretched so that they vary as much as
    draws of the values themselves: by sqrt(variance of values / variance of bins).
    """
    value = math.fsum(values.tolist()) / len(values)
    found, counts = np.unique(values, return_counts=True)
    if len(found) <= 2 * EXTREMES + BINS:
        options = {"resamples": resamples, "confidence": confidence}
        interval = grouped_intervals(counts, found[None, :], seed=seed, **options)[0]  # type: ignore[arg-type]
        return Interval(value=value, low=min(interval.low, value), high=max(interval.high, value))
    sizes = _bin_sizes(len(values))
    rows = np.repeat(np.arange(len(sizes)), sizes)
    # bincount adds one by one in the order of the values, so the sums do not depend on the machine
    means = np.bincount(rows, weights=np.sort(values)) / sizes
    spread = ((values - value) ** 2).sum() / (sizes * (means - value) ** 2).sum()
    drawn = _weighted(_binned_draws(len(values), seed, resamples), sizes, means[None, :])[:, 0]
    bounds = percentile_bounds(value + (drawn - value) * math.sqrt(spread), confidence)
    low, high = (float(np.clip(bound, found[0], found[-1])) for bound in bounds)
    return Interval(value=value, low=min(low, value), high=max(high, value))


def _weighted(drawn: Int64Array, counts: Int64Array, weights: FloatArray) -> FloatArray:
    sums: FloatArray = np.zeros((len(drawn), len(weights)))
    # A loop instead of a matrix product: BLAS would add in an order that differs between machines.
    for group in np.flatnonzero(counts):
        sums += drawn[:, group, None] * weights[None, :, group]
    return sums / int(counts.sum())


def _bin_sizes(users: int) -> Int64Array:
    """Give the number of users in each bin, smallest values first."""
    edges = np.arange(BINS + 1) * (users - 2 * EXTREMES) // BINS
    alone = np.ones(EXTREMES, dtype=np.int64)
    return np.concatenate([alone, np.diff(edges), alone])


@lru_cache(maxsize=8)
def _binned_draws(users: int, seed: int, resamples: int) -> Int64Array:
    """Draw the counts of the bins, which are the same for every metric of as many users."""
    drawn = multinomial(_bin_sizes(users), bit_generator(seed), resamples)
    drawn.flags.writeable = False
    return drawn
