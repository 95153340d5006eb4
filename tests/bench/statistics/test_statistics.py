"""Verdicts: against scipy, against exact answers, and by simulation at their nominal levels."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, bootstrap

from bench.metrics.ranking import user_outcomes
from bench.schema import FloatArray
from bench.statistics import paired_tests
from bench.statistics.bootstrap import grouped_intervals
from bench.statistics.paired_tests import (
    bootstrap_means,
    detectable_difference,
    mean_intervals,
    paired_differences,
    standings,
)


def outcomes(rng: np.random.Generator, users: int, hit_rate: float, metric: str = "ndcg@5") -> FloatArray:
    """A model that finds each user's target with this chance, at a place from 1 to 5."""
    hit = rng.random(users) < hit_rate
    ranks = np.where(hit, rng.integers(1, 6, size=users), 0).astype(np.int32)
    ranks[0] = 5  # fixes the table's length
    return user_outcomes(ranks, metric)


def within_chance(successes: int, trials: int, rate: float) -> bool:
    """Whether a count could come from this rate: false for one in 10,000 correct simulations."""
    return bool(binom.ppf(5e-5, trials, rate) <= successes <= binom.ppf(1 - 5e-5, trials, rate))


class TestAgainstScipy:
    def test_intervals_of_means_and_differences(self) -> None:
        rng = np.random.default_rng(3)
        first, second = outcomes(rng, 500, 0.3), outcomes(rng, 500, 0.2)
        mean = mean_intervals([first, second], rng, resamples=20_000)[0]
        pair = paired_differences([first, second], [(0, 1)], rng, resamples=20_000)[0].difference
        for ours, values in ((mean, first), (pair, first - second)):
            theirs = bootstrap(
                (values,),
                np.mean,
                n_resamples=20_000,
                method="percentile",
                batch=1000,
                rng=np.random.default_rng(1),
            ).confidence_interval
            width = theirs.high - theirs.low
            assert ours.low == pytest.approx(theirs.low, abs=0.03 * width)
            assert ours.high == pytest.approx(theirs.high, abs=0.03 * width)
            assert ours.value == pytest.approx(values.mean())


