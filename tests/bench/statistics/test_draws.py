"""Draws that no version of NumPy may change: pinned, and against the exact distributions."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from scipy.stats import chi2, multinomial

from bench.metrics.ranking import evaluate
from bench.schema import Split
from bench.statistics import draws
from bench.statistics.bootstrap import grouped_intervals
from bench.statistics.draws import bit_generator


def test_the_draws_are_pinned() -> None:
    """A change of these numbers changes the interval of every record: it is a new METHOD."""
    drawn = draws.multinomial(np.array([90, 0, 7, 3]), bit_generator(0), 3)
    assert drawn.tolist() == [[84, 0, 10, 6], [86, 0, 11, 3], [88, 0, 8, 4]]
    assert draws.permutation(6, bit_generator(0)).tolist() == [3, 2, 1, 0, 4, 5]


@pytest.mark.parametrize(
    ("counts", "words", "pinned"),
    [
        (
            [7 * group % 31 * 40 + group for group in range(33)],
            draws.WORDS,
            "3aa91f249da63344",
        ),
        ([7 * group % 31 * 40 + group for group in range(33)], 608, "6a96a55ebca9b10c"),
        ([750] * 32, draws.WORDS, "6ee6e3a215ae495c"),
    ],
    ids=["many groups", "two resamples a step", "halves, exactly"],
)
def test_draws_of_far_more_trials_than_are_decided_one_by_one_are_pinned(
    counts: list[int], words: int, pinned: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draws, "WORDS", words)
    drawn = draws.multinomial(np.array(counts), bit_generator(3), 25)
    assert drawn.dtype == np.int64
    assert hashlib.sha256(drawn.astype("<i8").tobytes()).hexdigest()[:16] == pinned


def test_intervals_are_drawn_from_seed_0_unless_told_otherwise() -> None:
    counts, weights = np.array([70, 20, 10]), np.array([[0.0, 1.0, 0.5]])
    assert grouped_intervals(counts, weights) == grouped_intervals(counts, weights, seed=0)
    assert grouped_intervals(counts, weights) != grouped_intervals(counts, weights, seed=1)


def test_small_counts_have_the_exact_distribution() -> None:
    counts = np.array([2, 0, 1, 1])
    drawn = draws.multinomial(counts, bit_generator(1), 40_000)
    found, times = np.unique(drawn, axis=0, return_counts=True)
    expected = 40_000 * multinomial(4, counts / 4).pmf(found)
    assert expected.sum() == pytest.approx(40_000), "no outcome is missing"
    assert chi2.sf(((times - expected) ** 2 / expected).sum(), len(found) - 1) > 1e-4


@pytest.mark.parametrize("counts", [[21_000, 800, 300, 150, 90, 23], [600] * 40, [1, 5000]])
def test_large_counts_have_the_right_moments(counts: list[int]) -> None:
    groups = np.array(counts)
    users = int(groups.sum())
    drawn = draws.multinomial(groups, bit_generator(2), 3000)
    assert (drawn.sum(axis=1) == users).all() and (drawn >= 0).all()
    chance = groups / users
    error = np.sqrt(users * chance * (1 - chance))
    assert (np.abs(drawn.mean(axis=0) - users * chance) < 4.5 * error / np.sqrt(3000)).all()
    # the covariances too: the draws that one group lacks are spread over the others by their shares
    covariance = users * (np.diag(chance) - np.outer(chance, chance))
    ratio = (np.cov(drawn.T) - covariance) / np.outer(error, error)
    assert np.abs(ratio).max() < 0.12


def test_a_lone_group_gets_every_draw() -> None:
    assert draws.multinomial(np.array([0, 5, 0]), bit_generator(0), 2).tolist() == [[0, 5, 0], [0, 5, 0]]


def test_orders_are_uniform() -> None:
    bits = bit_generator(5)
    firsts = np.array([draws.permutation(5, bits) for _ in range(5000)])
    assert (np.sort(firsts, axis=1) == np.arange(5)).all()
    for column in firsts.T:
        times = np.bincount(column, minlength=5)
        assert chi2.sf(((times - 1000) ** 2 / 1000).sum(), 4) > 1e-4


def test_scoring_asks_nothing_of_numpys_generator(
    sample_split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its stream may change with any release (NEP 19), and every record's intervals with it."""
    rankings = np.argsort(np.arange(1000)[:, None] * 7 % 400 + np.arange(400)[None, :] * 13 % 400, axis=1)
    expected = evaluate(sample_split, rankings[:, :50].astype(np.int32))

    def refuse(*_: object, **__: object) -> np.random.Generator:
        raise AssertionError("a Generator was asked for")

    monkeypatch.setattr(np.random, "default_rng", refuse)
    monkeypatch.setattr(np.random, "Generator", refuse)
    assert evaluate(sample_split, rankings[:, :50].astype(np.int32)) == expected
    assert expected.draws == draws.METHOD
