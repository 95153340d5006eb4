"""Scoring ranked lists: by hand, against brute force, against ranx and trec_eval, and bit for bit again."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import brute_force_metrics as brute
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ranx_oracle import ranx_scores
from scipy.stats import bootstrap

from bench.errors import ConfigError, RankingError
from bench.metrics import diversity, ranking
from bench.metrics.ranking import (
    CUTOFFS,
    check_rankings,
    evaluate,
    mean_quality,
    parse_metric,
    quality_metrics,
    ranks_in_view,
    remove_seen,
    target_ranks,
    user_outcomes,
    view_of,
)
from bench.metrics.slices import training_popularity, user_groups
from bench.record import VIEWS
from bench.schema import NO_ITEM, Catalogue, Examples, Histories, Rankings, Split
from bench.statistics.bootstrap import grouped_intervals, mean_interval, percentile_bounds


def lists(*rows: list[int], depth: int = 4) -> Rankings:
    return np.array([row + [NO_ITEM] * (depth - len(row)) for row in rows], dtype=np.int32)


# Targets 3, 4, 2, 6, 4, 7: found at 1, at 3 (2 with the seen item 0 gone), -, at 2, - (empty list), at 4.
TOY_LISTS = lists([3, 0, 1], [0, 5, 4], [0, 1, 3, 4], [7, 6], [], [0, 1, 2, 7])


class TestByHand:
    def test_ranks_in_both_views(self, toy_split: Split) -> None:
        targets, histories = toy_split.test.targets, toy_split.test.histories
        assert target_ranks(TOY_LISTS, targets).tolist() == [1, 3, 0, 2, 0, 4]
        assert target_ranks(remove_seen(TOY_LISTS, histories), targets).tolist() == [1, 2, 0, 2, 0, 4]

    def test_removal_only_drops_and_closes_gaps(self, toy_split: Split) -> None:
        removed = remove_seen(TOY_LISTS, toy_split.test.histories)
        assert removed.tolist() == lists([3], [5, 4], [3, 4], [7, 6], [], [0, 1, 2, 7]).tolist()
        assert removed.dtype == np.int32

    def test_values(self, toy_split: Split) -> None:
        kept = evaluate(toy_split, TOY_LISTS, depth=50).seen_kept
        removed = evaluate(toy_split, TOY_LISTS, depth=50).seen_removed
        assert kept["recall@1"].value == pytest.approx(1 / 6)
        assert kept["recall@5"].value == pytest.approx(4 / 6)
        assert kept["mrr@5"].value == pytest.approx((1 + 1 / 3 + 1 / 2 + 1 / 4) / 6)
        assert kept["ndcg@5"].value == pytest.approx((1 + 1 / 2 + 1 / math.log2(3) + 1 / math.log2(5)) / 6)
        assert removed["mrr@5"].value == pytest.approx((1 + 1 / 2 + 1 / 2 + 1 / 4) / 6)
        assert kept["full_lists@1"].value == pytest.approx(5 / 6)
        assert removed["full_lists@5"].value == 0.0
        assert kept["catalogue_coverage@1"].value == 3 / 8  # items 3, 0, 7
        assert kept["catalogue_coverage@20"].value == 1.0  # all eight
        assert kept["catalogue_coverage@1"].low is None

    def test_diversity_coverage_popularity(self, toy_split: Split) -> None:
        attributes = diversity.item_attributes(toy_split.catalogue)
        # Item 3: Beauty, Hair, Woody. Items 0, 1: Beauty, Bath, Flora. J(3,0) = 1/5, J(0,1) = 1.
        values = diversity.list_diversity(TOY_LISTS, attributes, (1, 2, 5))
        assert np.isnan(values[0]).all()
        assert values[1][0] == pytest.approx(1 - 1 / 5)
        assert values[2][0] == pytest.approx(1 - (1 / 5 + 1 / 5 + 1) / 3)
        assert values[2][3] == 1.0  # item 7 has no attributes, so shares none
        assert np.isnan(values[2][4])
        # User 0 bought 0, 1, 2: Beauty, Bath, Hair, Flora, Woody. Item 3 covers Beauty, Hair, Woody.
        covered = diversity.interest_coverage(TOY_LISTS, toy_split.test.histories, attributes, (1, 2))
        assert [covered[0][0], covered[1][0]] == [3 / 5, 1.0]
        assert covered[0][4] == 0.0
        # Training counts: 0: 4, 1: 4, 2: 2, 3: 1, 4: 1, 5: 2, 6: 1, 7: 0.
        counts = training_popularity(toy_split)
        assert counts.tolist() == [4, 4, 2, 1, 1, 2, 1, 0]
        reference = np.mean([10 / 3, 4, 4, 3 / 2, (2 + 1 + 4 + 4 + 2) / 5, 3 / 2])
        bias = diversity.popularity_bias(TOY_LISTS, toy_split.test.histories, counts, (1, 3))
        assert bias[0][0] == pytest.approx(1 / reference)
        assert bias[1][0] == pytest.approx(3 / reference)
        assert np.isnan(bias[0][4])

    def test_popularity_bands_hold_about_as_many_users_each(self, sample_split: Split) -> None:
        cold, *bands = user_groups(sample_split)["target_popularity"]
        counts = training_popularity(sample_split)[sample_split.test.targets]
        assert (counts[cold.members] == 0).all()
        assert len(bands) == 4
        assert all(100 < int(band.members.sum()) < 400 for band in bands)
        for band, after in zip(bands, bands[1:], strict=False):
            assert counts[band.members].max() < counts[after.members].min()

    def test_slices(self, toy_split: Split) -> None:
        labels = {
            kind: {group.label: np.flatnonzero(group.members).tolist() for group in groups}
            for kind, groups in user_groups(toy_split).items()
        }
        assert labels["history_length"] == {"<=5": [0, 1, 2, 3, 5], "6-14": [4], ">14": []}
        assert labels["same_day"] == {"same day": [1, 3], "later day": [0, 2, 4, 5]}
        assert labels["shared_title"] == {"shared title": [1, 3, 4], "title of its own": [0, 2, 5]}
        # Targets 3, 4, 2, 6, 4, 7 were bought 1, 1, 2, 1, 1, 0 times in training.
        assert labels["target_popularity"] == {"cold (0)": [5], ">=1": [0, 1, 2, 3, 4]}
        found = evaluate(toy_split, TOY_LISTS, depth=50).slices["seen_kept"]
        same_day = {part.label: part for part in found["same_day"]}
        assert same_day["same day"].users == 2
        assert same_day["same day"].metrics["recall@5"].value == 1.0
        assert same_day["same day"].metrics["mrr@5"].value == pytest.approx((1 / 3 + 1 / 2) / 2)

    def test_a_popularity_band_is_labelled_by_the_counts_in_it(self, sample_split: Split) -> None:
        counts = training_popularity(sample_split)[sample_split.test.targets]
        for group in user_groups(sample_split)["target_popularity"]:
            if "-" in group.label:
                low, high = map(int, group.label.split("-"))
                assert np.array_equal(group.members, (counts >= low) & (counts <= high))

    def test_an_empty_slice_is_null_and_not_zero(self, toy_split: Split) -> None:
        found = evaluate(toy_split, TOY_LISTS, depth=50).slices["seen_removed"]
        empty = next(part for part in found["history_length"] if part.label == ">14")
        assert empty.users == 0
        assert set(empty.metrics) == set(quality_metrics((5, 10)))
        assert all(e.value is e.low is e.high is None for e in empty.metrics.values())

    def test_nothing_listed_at_all(self, toy_split: Split) -> None:
        found = evaluate(toy_split, lists(*[[]] * 6), depth=50).seen_kept
        assert found["recall@20"].value == 0.0
        assert found["catalogue_coverage@20"].value == 0.0
        assert found["interest_coverage@5"].value == 0.0
        assert found["diversity@5"].value is None
        assert found["popularity_bias@5"].value is None

    def test_a_target_bought_before_counts_as_a_miss_when_seen_items_go(self) -> None:
        histories = Histories.from_lists([[2, 1]])
        removed = remove_seen(lists([0, 2]), histories)
        assert target_ranks(removed, np.array([2], dtype=np.int32)).tolist() == [0]


@st.composite
def scored_splits(draw: st.DrawFn) -> tuple[Split, Rankings]:
    """A small random shop with short, empty and full lists, empty histories, attributes or none."""
    items = draw(st.integers(2, 9))
    users = draw(st.integers(1, 6))
    depth = draw(st.integers(1, 7))
    item = st.integers(0, items - 1)
    some = st.lists(item, max_size=5)
    rankings = lists(
        *draw(st.lists(st.lists(item, unique=True, max_size=depth), min_size=users, max_size=users)),
        depth=depth,
    )
    histories = Histories.from_lists(draw(st.lists(some, min_size=users, max_size=users)))
    train = Histories.from_lists(draw(st.lists(some, min_size=users, max_size=users)))
    names = st.sampled_from(["Beauty", "Hair", "Flora", "Bath"])
    catalogue = Catalogue(
        item_ids=tuple(f"i{row}" for row in range(items)),
        titles=tuple(draw(st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=items, max_size=items))),
        brands=tuple(draw(st.lists(st.none() | names, min_size=items, max_size=items))),
        categories=tuple(
            tuple(row) for row in draw(st.lists(st.lists(names, max_size=3), min_size=items, max_size=items))
        ),
        prices=(None,) * items,
    )
    targets = np.array(draw(st.lists(item, min_size=users, max_size=users)), dtype=np.int32)
    split = Split(
        dataset="random",
        name="leave-one-out",
        ties="file",
        fingerprint="0" * 64,
        catalogue=catalogue,
        user_ids=tuple(f"u{row}" for row in range(users)),
        interactions=0,
        train=train,
        validation=Examples(histories=histories.take(np.array([], dtype=int)), targets=targets[:0]),
        test=Examples(histories=histories, targets=targets),
        same_day=np.array(draw(st.lists(st.booleans(), min_size=users, max_size=users))),
    )
    return split, rankings


class TestAgainstBruteForce:
    @given(scored_splits())
    @settings(max_examples=120, deadline=None)
    def test_every_metric_in_both_views(self, scored: tuple[Split, Rankings]) -> None:
        split, rankings = scored
        histories = [row.tolist() for row in split.test.histories]
        counts = training_popularity(split).tolist()
        found = evaluate(split, rankings, depth=50, resamples=50)
        views: dict[str, Any] = {
            "seen_kept": rankings.tolist(),
            "seen_removed": brute.seen_removed(rankings.tolist(), histories),
        }
        for view, rows in views.items():
            estimates = getattr(found, view)
            for k in CUTOFFS:
                expected = {
                    name: brute.mean(
                        [
                            brute.quality(row, int(t), name, k)
                            for row, t in zip(rows, split.test.targets, strict=True)
                        ]
                    )
                    for name in ("recall", "ndcg", "mrr")
                }
                sizes = [sum(item != NO_ITEM for item in row) for row in rows]
                listed = {item for row in rows for item in row[:k] if item != NO_ITEM}
                expected["full_lists"] = brute.mean([float(size >= k) for size in sizes])
                expected["catalogue_coverage"] = len(listed) / len(split.catalogue)
                expected["diversity"] = brute.mean([brute.diversity(split.catalogue, row, k) for row in rows])
                expected["interest_coverage"] = brute.mean(
                    [brute.coverage(split.catalogue, r, h, k) for r, h in zip(rows, histories, strict=True)]
                )
                expected["popularity_bias"] = brute.mean(
                    [brute.popularity_bias(row, histories, counts, k) for row in rows]
                )
                for name, value in expected.items():
                    estimate = estimates[f"{name}@{k}"]
                    assert estimate.value == (None if value is None else pytest.approx(value, abs=1e-12)), (
                        name
                    )
                    if estimate.low is not None and estimate.high is not None:
                        assert estimate.low <= estimate.high

    @given(scored_splits())
    @settings(max_examples=60, deadline=None)
    def test_slices_partition_the_users(self, scored: tuple[Split, Rankings]) -> None:
        split, rankings = scored
        found = evaluate(split, rankings, depth=50, resamples=20)
        for view in VIEWS:
            overall = getattr(found, view)
            for kind, parts in found.slices[view].items():
                assert sum(part.users for part in parts) == len(split.test), kind
                assert len({part.label for part in parts}) == len(parts)
                for metric in quality_metrics((5, 10)):
                    total = math.fsum((p.metrics[metric].value or 0.0) * p.users for p in parts)
                    assert total / len(split.test) == pytest.approx(overall[metric].value, abs=1e-12)

    @given(scored_splits(), st.integers(1, 40))
    @settings(max_examples=40, deadline=None)
    def test_working_in_small_steps_changes_nothing(self, scored: tuple[Split, Rankings], cells: int) -> None:
        split, rankings = scored
        whole = evaluate(split, rankings, depth=50, resamples=20)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(diversity, "CELLS", cells)
            assert evaluate(split, rankings, depth=50, resamples=20) == whole


@pytest.fixture(scope="module")
def random_run() -> tuple[Rankings, np.ndarray[Any, Any]]:
    """300 users, lists of 0 to 30 items, a target that is listed for about half of the users."""
    rng = np.random.default_rng(3)
    rows = []
    for _ in range(300):
        rows.append(rng.permutation(60)[: rng.integers(0, 31)].tolist())
    return lists(*rows, depth=30), rng.integers(60, size=300).astype(np.int32)


class TestAgainstOthers:
    def test_ranx(self, random_run: tuple[Rankings, Any]) -> None:
        rankings, targets = random_run
        names = [f"{name}@{k}" for k in CUTOFFS for name in ("recall", "ndcg", "mrr")]
        # ranx refuses a user without results: an item that nobody wants stands for the empty list.
        listed = [[str(item) for item in row if item != NO_ITEM] or ["none"] for row in rankings.tolist()]
        means, users = ranx_scores(
            {f"u{u}": {str(t): 1} for u, t in enumerate(targets)},
            {
                f"u{u}": {item: 100.0 - place for place, item in enumerate(row)}
                for u, row in enumerate(listed)
            },
            names,
        )
        ranks = target_ranks(rankings, targets)
        assert mean_quality(ranks) == pytest.approx(means, abs=1e-12)
        for name in names:
            expected = [users[name][f"u{u}"] for u in range(len(targets))]
            assert user_outcomes(ranks, name).tolist() == pytest.approx(expected, abs=1e-12)

    def test_trec_eval(self, random_run: tuple[Rankings, Any]) -> None:
        pytrec_eval = pytest.importorskip("pytrec_eval")
        rankings, targets = random_run
        qrels = {f"u{u}": {str(t): 1} for u, t in enumerate(targets)}
        run = {
            f"u{u}": {str(item): float(100 - place) for place, item in enumerate(row) if item != NO_ITEM}
            for u, row in enumerate(rankings.tolist())
        }
        measures = {"recall.1,5,10,20", "ndcg_cut.1,5,10,20", "recip_rank"}
        theirs = pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(run)
        ranks = target_ranks(rankings, targets)
        for k in CUTOFFS:
            for ours, name in ((f"recall@{k}", f"recall_{k}"), (f"ndcg@{k}", f"ndcg_cut_{k}")):
                expected = [theirs[f"u{u}"][name] if f"u{u}" in theirs else 0.0 for u in range(len(targets))]
                assert user_outcomes(ranks, ours).tolist() == pytest.approx(expected, abs=1e-9)
        expected = [theirs[f"u{u}"]["recip_rank"] if f"u{u}" in theirs else 0.0 for u in range(len(targets))]
        assert user_outcomes(ranks, "mrr@30").tolist() == pytest.approx(expected, abs=1e-9)

    def test_intervals_agree_with_scipy(self, random_run: tuple[Rankings, Any]) -> None:
        rankings, targets = random_run
        ranks = target_ranks(rankings, targets)
        counts = np.bincount(ranks, minlength=31)
        for metric in ("recall@10", "ndcg@10", "mrr@20"):
            outcomes = user_outcomes(ranks, metric)
            weights = user_outcomes(np.arange(31, dtype=np.int32), metric)[None, :]
            ours = grouped_intervals(counts, weights, resamples=20_000)[0]
            _close_to_scipy(outcomes, ours.low, ours.high)
            assert ours.value == pytest.approx(outcomes.mean(), abs=1e-12)

    @pytest.mark.parametrize("shape", ["normal", "heavy tail", "few values", "outlier", "two sides"])
    def test_intervals_of_many_values_agree_with_scipy(self, shape: str) -> None:
        """One outlier among equal-width bins once made an interval 2.2 times too narrow."""
        rng = np.random.default_rng(5)
        values = {
            "normal": rng.normal(size=500),
            "heavy tail": rng.pareto(3, size=500),
            "few values": rng.integers(3, size=500).astype(float),
            "outlier": np.append(rng.random(499), 60.0),
            "two sides": np.concatenate([rng.random(480), -40 - rng.random(10), 30 + rng.random(10)]),
        }[shape]
        ours = mean_interval(values, resamples=20_000)
        _close_to_scipy(values, ours.low, ours.high)
        assert ours.value == pytest.approx(values.mean(), abs=1e-12)


def _close_to_scipy(values: Any, low: float, high: float) -> None:
    theirs = bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", batch=1000, rng=np.random.default_rng(1)
    ).confidence_interval
    width = theirs.high - theirs.low
    assert low == pytest.approx(theirs.low, abs=0.03 * width)
    assert high == pytest.approx(theirs.high, abs=0.03 * width)


class TestReproducible:
    def test_scoring_again_gives_the_same_numbers_bit_for_bit(self, sample_split: Split) -> None:
        rankings = _random_rankings(sample_split)
        found = evaluate(sample_split, rankings)
        assert evaluate(sample_split, rankings.copy(order="F")) == found
        assert type(found).model_validate_json(found.model_dump_json()) == found

    def test_the_seed_moves_intervals_only(self, sample_split: Split) -> None:
        rankings = _random_rankings(sample_split)
        one, two = (evaluate(sample_split, rankings, seed=seed).seen_kept for seed in (0, 1))
        assert {name: e.value for name, e in one.items()} == {name: e.value for name, e in two.items()}
        assert one["ndcg@20"].low != two["ndcg@20"].low

    def test_means_do_not_depend_on_the_order_of_users(self, sample_split: Split) -> None:
        rankings = _random_rankings(sample_split)
        order = np.random.default_rng(8).permutation(len(rankings))
        test = sample_split.test
        turned = dataclasses.replace(
            sample_split,
            test=Examples(histories=test.histories.take(order), targets=test.targets[order]),
            same_day=sample_split.same_day[order],
        )
        found = evaluate(turned, rankings[order])
        expected = evaluate(sample_split, rankings)
        assert found.slices == expected.slices
        for name, estimate in expected.seen_removed.items():
            value = found.seen_removed[name].value
            assert value == (None if estimate.value is None else pytest.approx(estimate.value, rel=1e-14)), (
                name
            )

    def test_more_confidence_means_wider_intervals(self, sample_split: Split) -> None:
        rankings = _random_rankings(sample_split)
        narrow = evaluate(sample_split, rankings, confidence=0.5).seen_kept["recall@20"]
        wide = evaluate(sample_split, rankings, confidence=0.99).seen_kept["recall@20"]
        assert wide.low < narrow.low <= narrow.value <= narrow.high < wide.high  # type: ignore[operator]

    def test_percentile_bounds_are_order_statistics(self) -> None:
        samples = np.random.default_rng(0).permutation(1999.0 + np.arange(1999))
        low, high = percentile_bounds(samples, 0.95)
        assert (low - 1998, 3998 - high) == (50, 50)  # the 50th smallest and the 50th largest


def _random_rankings(split: Split) -> Rankings:
    rng = np.random.default_rng(4)
    order = np.argsort(rng.random((len(split.test), len(split.catalogue))), axis=1)
    return order[:, :50].astype(np.int32)


class Tensorlike:
    """What NumPy asks of a tensor of torch or JAX."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Rankings:
        return TOY_LISTS.copy()


