"""Is a difference real? Verdicts on models from what each of their users got.

A model is an array of outcomes, (users,) or (seeds, users): the metric of each user, in the same
order of users for every model. All functions are pure; randomness comes from the Generator given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from bench.schema import BoolArray, FloatArray
from bench.statistics.bootstrap import CONFIDENCE, Interval, grouped_means, percentile_bounds
from bench.statistics.significance import SAME, holm, paired_p_values

RESAMPLES = 10_000
ALPHA = 0.05
CELLS = 1_000_000
"""Largest scratch table, in cells, that a step works on at once."""
IDENTICAL = "identical for every user"
CANNOT_TELL = "cannot tell"
MOST_GROUPS = 100
"""Tie groups beyond which none is named: a thousand models have more of them than anyone can read."""
USERS_PER_GROUP = 16
"""A resample drawn by groups of equal users pays from about this many users a group (measured)."""


@dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """First model minus second model, user by user."""

    difference: Interval
    """Mean over users, with its bootstrap interval (not corrected for several comparisons)."""
    p_value: float
    adjusted_p: float
    """Holm-corrected over the family of comparisons that was asked for together."""
    won: int
    """Users for whom the first model did better."""
    lost: int
    tied: int
    detectable: float
    """Smallest difference that a test at 0.05 finds with power 0.8, see `detectable_difference`."""

    def undecided(self, alpha: float = ALPHA) -> bool:
        """Whether the users show no difference."""
        return self.won == self.lost == 0 or self.adjusted_p >= alpha

    def verdict(self, first: str, second: str, alpha: float = ALPHA) -> str:
        """Say in words what the users of two models, so named, show."""
        if self.undecided(alpha):
            return IDENTICAL if self.won == self.lost == 0 else CANNOT_TELL
        return f"{first if self.difference.value > 0 else second} is better"


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a model stands among others, as far as the data can tell."""

    best_rank: int
    """1 + the number of models that are significantly better."""
    worst_rank: int
    """Number of models - the number of those that are significantly worse."""
    groups: tuple[int, ...]
    """Tie groups it belongs to, numbered from 0, the group of the best model first."""