class TestBootstrap:
    def test_spread_is_that_of_the_mean(self) -> None:
        rng = np.random.default_rng(0)
        model = outcomes(rng, 1000, 0.2)
        drawn = bootstrap_means([model], rng, 20_000)[:, 0]
        error = model.std() / np.sqrt(1000)
        assert drawn.mean() == pytest.approx(model.mean(), abs=4 * error / np.sqrt(20_000))
        assert drawn.std() == pytest.approx(error, rel=0.03)

    def test_models_share_the_resampled_users(self) -> None:
        rng = np.random.default_rng(0)
        model = outcomes(rng, 300, 0.3)
        drawn = bootstrap_means([model, model / 2, 0 * model], rng, 500)
        np.testing.assert_allclose(drawn[:, 1], drawn[:, 0] / 2, atol=1e-12)
        assert (drawn[:, 2] == 0).all()

    def test_both_ways_of_resampling_agree(self) -> None:
        rng = np.random.default_rng(0)
        ranks = np.where(rng.random(2000) < 0.2, rng.integers(1, 6, size=2000), 0).astype(np.int32)
        gains = user_outcomes(np.arange(6, dtype=np.int32), "mrr@5")
        grouped = grouped_intervals(np.bincount(ranks, minlength=6), gains[None, :], resamples=20_000)[0]
        drawn = mean_intervals([user_outcomes(ranks, "mrr@5")], rng, resamples=20_000)[0]
        width = drawn.high - drawn.low
        assert grouped.value == pytest.approx(drawn.value)
        assert grouped.low == pytest.approx(drawn.low, abs=0.03 * width)
        assert grouped.high == pytest.approx(drawn.high, abs=0.03 * width)

    def test_two_levels_by_hand(self) -> None:
        """Two seeds, all wrong and all right: a resample holds 0, 1 or 2 of the good one."""
        model = np.stack([np.zeros(50), np.ones(50)])
        drawn = bootstrap_means([model], np.random.default_rng(0), 20_000)[:, 0]
        shares = [np.mean(drawn == value) for value in (0.0, 0.5, 1.0)]
        assert sum(shares) == 1
        assert shares == pytest.approx([0.25, 0.5, 0.25], abs=0.015)

    def test_seeds_that_agree_add_nothing(self) -> None:
        rng = np.random.default_rng(0)
        model = outcomes(rng, 400, 0.3)
        one = mean_intervals([model], np.random.default_rng(1), resamples=4000)[0]
        same = mean_intervals([np.stack([model] * 3)], np.random.default_rng(1), resamples=4000)[0]
        assert (same.value, same.low, same.high) == pytest.approx((one.value, one.low, one.high))

    def test_seeds_that_differ_widen_the_interval(self) -> None:
        rng = np.random.default_rng(0)
        seeds = np.stack([outcomes(rng, 400, rate) for rate in (0.1, 0.3, 0.5)])
        two_level = mean_intervals([seeds], rng)[0]
        users_only = mean_intervals([seeds.mean(axis=0)], rng)[0]
        assert two_level.high - two_level.low > 2 * (users_only.high - users_only.low)

    def test_small_steps_draw_from_the_same_distribution(self, monkeypatch: pytest.MonkeyPatch) -> None:
        model = outcomes(np.random.default_rng(0), 300, 0.3)
        monkeypatch.setattr(paired_tests, "CELLS", 100)
        stepped = mean_intervals([model], np.random.default_rng(1), resamples=4000)[0]
        monkeypatch.undo()
        whole = mean_intervals([model], np.random.default_rng(2), resamples=4000)[0]
        assert stepped.low == pytest.approx(whole.low, abs=0.1 * (whole.high - whole.low))


class TestBySimulation:
    """Seeded, with bounds that a correct implementation passes 9,999 times in 10,000."""

    def test_coverage_of_intervals(self) -> None:
        rng = np.random.default_rng(10)
        gains = user_outcomes(np.arange(6, dtype=np.int32), "ndcg@5")
        truth = 0.3 * gains[1:].mean()
        drawn, grouped = 0, 0
        for trial in range(400):
            ranks = np.where(rng.random(600) < 0.3, rng.integers(1, 6, size=600), 0).astype(np.int32)
            interval = mean_intervals([gains[ranks]], rng, resamples=400)[0]
            drawn += interval.low <= truth <= interval.high
            counts = np.bincount(ranks, minlength=6)
            interval = grouped_intervals(counts, gains[None, :], seed=trial, resamples=400)[0]
            grouped += interval.low <= truth <= interval.high
        assert within_chance(drawn, 400, 0.95), drawn
        assert within_chance(grouped, 400, 0.95), grouped

    def test_coverage_of_paired_intervals(self) -> None:
        rng = np.random.default_rng(11)
        found = 0
        for _ in range(400):
            both = rng.random(600) < 0.2  # a part that the two models share
            first = (both | (rng.random(600) < 0.15)).astype(float)
            second = (both | (rng.random(600) < 0.10)).astype(float)
            interval = paired_differences([first, second], [(0, 1)], rng, resamples=400)[0].difference
            found += interval.low <= 0.8 * (0.15 - 0.10) <= interval.high
        assert within_chance(found, 400, 0.95), found

    def test_false_positives_at_the_nominal_level(self) -> None:
        rng = np.random.default_rng(12)
        rejected = 0
        for _ in range(600):
            models = [outcomes(rng, 300, 0.3), outcomes(rng, 300, 0.3)]
            rejected += paired_differences(models, [(0, 1)], rng, resamples=399)[0].p_value <= 0.05
        assert within_chance(rejected, 600, 0.05), rejected

    def test_family_wise_errors_of_five_equal_models(self) -> None:
        rng = np.random.default_rng(13)
        pairs = list(combinations(range(5), 2))
        families = 0
        for _ in range(150):
            models = [outcomes(rng, 300, 0.3) for _ in range(5)]
            found = paired_differences(models, pairs, rng, resamples=999)
            families += min(pair.adjusted_p for pair in found) < 0.05
        assert families <= binom.ppf(1 - 5e-5, 150, 0.05), families

    def test_detectable_difference_is_found_four_times_in_five(self) -> None:
        rng = np.random.default_rng(14)
        users, rate = 1000, 0.3
        steps = [
            detectable_difference(outcomes(rng, users, rate) - outcomes(rng, users, rate)) for _ in range(20)
        ]
        step = float(np.mean(steps)) / outcomes(rng, 100_000, 1.0).mean()  # from nDCG to hit rate
        found = 0
        for _ in range(300):
            models = [outcomes(rng, users, rate + step / 2), outcomes(rng, users, rate - step / 2)]
            found += paired_differences(models, [(0, 1)], rng, resamples=399)[0].p_value <= 0.05
        assert within_chance(found, 300, 0.8), found


