"""The four baselines: the contract, and answers known by hand or by probability."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from baselines.last_item_text import LastItemText
from baselines.most_popular import MostPopular
from baselines.popularity_weighted import PopularityWeighted, popularity_order, ranked_by, training_counts
from baselines.random_items import RandomItems
from baselines.repeat_last import RepeatLast, newest_items
from baselines.sampling import draw_items, first_distinct, user_uniforms
from bench.contract import RecommenderContract
from bench.recommender import Recommender
from bench.schema import NO_ITEM, Histories, Split


class TestRandomItems(RecommenderContract):
    def make_model(self, seed: int) -> Recommender:
        return RandomItems(seed=seed)


class TestPopularityWeighted(RecommenderContract):
    def make_model(self, seed: int) -> Recommender:
        return PopularityWeighted(seed=seed)


class TestRepeatLast(RecommenderContract):
    def make_model(self, seed: int) -> Recommender:
        return RepeatLast(seed=seed)


class TestLastItemText(RecommenderContract):
    def make_model(self, seed: int) -> Recommender:
        return LastItemText(seed=seed)


def fitted(model: Recommender, split: Split) -> Recommender:
    model.fit(split.training_data)
    return model


def everyone(count: int) -> Histories:
    return Histories.from_lists([[] for _ in range(count)])


# -- what each baseline must answer ---------------------------------------------------------------


def test_counts_come_from_the_training_sequences_alone(toy_split: Split) -> None:
    assert training_counts(toy_split.training_data).tolist() == [4, 4, 2, 1, 1, 2, 1, 0]


def test_popularity_with_room_for_all_lists_each_sold_item_once(toy_split: Split) -> None:
    place = [0, 1, 2, 5, 3, 4, 6].index  # by falling count, then by row; nobody bought item 7
    lists = fitted(PopularityWeighted(seed=3), toy_split).recommend(toy_split.test.histories, 8)
    for ranked in lists.tolist():
        assert ranked[:5] == sorted(ranked[:5], key=place)
        assert ranked[5:7] == sorted(ranked[5:7], key=place)
        assert sorted(ranked[:7]) == list(range(7)) and ranked[7] == NO_ITEM


def test_popularity_ranks_each_five_draws_by_count_then_row(sample_split: Split) -> None:
    counts = training_counts(sample_split.training_data)
    histories = sample_split.test.histories
    lists = fitted(PopularityWeighted(seed=3), sample_split).recommend(histories, 22)
    assert (lists != NO_ITEM).all()
    assert (counts[lists] > 0).all()
    drawn = draw_items(counts, histories.users, 22, seed=3)
    for ranked, draws in zip(lists[:50].tolist(), drawn[:50].tolist(), strict=True):
        for start in range(0, 22, 5):
            together = draws[start : start + 5]
            assert ranked[start : start + 5] == sorted(together, key=lambda item: (-counts[item], item))


def test_the_top_of_a_long_popularity_list_is_as_popular_as_a_short_one(sample_split: Split) -> None:
    counts = training_counts(sample_split.training_data)
    model = fitted(PopularityWeighted(seed=3), sample_split)
    users = everyone(4000)
    long, short = (counts[model.recommend(users, depth)[:, :5]].mean() for depth in (50, 5))
    assert abs(long - short) < 0.02 * short


def test_repeat_last_is_newest_first_then_what_is_drawn(toy_split: Split) -> None:
    lists = fitted(RepeatLast(seed=3), toy_split).recommend(toy_split.test.histories, 8)
    newest = [[2, 1, 0], [1, 0], [0, 1], [5, 4], [5, 1, 0, 3, 2], [6, 5]]
    for ranked, own in zip(lists.tolist(), newest, strict=True):
        assert ranked[: len(own)] == own
        assert sorted(ranked[:7]) == list(range(7))  # item 7 was never bought in training
        assert ranked[7] == NO_ITEM


def test_repeat_last_keeps_the_last_k(toy_split: Split) -> None:
    model = fitted(RepeatLast(seed=3), toy_split)
    assert model.recommend(toy_split.test.histories, 2).tolist() == [
        [2, 1],
        [1, 0],
        [0, 1],
        [5, 4],
        [5, 1],
        [6, 5],
    ]


def test_repeat_last_lists_a_repeated_purchase_once(toy_split: Split) -> None:
    (items,) = (
        fitted(RepeatLast(seed=3), toy_split).recommend(Histories.from_lists([[7, 3, 3, 2, 3]]), 4).tolist()
    )
    assert items[:2] == [3, 2]
    assert len(set(items)) == 4


def test_repeat_last_without_a_history_is_the_draws(sample_split: Split) -> None:
    histories = everyone(40)
    expected = draw_items(training_counts(sample_split.training_data), histories.users, 12, seed=5)
    assert np.array_equal(fitted(RepeatLast(seed=5), sample_split).recommend(histories, 12), expected)


def test_last_item_text_finds_the_item_its_twin_and_the_nearest(toy_split: Split) -> None:
    model = fitted(LastItemText(seed=0), toy_split)
    # 4 and 6 are both 'Red Lipstick'; 5 shares a word; the others only 'title', the longest text last
    assert model.recommend(Histories.from_lists([[0, 4], [6]]), 8).tolist() == [[4, 6, 5, 0, 1, 2, 3, 7]] * 2
    assert model.recommend(Histories.from_lists([[], [2]]), 2).tolist() == [[NO_ITEM, NO_ITEM], [2, 3]]


def test_random_with_room_for_all_is_a_permutation(toy_split: Split) -> None:
    lists = fitted(RandomItems(seed=1), toy_split).recommend(everyone(500), 8)
    assert (np.sort(lists, axis=1) == np.arange(8)).all()
    assert len(np.unique(lists, axis=0)) > 450


def test_another_seed_draws_other_lists(sample_split: Split) -> None:
    for model in (RandomItems, PopularityWeighted, RepeatLast):
        one, two = (fitted(model(seed=seed), sample_split).recommend(everyone(30), 10) for seed in (0, 1))
        assert (one != two).any()


# -- the draws ------------------------------------------------------------------------------------


def test_users_own_fixed_blocks_of_one_stream() -> None:
    stream = np.random.Generator(np.random.Philox(np.random.SeedSequence([4, 1]))).random(40).reshape(5, 8)
    assert np.array_equal(user_uniforms(4, 1, np.arange(5, dtype=np.int32), 7), stream[:, :7])
    users = np.array([3, 0, 4, 3, 1], dtype=np.int32)
    assert np.array_equal(user_uniforms(4, 1, users, 8), stream[users])


def test_a_user_far_down_the_table_draws_the_same_alone() -> None:
    weights = np.arange(1, 200)
    users = np.arange(3_000_000, 3_000_050, dtype=np.int32)
    together = draw_items(weights, users, 30, seed=2)
    for row in (0, 17, 49):
        assert np.array_equal(draw_items(weights, users[[row]], 30, seed=2)[0], together[row])


def expected_shares(weights: list[int], length: int) -> dict[tuple[int, ...], float]:
    """The chance of each ordered draw without replacement."""
    chances = {}
    for order in permutations(np.flatnonzero(weights).tolist(), length):
        chance, left = 1.0, sum(weights)
        for item in order:
            chance *= weights[item] / left
            left -= weights[item]
        chances[order] = chance
    return chances


@pytest.mark.parametrize(
    "weights",
    [
        pytest.param([1, 1, 1, 1, 1], id="uniform"),
        pytest.param([5, 3, 0, 2, 1], id="skewed, one never drawn"),
        pytest.param([10**9, 5, 3, 0, 2], id="so skewed that attempts run out"),
    ],
)
def test_draws_follow_the_weights(weights: list[int]) -> None:
    users = 40_000
    drawn = draw_items(np.array(weights), np.arange(users, dtype=np.int32), 3, seed=11)
    orders, counts = np.unique(drawn, axis=0, return_counts=True)
    seen = {tuple(order): count for order, count in zip(orders.tolist(), counts.tolist(), strict=True)}
    expected = expected_shares(weights, 3)
    assert set(seen) <= set(expected)
    for order, chance in expected.items():
        deviation = (users * chance * (1 - chance)) ** 0.5
        assert abs(seen.get(order, 0) - users * chance) <= 5 * deviation + 1


def test_taken_items_are_not_drawn_and_lists_end_short() -> None:
    taken = np.array([[0, NO_ITEM], [2, 1]], dtype=np.int32)
    drawn = draw_items(np.array([4, 3, 2, 0]), np.array([0, 1], dtype=np.int32), 3, seed=0, taken=taken)
    assert sorted(drawn[0].tolist()) == [NO_ITEM, 1, 2]
    assert drawn[1].tolist() == [0, NO_ITEM, NO_ITEM]


def test_nothing_to_draw_from() -> None:
    drawn = draw_items(np.zeros(4, dtype=np.int64), np.arange(2, dtype=np.int32), 3, seed=0)
    assert (drawn == NO_ITEM).all()


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    weights, users = np.array([900, 5, 4, 3, 2, 1] * 4), np.arange(60, dtype=np.int32)
    expected = draw_items(weights, users, 20, seed=9)
    monkeypatch.setattr("baselines.sampling.CELLS_PER_CHUNK", 100)
    assert np.array_equal(draw_items(weights, users, 20, seed=9), expected)


def test_first_distinct() -> None:
    candidates = np.array([[3, 3, NO_ITEM, 1, 3, 2], [0, 0, 0, 0, 0, NO_ITEM]], dtype=np.int32)
    assert first_distinct(candidates, 3).tolist() == [[3, 1, 2], [0, NO_ITEM, NO_ITEM]]
    assert first_distinct(candidates, 2).tolist() == [[3, 1], [0, NO_ITEM]]
    assert first_distinct(candidates, 2, skip=1).tolist() == [[1, 2], [NO_ITEM, NO_ITEM]]


def test_newest_items_and_ranking_by_count() -> None:
    histories = Histories.from_lists([[1, 2, 3], [], [4]])
    assert newest_items(histories, 2).tolist() == [[3, 2], [NO_ITEM, NO_ITEM], [4, NO_ITEM]]
    lists = np.array([[4, NO_ITEM, 2], [0, 1, 3]], dtype=np.int32)
    assert ranked_by(popularity_order(np.array([1, 7, 7, 7, 9])), lists).tolist() == [
        [4, 2, NO_ITEM],
        [1, 3, 0],
    ]


def test_most_popular_leaves_out_what_the_user_has(toy_split: Split) -> None:
    """Bought in training: items 0 and 1 four times, 2 and 5 three times, 3, 4 and 6 once, 7 never."""
    model = MostPopular()
    model.fit(toy_split.training_data)
    counts = np.bincount(toy_split.train.items, minlength=8).tolist()
    order = sorted((item for item in range(8) if counts[item]), key=lambda item: (-counts[item], item))
    lists = model.recommend(toy_split.test.histories, 4)
    for items, row in zip(toy_split.test.histories, lists, strict=True):
        assert row.tolist() == [item for item in order if item not in items][:4] + [-1] * max(
            0, 4 - len([item for item in order if item not in items])
        )
    assert model.recommend(Histories.from_lists([[0, 1, 2, 3, 4, 5, 6]]), 3).tolist() == [[-1, -1, -1]]
    assert model.recommend(Histories.from_lists([[]]), 20)[0, : len(order)].tolist() == order