def mean_intervals(
    models: Sequence[FloatArray],
    rng: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> list[Interval]:
    """Give each model's mean with its percentile bootstrap interval; all models share the resamples."""
    drawn = bootstrap_means(models, rng, resamples)
    low, high = percentile_bounds(drawn, confidence)
    return [
        Interval(value=float(np.mean(model)), low=float(bottom), high=float(top))
        for model, bottom, top in zip(models, low, high, strict=True)
    ]


def paired_differences(
    models: Sequence[FloatArray],
    pairs: Sequence[tuple[int, int]],
    rng: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> list[PairedDifference]:
    """Compare pairs of models over the same users; p-values are Holm-corrected over all pairs.

    The test is that of `bench.statistics.significance`. Where a model of the pair has several seeds,
    swapping users would ignore how much seeds differ, so the p-value is the two-level bootstrap's share of
    resamples on the other side of 0, doubled; the observed data count as one draw, so that it is not 0
    (Phipson & Smyth 2010).
    """
    by_user = np.stack([np.atleast_2d(model).mean(axis=0) for model in models])
    drawn = bootstrap_means(models, rng, resamples)
    p_values = paired_p_values(by_user, pairs)
    samples = [drawn[:, first] - drawn[:, second] for first, second in pairs]
    for row, (first, second) in enumerate(pairs):
        if models[first].ndim > 1 or models[second].ndim > 1:
            p_values[row] = _share_beyond_zero(samples[row])
    adjusted = holm(p_values)
    found = []
    for row, (first, second) in enumerate(pairs):
        differences = by_user[first] - by_user[second]
        low, high = percentile_bounds(samples[row], confidence)
        won, lost = int((differences > SAME).sum()), int((differences < -SAME).sum())
        found.append(
            PairedDifference(
                difference=Interval(value=float(differences.mean()), low=float(low), high=float(high)),
                p_value=p_values[row],
                adjusted_p=float(adjusted[row]),
                won=won,
                lost=lost,
                tied=len(differences) - won - lost,
                detectable=detectable_difference(differences),
            )
        )
    return found


def bootstrap_means(models: Sequence[FloatArray], rng: np.random.Generator, resamples: int) -> FloatArray:
    """Draw bootstrap means, (resamples, models), every model over the same resampled users.

    A model of several seeds is resampled on two levels: users as for all models, and, in each
    resample, as many of its seeds with replacement (the pigeonhole bootstrap, Owen 2007). With few
    seeds that understates their spread, by a factor of (seeds - 1) / seeds in the variance.
    """
    rows = np.concatenate([np.atleast_2d(model) for model in models])
    drawn = _resampled_means(rows, rng, resamples)
    means = np.empty((resamples, len(models)))
    start = 0
    for column, model in enumerate(models):
        seeds = len(np.atleast_2d(model))
        chosen = start + rng.integers(seeds, size=(resamples, seeds))
        means[:, column] = np.take_along_axis(drawn, chosen, axis=1).mean(axis=1)
        start += seeds
    return means


def standings(means: Sequence[float], different: BoolArray) -> list[Standing]:
    """Give rank intervals and tie groups from the means and which pairs differ significantly.

    `different` (models, models) is symmetric. A tie group is a largest possible set of models no two
    of which differ; a model can be in several (the "compact letter display" of Piepho 2004). Of more than
    MOST_GROUPS none is given.
    """
    order = sorted(range(len(means)), key=lambda model: (-means[model], model))
    place = {model: position for position, model in enumerate(order)}
    groups = sorted(_undivided_groups(different), key=lambda group: sorted(place[model] for model in group))
    value = np.asarray(means)
    best = 1 + (different & (value > value[:, None])).sum(axis=1)
    worst = len(means) - (different & (value < value[:, None])).sum(axis=1)
    return [
        Standing(
            best_rank=int(best[model]),
            worst_rank=int(worst[model]),
            groups=tuple(number for number, group in enumerate(groups) if model in group),
        )
        for model in range(len(means))
    ]


def detectable_difference(differences: FloatArray, *, power: float = 0.8, alpha: float = ALPHA) -> float:
    """Smallest true mean difference that a two-sided paired test would find with this power.

    (z[1 - alpha / 2] + z[power]) s / sqrt(n), s the standard deviation of the users' differences
    (Sakai 2016 for IR; Cohen 1988): what this many users can tell apart.
    """
    if len(differences) < 2:
        return float("inf")
    normal = NormalDist()
    factor = normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(power)
    return factor * float(differences.std(ddof=1)) / float(np.sqrt(len(differences)))


def _resampled_means(rows: FloatArray, rng: np.random.Generator, resamples: int) -> FloatArray:
    """Draw bootstrap means of each row of outcomes (rows, users): (resamples, rows).

    Where many users share their outcomes, as on a metric of one pair of models, one multinomial draw
    makes a resample. Else, users whom every row missed add nothing, so only the draws that land on the
    others are made.
    """
    users = rows.shape[1]
    values = np.ascontiguousarray(rows[:, rows.any(axis=0)].T)
    if not len(values):
        return np.zeros((resamples, len(rows)))
    groups, counts = np.unique(values, axis=0, return_counts=True)
    if USERS_PER_GROUP * len(groups) <= len(values):
        missed = np.zeros((len(rows), 1))
        weights = np.hstack([missed, groups.T])
        return grouped_means(np.array([users - len(values), *counts]), weights, rng.bit_generator, resamples)
    return _means_of_single_draws(values, users, rng, resamples)


def _means_of_single_draws(
    values: FloatArray, users: int, rng: np.random.Generator, resamples: int
) -> FloatArray:
    """Draw bootstrap means of all `users`, of whom some got values (some users, rows) and the rest 0."""
    from scipy.sparse import csr_array

    means = np.zeros((resamples, values.shape[1]))
    landed = rng.binomial(users, len(values) / users, size=resamples)
    for part in _chunks(resamples, len(values)):
        starts = np.concatenate([[0], np.cumsum(landed[part])])
        picked = rng.integers(len(values), size=starts[-1], dtype=np.int32)
        # Each row holds a resample's users, some more than once: the product adds their outcomes up.
        resampled = csr_array((np.ones(len(picked)), picked, starts), shape=(len(starts) - 1, len(values)))
        means[part] = (resampled @ values) / users
    return means


def _share_beyond_zero(samples: FloatArray) -> float:
    smaller = min(int((samples <= 0).sum()), int((samples >= 0).sum()))
    return min(1.0, 2 * (1 + smaller) / (len(samples) + 1))


def _undivided_groups(different: BoolArray) -> list[frozenset[int]]:
    """Find the largest sets of models without a significant pair; none where there are over MOST_GROUPS.

    They are the maximal cliques of the graph of pairs that do not differ (Bron & Kerbosch 1973, with the
    pivot of Tomita et al. 2006); sets of models are the bits of whole numbers.
    """
    alike = [
        int.from_bytes(np.packbits(row, bitorder="little").tobytes(), "little") & ~(1 << model)
        for model, row in enumerate(~different)
    ]
    found: list[int] = []
    open_sets = [(0, (1 << len(alike)) - 1, 0)]  # in the set; may join it; would join, but were tried
    while open_sets:
        inside, candidates, tried = open_sets.pop()
        if not candidates and not tried:
            found.append(inside)
            if len(found) > MOST_GROUPS:
                return []
        if not candidates:
            continue
        pivot = max(_bits(candidates | tried), key=lambda model: (alike[model] & candidates).bit_count())
        for model in _bits(candidates & ~alike[pivot]):
            open_sets.append((inside | 1 << model, candidates & alike[model], tried & alike[model]))
            candidates &= ~(1 << model)
            tried |= 1 << model
    return [frozenset(_bits(group)) for group in found if group]


def _bits(number: int) -> list[int]:
    """Give the places of the bits that are set."""
    return [place for place, bit in enumerate(reversed(f"{number:b}")) if bit == "1"]


def _chunks(resamples: int, cells_per_resample: int) -> Iterator[slice]:
    step = max(1, CELLS // max(1, cells_per_resample))
    for start in range(0, resamples, step):
        yield slice(start, min(start + step, resamples))