class TestPairs:
    def test_users_won_lost_and_tied(self) -> None:
        first, second = np.array([1, 1, 0, 0.5, 0.0]), np.array([0, 1, 1, 0.4, 0.0])
        found = paired_differences([first, second], [(0, 1), (1, 0)], np.random.default_rng(0))
        assert [(pair.won, pair.lost, pair.tied) for pair in found] == [(2, 1, 2), (1, 2, 2)]
        assert found[0].difference.value == pytest.approx(0.02)
        assert found[0].p_value == found[1].p_value

    def test_equal_models_differ_in_nothing(self) -> None:
        model = outcomes(np.random.default_rng(0), 100, 0.3)
        found = paired_differences([model, model], [(0, 1)], np.random.default_rng(0))[0]
        assert (found.p_value, found.adjusted_p, found.tied) == (1.0, 1.0, 100)
        assert found.verdict("a", "b") == "identical for every user"
        assert (found.difference.low, found.difference.high, found.detectable) == (0.0, 0.0, 0.0)

    def test_no_resample_beyond_zero_is_one_draw_on_either_side(self) -> None:
        rng = np.random.default_rng(0)
        better, worse = np.ones((2, 50)), np.zeros((2, 50))
        assert paired_differences([better, worse], [(0, 1)], rng, resamples=399)[0].p_value == 2 / 400

    def test_p_values_of_single_seeds_are_those_of_the_sign_flips(self) -> None:
        """Six users won, 34 tied: 2 patterns of 2**6, which no share of 400 is; Holm doubles it."""
        better, worse = np.zeros(40), np.zeros(40)
        better[:6] = 1.0
        found = paired_differences([better, worse], [(0, 1), (1, 0)], np.random.default_rng(0), resamples=399)
        assert [pair.p_value for pair in found] == pytest.approx([2 / 64, 2 / 64])
        assert [pair.adjusted_p for pair in found] == pytest.approx([4 / 64, 4 / 64])

    @pytest.mark.parametrize("pair", [(0, 1), (1, 0)])
    def test_several_seeds_on_either_side_take_the_bootstrap(self, pair: tuple[int, int]) -> None:
        """All of five users won by both seeds: no resample reaches 0, where the sign flips give 2 / 32."""
        models = [np.ones((2, 5)), np.zeros(5)]
        found = paired_differences(models, [pair], np.random.default_rng(0), resamples=399)[0]
        assert found.p_value == 2 / 400

    def test_models_that_find_nothing(self) -> None:
        found = paired_differences([np.zeros(9), np.zeros(9)], [(0, 1)], np.random.default_rng(0))[0]
        assert found.p_value == 1.0
        assert found.verdict("a", "b") == "identical for every user"

    def test_the_same_generator_gives_the_same_numbers(self) -> None:
        models = [outcomes(np.random.default_rng(seed), 200, 0.3) for seed in range(3)]
        pairs = [(0, 1), (0, 2), (1, 2)]
        once, again = (paired_differences(models, pairs, np.random.default_rng(7)) for _ in range(2))
        assert once == again

    def test_a_lucky_seed_is_no_verdict(self) -> None:
        """Seeds that differ more than the models do: their mean's lead over users proves nothing."""
        rng = np.random.default_rng(2)
        swinging = np.stack([outcomes(rng, 2500, rate) for rate in (0.2, 0.3, 0.4)])
        steady = outcomes(rng, 2500, 0.26)
        over_seeds = paired_differences([swinging, steady], [(0, 1)], rng, resamples=4000)[0]
        over_users = paired_differences([swinging.mean(axis=0), steady], [(0, 1)], rng, resamples=4000)[0]
        assert over_users.p_value < 0.05 < over_seeds.p_value
        assert over_seeds.difference.low < 0 < over_seeds.difference.high


