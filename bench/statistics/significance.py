"""The one test of whether two models differ, from what each of their users got.

Under the null hypothesis each user's two outcomes may be swapped (Fisher 1935; Smucker, Allan &
Carterette 2007), so the sign of every difference is a coin. Where few users differ, all patterns of
signs are counted; where many do, their sum is normal and a z-test has the same answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import sha256

import numpy as np

from bench.schema import BoolArray, FloatArray, Int64Array

EXACT_BELOW = 200
"""Differing users from which the normal approximation is used."""
SAME = 1e-9
"""Outcomes, or sums of them, closer than this are one value that was added up in another order."""
_STEPS = 16_384
"""Steps that the differences of a pair are rounded to, in sum; equal differences stay equal."""


def paired_p_values(outcomes: FloatArray, pairs: Sequence[tuple[int, int]]) -> list[float]:
    """Give the two-sided p-value of equal means for pairs of rows of (models, users); never 0.

    Rows that are the same for every user have p = 1.
    """
    if not pairs:
        return []
    first, second = np.array(pairs, dtype=np.intp).T
    found: list[float] = _p_values(outcomes, first, second).tolist()
    return found


def _p_values(
    outcomes: FloatArray, first: Int64Array, second: Int64Array, alpha: float | None = None
) -> FloatArray:
    """Give the p-value of each pair of rows: (pairs,).

    With `alpha`, pairs that Holm's correction at this level is known not to accept have p = 1: to count the
    patterns of signs of each pair of weak rows of a large board would take minutes.
    """
    sums, squares = _differences(outcomes)
    z = np.abs(sums[first] - sums[second]) / np.sqrt(np.maximum(squares[first, second], 1e-300))
    # erfc of the standard library: importing scipy for this would cost more than the whole test
    p_values = np.fromiter(map(math.erfc, (z / math.sqrt(2)).tolist()), np.float64, len(z))
    p_values = np.maximum(p_values, 2.0 ** (1 - EXACT_BELOW))
    close = _may_be_few(outcomes, squares)[first, second]
    same = _same_rows(outcomes)
    limit = 1.0
    if alpha is not None:  # whatever is accepted has a p-value of at most alpha / (pairs - accepted ones)
        accepted = np.count_nonzero(close | (p_values < alpha))
        limit = alpha / max(len(p_values) - int(accepted), 1)
    for pair in np.flatnonzero(close).tolist():
        one, other = first[pair], second[pair]
        if same[one] == same[other]:
            p_values[pair] = 1.0
            continue
        differences = outcomes[one] - outcomes[other]
        differing = np.abs(differences) > SAME
        if np.count_nonzero(differing) < EXACT_BELOW:
            found = differences[differing]
            beyond = alpha is not None and least_p_value(found) > limit
            p_values[pair] = 1.0 if beyond else sign_flip_p_value(found)
    return p_values


def sign_flip_p_value(differences: FloatArray) -> float:
    """Share of all patterns of signs whose sum is at least as far from 0 as that of the differences.

    `differences` (users,), none of them 0. They are counted in steps, so that sums can be; sums that the
    rounding to steps leaves undecided count as equal. For equal differences this is the sign test.
    """
    sizes = np.abs(differences)
    if not len(sizes):
        return 1.0
    steps = np.maximum(1, np.rint(sizes / (sizes.sum() / _STEPS))).astype(np.int64)
    total = int(steps.sum())
    ways = np.zeros(total + 1)  # ways[s]: share of patterns whose positive steps add up to s
    ways[0], top = 1.0, 0
    for step in np.sort(steps).tolist():
        moved = ways[: top + 1] / 2
        ways[: top + 1] = moved
        ways[step : top + step + 1] += moved
        top += step
    positive = int(steps[differences > 0].sum())
    undecided = math.ceil(math.sqrt(len(steps)) / 2)
    least = max(0, max(positive, total - positive) - undecided)
    return min(1.0, 2 * float(ways[least:].sum()))


def least_p_value(differences: FloatArray) -> float:
    """Bound `sign_flip_p_value` from below, at no cost: 2^-j, where the j largest differences reach the sum.

    The sum is as far from 0 whenever those j have one sign, one chance in 2^(j - 1), and the others, whose
    sum is symmetric, do not oppose it, one chance in 2 at least.
    """
    reached = np.cumsum(np.sort(np.abs(differences))[::-1])
    needed = int(np.searchsorted(reached, abs(differences.sum()) - SAME)) + 1
    return 2.0**-needed


def holm(p_values: Sequence[float] | FloatArray) -> FloatArray:
    """Correct p-values for being several (Holm 1979): controls the family-wise error rate."""
    given = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(given, kind="stable")
    steps = given[order] * np.arange(len(given), 0, -1)
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def significant_pairs(outcomes: FloatArray, alpha: float) -> BoolArray:
    """Tell which pairs of models, rows of (models, users), differ: symmetric (models, models)."""
    first, second = np.triu_indices(len(outcomes), 1)
    different = np.zeros((len(outcomes), len(outcomes)), dtype=np.bool_)
    different[first, second] = holm(_p_values(outcomes, first, second, alpha)) < alpha
    return different | different.T


def _may_be_few(outcomes: FloatArray, squares: FloatArray) -> BoolArray:
    """Tell which pairs of rows may have fewer than EXACT_BELOW differing users: (models, models).

    n users who differ by at most `span` have a sum of squares of at most n span^2, and those differ whom
    one row served and the other did not.
    """
    span = outcomes.max(initial=0.0) - outcomes.min(initial=0.0)
    served = (np.abs(outcomes) > SAME).astype(np.float32)  # whole numbers below 2^24 are exact
    counts = served.sum(axis=1)
    one_sided = counts[:, None] + counts[None, :] - 2 * (served @ served.T)
    few: BoolArray = (squares <= EXACT_BELOW * span**2 + 1e-6) & (one_sided < EXACT_BELOW)
    return few


def _same_rows(outcomes: FloatArray) -> Int64Array:
    """Number the rows of (models, users) so that equal ones share a number: boards hold many copies."""
    numbers: dict[bytes, int] = {}
    digests = (sha256(row.tobytes()).digest() for row in outcomes)
    return np.array([numbers.setdefault(digest, len(numbers)) for digest in digests], dtype=np.int64)


def _differences(outcomes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Give the sum of each row of (models, users), and each pair's sum of squared differences.

    z = sum of d / sqrt(sum of d^2), d the n users' differences: their variance under the null
    hypothesis, in which the mean is 0. The sums of squares of all pairs come from one matrix product.
    """
    products = outcomes @ outcomes.T
    squares = np.diag(products)
    return outcomes.sum(axis=1), np.maximum(squares[:, None] + squares[None, :] - 2 * products, 0.0)
