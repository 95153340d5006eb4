"""Random counts and orders that come out the same under every version of NumPy.

A NumPy Generator may draw differently from one version to the next (NEP 19); the words of a bit
generator, and what a seed makes of it, may not. So everything that a record keeps and a check draws
again is made here, from the words of PCG64, by integer arithmetic.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.schema import Int64Array

METHOD = 2
"""Number of this way of drawing, kept in every record; 1 was NumPy's Generator."""

WORDS = 4_000_000
"""About how many words a step of resamples takes; as it decides their order, it is part of the method."""
UNITS = 20_000
"""So many undecided trials are decided one by one: by halves, it would take as many rounds again."""


def bit_generator(seed: int) -> np.random.BitGenerator:
    """Give the source of words of a seed."""
    return np.random.PCG64(seed)


def permutation(size: int, bits: np.random.BitGenerator) -> Int64Array:
    """Give the numbers 0..size - 1 in random order."""
    return np.argsort(bits.random_raw(size), kind="stable")


def multinomial(counts: Int64Array, bits: np.random.BitGenerator, resamples: int) -> Int64Array:
    """Draw as many users with replacement as there are and count those of each group, again and again.

    `counts` (groups,) users in each group, at least one in all; gives (resamples, groups).
    """
    users = int(counts.sum())
    drawn = np.empty((resamples, len(counts)), dtype=np.int64)
    step = max(1, WORDS // (users // 64 + 1))
    for start in range(0, resamples, step):
        part = drawn[start : start + step]
        part[:] = _multinomial(counts, users, bits, len(part))
    return drawn


def _multinomial(
    counts: Int64Array, users: int, bits: np.random.BitGenerator, resamples: int
) -> NDArray[np.int64]:
    """Divide the drawn users among halves of the groups, quarters, ..., a level of the tree at a time."""
    order = np.argsort(-counts, kind="stable")
    sums = np.concatenate([[0], np.cumsum(counts[order])])
    drawn = np.zeros((resamples, len(counts)), dtype=np.int64)
    spans = [(0, int(np.count_nonzero(counts)))]
    inside = np.full((resamples, 1), users, dtype=np.int64)
    while spans:
        single = [place for place, (start, end) in enumerate(spans) if end - start == 1]
        drawn[:, order[[spans[place][0] for place in single]]] = inside[:, single]
        divided = [place for place, (start, end) in enumerate(spans) if end - start > 1]
        spans, inside = [spans[place] for place in divided], inside[:, divided]
        if not spans:
            break
        middles = [_middle(sums, start, end) for start, end in spans]
        starts, ends = np.array(spans).T
        share, whole = sums[middles] - sums[starts], sums[ends] - sums[starts]
        left = _binomial(inside, share, whole, bits)
        inside = np.stack([left, inside - left], axis=2).reshape(resamples, -1)
        spans = [
            half
            for (start, end), middle in zip(spans, middles, strict=True)
            for half in ((start, middle), (middle, end))
        ]
    return drawn


def _middle(sums: Int64Array, start: int, end: int) -> int:
    """Where groups start..end - 1, the largest first, are divided into parts of about as many users."""
    middle = int(np.searchsorted(sums[start:end], (sums[start] + sums[end]) / 2)) + start
    return min(max(middle, start + 1), end - 1)


def _binomial(
    trials: Int64Array, share: Int64Array, whole: Int64Array, bits: np.random.BitGenerator
) -> Int64Array:
    """Count successes of `trials` (resamples, nodes), each with the chance share / whole of its node.

    Trial by trial, a random binary fraction is compared with that of share / whole, digit by digit:
    half of the trials are decided by the first digit, half of the others by the second.
    """
    successes = np.zeros_like(trials)
    rest, open_trials = share.copy(), trials
    while (undecided := int(open_trials.sum())) > UNITS:
        rest = 2 * rest
        one = rest >= whole
        rest = rest - whole * one
        zeros = _halves(open_trials, bits)
        successes += np.where(one, zeros, 0)
        open_trials = np.where(one, open_trials - zeros, zeros) * (rest > 0)
    owners = np.repeat(np.arange(trials.size), open_trials.ravel())
    fractions = (bits.random_raw(undecided) >> np.uint64(11)) * 2.0**-53
    below = owners[fractions < (rest / whole)[owners % len(whole)]]
    return successes + np.bincount(below, minlength=trials.size).reshape(trials.shape)


def _halves(trials: Int64Array, bits: np.random.BitGenerator) -> Int64Array:
    """Toss a coin for each trial: how many of `trials` fall on one side, in their shape."""
    heads = np.zeros(trials.size, dtype=np.int64)
    tossed = np.flatnonzero(trials)
    sizes = trials.ravel()[tossed]
    ends = np.cumsum((sizes + 63) >> 6)
    words = bits.random_raw(int(ends[-1]))
    unused = (-sizes & 63).astype(np.uint64)
    words[ends - 1] >>= unused
    starts = np.concatenate([[0], ends[:-1]])
    heads[tossed] = np.add.reduceat(np.bitwise_count(words), starts, dtype=np.int64)
    return heads.reshape(trials.shape)