class TestStandings:
    def test_by_hand(self) -> None:
        """A chain: 0 and 2 differ, their neighbour 1 cannot be told from either; 3 is last for sure."""
        different = np.zeros((4, 4), dtype=bool)
        for first, second in ((0, 2), (0, 3), (1, 3), (2, 3)):
            different[first, second] = different[second, first] = True
        found = standings([0.4, 0.3, 0.2, 0.1], different)
        assert [(s.best_rank, s.worst_rank, s.groups) for s in found] == [
            (1, 2, (0,)),
            (1, 3, (0, 1)),
            (2, 3, (1,)),
            (4, 4, (2,)),
        ]

    def test_order_given_does_not_matter(self) -> None:
        different = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], dtype=bool)
        found = standings([0.2, 0.1, 0.3], different)
        assert [(s.best_rank, s.worst_rank, s.groups) for s in found] == [
            (1, 2, (0,)),
            (3, 3, (1,)),
            (1, 2, (0,)),
        ]

    @given(st.integers(1, 7), st.data())
    @settings(deadline=None)
    def test_groups_are_the_largest_sets_without_a_difference(self, models: int, data: st.DataObject) -> None:
        different = np.zeros((models, models), dtype=bool)
        for first, second in combinations(range(models), 2):
            different[first, second] = different[second, first] = data.draw(st.booleans())
        found = standings([float(-m) for m in range(models)], different)
        groups: dict[int, set[int]] = {}
        for model, standing in enumerate(found):
            for group in standing.groups:
                groups.setdefault(group, set()).add(model)
        alike = [
            set(members)
            for size in range(1, models + 1)
            for members in combinations(range(models), size)
            if not any(different[a, b] for a, b in combinations(members, 2))
        ]
        largest = [members for members in alike if not any(members < other for other in alike)]
        assert sorted(map(sorted, groups.values())) == sorted(map(sorted, largest))
        for model, standing in enumerate(found):
            assert standing.best_rank <= model + 1 <= standing.worst_rank

    def test_a_thousand_models_have_places_and_no_letters(self) -> None:
        """Each model differs from all but its fifty neighbours on either side."""
        place = np.arange(1000)
        found = standings([-float(p) for p in place], np.abs(place[:, None] - place) > 50)
        assert [(one.best_rank, one.worst_rank) for one in found[:2]] == [(1, 51), (1, 52)]
        assert (found[500].best_rank, found[500].worst_rank) == (451, 551)
        assert not any(one.groups for one in found)


def test_detectable_difference_by_hand() -> None:
    differences = np.array([1.0, -1.0] * 50)
    expected = (1.959964 + 0.841621) * np.sqrt(100 / 99) / 10
    assert detectable_difference(differences) == pytest.approx(expected, rel=1e-6)
    assert detectable_difference(differences, power=0.9) > detectable_difference(differences)
    assert detectable_difference(np.array([1.0])) == float("inf")
