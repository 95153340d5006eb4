"""The paired test: against all patterns of signs, against scipy, and at its nominal level."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, norm, permutation_test

from bench.metrics.ranking import user_outcomes
from bench.schema import FloatArray
from bench.statistics.significance import (
    EXACT_BELOW,
    holm,
    least_p_value,
    paired_p_values,
    sign_flip_p_value,
    significant_pairs,
)


def outcomes(rng: np.random.Generator, users: int, hit_rate: float, metric: str = "ndcg@5") -> FloatArray:
    hit = rng.random(users) < hit_rate
    return user_outcomes(np.where(hit, rng.integers(1, 6, size=users), 0).astype(np.int32), metric)


def p_value(first: FloatArray, second: FloatArray) -> float:
    return paired_p_values(np.stack([first, second]), [(0, 1)])[0]


def all_patterns(differences: FloatArray) -> float:
    users = len(differences)
    signs = 1 - 2 * ((np.arange(2**users)[:, None] >> np.arange(users)) & 1)
    return float(np.mean(np.abs(signs @ differences) >= abs(differences.sum()) - 1e-9))


@pytest.mark.parametrize(("won", "lost", "expected"), [(6, 0, 2 / 64), (0, 6, 2 / 64), (5, 1, 14 / 64)])
def test_a_few_users_by_hand(won: int, lost: int, expected: float) -> None:
    first, second = np.zeros(1000), np.zeros(1000)
    first[:won], second[won : won + lost] = 1.0, 1.0
    assert p_value(first, second) == pytest.approx(expected)


@given(st.integers(0, 60), st.integers(0, 60))
def test_equal_differences_are_the_sign_test(won: int, lost: int) -> None:
    first, second = np.zeros(200), np.zeros(200)
    first[:won], second[won : won + lost] = 0.3, 0.3
    expected = binomtest(won, won + lost).pvalue if won + lost else 1.0
    assert p_value(first, second) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("metric", ["recall@5", "ndcg@5", "mrr@5"])
@pytest.mark.parametrize("seed", range(5))
def test_unequal_differences_are_counted_exactly(metric: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = outcomes(rng, 14, 0.6, metric), outcomes(rng, 14, 0.4, metric)
    assert p_value(first, second) == pytest.approx(all_patterns(first - second), abs=2e-3)


def test_many_users_agree_with_scipy() -> None:
    rng = np.random.default_rng(0)
    first, second = outcomes(rng, 900, 0.35), outcomes(rng, 900, 0.31)
    theirs = permutation_test(
        (first, second),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=20_000,
        batch=1000,
        rng=np.random.default_rng(1),
    )
    assert 0.01 < theirs.pvalue < 0.5, "a test at an end of the range would agree by chance"
    assert p_value(first, second) == pytest.approx(theirs.pvalue, abs=0.015)


@pytest.mark.parametrize("lead", [0, 12, 25, 40])
def test_both_ways_agree_where_they_meet(lead: int) -> None:
    """With one user more the other way is taken; the answer hardly moves, in standard deviations."""
    sizes = np.random.default_rng(3).random(EXACT_BELOW) + 0.2
    signs = np.where(np.arange(EXACT_BELOW) % 2, 1.0, -1.0)
    signs[:lead] = 1.0
    exact = sign_flip_p_value((signs * sizes)[:-1])
    normal = p_value(np.append(signs * sizes, 0), np.zeros(EXACT_BELOW + 1))
    assert norm.isf(normal / 2) == pytest.approx(norm.isf(exact / 2), abs=0.12)


@given(st.integers(1, 12), st.integers(0, 2**31))
@settings(deadline=None)
def test_properties(users: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = outcomes(rng, users, 0.5), outcomes(rng, users, 0.5)
    found = p_value(first, second)
    assert 0 < found <= 1
    assert found == p_value(second, first)
    order = rng.permutation(users)
    assert found == pytest.approx(p_value(first[order], second[order]))


def test_no_p_value_is_zero() -> None:
    assert 0 < p_value(np.ones(5000), np.zeros(5000)) < 1e-9
    assert p_value(np.ones(50), np.zeros(50)) == pytest.approx(2.0**-49)


@pytest.mark.parametrize("metric", ["recall@5", "ndcg@5"])
def test_many_rows_at_once_give_what_each_pair_gives(metric: str) -> None:
    """Copies, near copies below and above EXACT_BELOW differing users, weak rows, and unlike ones."""
    rng = np.random.default_rng(5)
    rows = [outcomes(rng, 3000, rate, metric) for rate in (0.0, 0.01, 0.2, 0.2, 0.4)]
    for changed in (0, 40, 150, 250, 900):
        near = rows[4].copy()
        near[:changed] = outcomes(rng, changed, 0.3, metric)
        rows.append(near)
    together = np.stack(rows)
    pairs = [(a, b) for a in range(len(rows)) for b in range(a)]
    found = paired_p_values(together, pairs)
    for (a, b), one in zip(pairs, found, strict=True):
        differing = rows[a] - rows[b]
        differing = differing[np.abs(differing) > 1e-9]
        z = abs(differing.sum()) / np.sqrt((differing**2).sum()) if len(differing) else 0.0
        many = len(differing) >= EXACT_BELOW
        assert one == pytest.approx(2 * norm.sf(z) if many else sign_flip_p_value(differing), rel=1e-6)
    different = significant_pairs(together, 0.05)
    expected = holm(found) < 0.05
    assert [bool(different[pair]) for pair in pairs] == expected.tolist() and different.any()
    assert not different[4, 5] and 0 < expected.sum() < len(pairs)


@pytest.mark.parametrize("seed", range(40))
def test_the_bound_is_below_the_p_value(seed: int) -> None:
    rng = np.random.default_rng(seed)
    differences = rng.choice([-1.0, -0.63, -0.5, 0.13, 0.5, 1.0], size=rng.integers(1, 40))
    assert 0 < least_p_value(differences) <= sign_flip_p_value(differences) * (1 + 1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_weak_rows_that_are_not_counted_change_no_verdict(seed: int) -> None:
    """Thirty rows of a few hits each, some far ahead: Holm over all counted p-values says the same."""
    rng = np.random.default_rng(seed)
    rows = np.stack([outcomes(rng, 800, rate) for rate in [*rng.random(24) * 0.04, *rng.random(6) * 0.2]])
    pairs = [(a, b) for a in range(len(rows)) for b in range(a)]
    expected = holm(paired_p_values(rows, pairs)) < 0.05
    different = significant_pairs(rows, 0.05)
    assert [bool(different[pair]) for pair in pairs] == expected.tolist()
    assert 0 < expected.sum() < len(pairs)


def test_false_positives_at_the_nominal_level() -> None:
    """Few users differ, as on the embedded shop: a test that leans on the normal is too eager here."""
    rng = np.random.default_rng(12)
    trials = 1500
    rejected = sum(p_value(outcomes(rng, 300, 0.03), outcomes(rng, 300, 0.03)) <= 0.05 for _ in range(trials))
    assert rejected / trials < 0.05 + 3 * np.sqrt(0.05 * 0.95 / trials)


def test_equal_models_on_a_board_raise_no_false_alarm() -> None:
    """Six equal models, 400 boards: a board with any significant pair is a false alarm."""
    rng = np.random.default_rng(2)
    alarms = sum(
        significant_pairs((rng.random((6, 1500)) < 0.2).astype(float), 0.05).any() for _ in range(400)
    )
    assert alarms / 400 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


class TestHolm:
    def test_by_hand(self) -> None:
        assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
        assert holm([0.6, 0.7]).tolist() == [1.0, 1.0]
        assert holm([]).tolist() == []

    @given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
    @settings(deadline=None)
    def test_properties(self, p_values: list[float]) -> None:
        given_p, adjusted = np.array(p_values), holm(p_values)
        assert (adjusted >= given_p).all()
        assert (adjusted <= np.minimum(1, len(given_p) * given_p) + 1e-12).all(), "never above Bonferroni"
        order = np.argsort(given_p, kind="stable")
        assert (np.diff(adjusted[order]) >= 0).all()
        for level in (0.01, 0.05, 0.5):
            assert set(np.flatnonzero(adjusted < level)) == _holm_step_down(given_p, level)


def _holm_step_down(p_values: Any, level: float) -> set[int]:
    """The procedure as Holm states it: go up from the smallest until one is not rejected."""
    rejected: set[int] = set()
    for step, row in enumerate(np.argsort(p_values, kind="stable")):
        if p_values[row] * (len(p_values) - step) >= level:
            break
        rejected.add(int(row))
    return rejected