class TestChecks:
    @pytest.mark.parametrize(
        ("rankings", "message"),
        [
            (np.zeros(3, dtype=np.int32), r"shape \(users, depth\), got \(3,\)"),
            (np.zeros((3, 0), dtype=np.int32), r"shape \(users, depth\), got \(3, 0\)"),
            (np.zeros((3, 2)), "int32"),
            (lists([0, 1], [2, 8]), r"row 1, place 2: item 8 .* 0\.\.7"),
            (lists([0, -2]), "row 0, place 2: item -2"),
            (np.array([[0, -1, 1]], dtype=np.int32), "row 0, place 2.*only after its last item"),
            (np.array([[2**40, 1]]), f"item {2**40}"),
            ([[1, 2], [3]], "rows of different lengths; pad with -1"),
            (None, r"shape \(users, depth\), got \(\)"),
            (np.array([["P003", "P001"]]), "whole numbers such as int32, got <U4"),
            (np.array([[3, 1]], dtype=object), "got object"),
            (np.array([[3.0, np.nan]]), "got float64"),
            (np.array([[True, True]]), "got bool"),
            (np.array([[NO_ITEM, 3]]), "row 0, place 1: a list may hold -1 only after its last item"),
            (lists([0, 1], [5, 3, 5]), "row 1: item 5 is listed more than once"),
        ],
    )
    def test_what_is_refused(self, rankings: Any, message: str) -> None:
        with pytest.raises(RankingError, match=message):
            check_rankings(rankings, 8)

    @pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64])
    def test_any_whole_numbers_are_taken(self, dtype: Any) -> None:
        checked = check_rankings(TOY_LISTS.astype(dtype), 8, users=6)
        assert checked.dtype == np.int32
        assert checked.tolist() == TOY_LISTS.tolist()

    @pytest.mark.parametrize(
        "rankings",
        [
            TOY_LISTS.tolist(),
            pd.DataFrame(TOY_LISTS),
            Tensorlike(),
            np.asfortranarray(TOY_LISTS),
            np.ma.masked_equal(np.where(TOY_LISTS == NO_ITEM, 99, TOY_LISTS), 99),
        ],
        ids=["lists", "data frame", "tensor", "Fortran order", "masked"],
    )
    def test_lists_of_other_kinds_are_read_as_they_are_meant(self, rankings: Any) -> None:
        checked = check_rankings(rankings, 8, users=6)
        assert isinstance(checked, np.ndarray) and checked.tolist() == TOY_LISTS.tolist()

    def test_unsigned_numbers_are_taken(self) -> None:
        assert check_rankings(np.array([[3, 1]], dtype=np.uint64), 8).tolist() == [[3, 1]]

    def test_one_row_a_user(self, toy_split: Split) -> None:
        with pytest.raises(RankingError, match="6 users, 5 rows"):
            evaluate(toy_split, TOY_LISTS[:5])

    def test_metric_names(self) -> None:
        assert parse_metric("ndcg@10") == ("ndcg", 10)
        with pytest.raises(ConfigError, match="did you mean 'ndcg'"):
            parse_metric("ndgc@10")
        for bad in ("ndcg", "ndcg@", "ndcg@0", "ndcg@-5", "ndcg@1.5", "ndcg@9999", "ndcg@²"):
            with pytest.raises(ConfigError, match="cut-off"):
                parse_metric(bad)

    def test_shared_tables_cannot_be_changed(self) -> None:
        with pytest.raises(ValueError, match="read-only"):
            ranking._gains("ndcg@5", 7)[0] = 1.0

    def test_views(self, toy_split: Split) -> None:
        assert view_of(TOY_LISTS, toy_split.test.histories, "seen_kept") is TOY_LISTS

    def test_ranks_in_a_view_are_those_in_its_lists(self, sample_split: Split) -> None:
        rng = np.random.default_rng(0)
        items, users = len(sample_split.catalogue), len(sample_split.test)
        rankings = rng.permuted(np.tile(np.arange(items, dtype=np.int32), (users, 1)), axis=1)[:, :200]
        for view in VIEWS:
            seen = view_of(rankings, sample_split.test.histories, view)
            expected = target_ranks(seen, sample_split.test.targets)
            found = ranks_in_view(rankings, sample_split.test, view)
            assert np.array_equal(found, expected) and 0 < (found > 0).sum() < users


@pytest.mark.real_data
def test_bands_of_the_write_up(real_split: Split) -> None:
    groups = user_groups(real_split)
    sizes = {group.label: int(group.members.sum()) for group in groups["history_length"]}
    assert sizes == {"<=5": 7180, "6-14": 12_996, ">14": 2187}
    assert int(groups["same_day"][0].members.sum()) == 9719


def test_mean_quality_by_hand() -> None:
    """Four users: at 1, missed, at 3, and at 7, which is beyond the largest cut-off asked for."""
    found = mean_quality(np.array([1, 0, 3, 7], dtype=np.int32), (1, 5))
    assert found == pytest.approx(
        {
            "recall@1": 1 / 4,
            "ndcg@1": 1 / 4,
            "mrr@1": 1 / 4,
            "recall@5": 2 / 4,
            "ndcg@5": (1 + 1 / 2) / 4,
            "mrr@5": (1 + 1 / 3) / 4,
        }
    )
