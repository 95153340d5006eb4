"""The cheap rows: the contract, shops whose right answer is known, and formulas worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from baselines.co_visit import CoVisit
from baselines.ease import EASE
from baselines.item_knn import ItemKNN
from baselines.markov import Markov
from baselines.neighbours import history_ranker
from baselines.neighbours.history_ranker import HistoryRanker, Table
from baselines.neighbours.pairs import following
from baselines.neighbours.texts import text_links
from baselines.text_co_visit import TextCoVisit
from baselines.text_history import TextHistory
from bench.contract import RecommenderContract, small_shop
from bench.errors import ConfigError
from bench.metrics.ranking import mean_quality, target_ranks
from bench.recommender import Recommender
from bench.retrieval.best import best_in_dense, best_in_sparse
from bench.schema import NO_ITEM, Catalogue, Examples, Histories, Split, TrainingData
from bench.tuning.space import Real, Whole

ROWS = (CoVisit, TextHistory, TextCoVisit, ItemKNN, Markov, EASE)
COUNTING = (CoVisit, TextCoVisit, ItemKNN, Markov, EASE)


class TestCoVisit(RecommenderContract):
    def make_model(self, seed: int) -> Recommender:
        return CoVisit(seed=seed)


class TestTextHistory(RecommenderContract):
    def make_model(self, seed: int) -> Recommender:
        return TextHistory(seed=seed)


class TestTextCoVisit(RecommenderContract):
    def make_model(self, seed: int) -> Recommender:
        return TextCoVisit(seed=seed)


class TestItemKNN(RecommenderContract):
    def make_model(self, seed: int) -> Recommender:
        return ItemKNN(seed=seed)


class TestMarkov(RecommenderContract):
    def make_model(self, seed: int) -> Recommender:
        return Markov(seed=seed)


class TestEASE(RecommenderContract):
    def make_model(self, seed: int) -> Recommender:
        return EASE(seed=seed)


def shop(sequences: list[list[int]], items: int, titles: list[str] | None = None) -> TrainingData:
    """A shop of these training sequences; unless given, no two titles share a word."""
    catalogue = Catalogue(
        item_ids=tuple(f"i{item}" for item in range(items)),
        titles=tuple(titles or [f"word{item}" for item in range(items)]),
        brands=(None,) * items,
        categories=((),) * items,
        prices=(None,) * items,
    )
    train = Histories.from_lists(sequences)
    none = Examples(histories=train.take(np.array([], dtype=int)), targets=np.array([], dtype=np.int32))
    return TrainingData(
        dataset="shop", fingerprint="0" * 64, catalogue=catalogue, train=train, validation=none
    )


def checkerboard(items: int = 16) -> TrainingData:
    """Who bought an even item bought the odd one after it, among one shopper in four of another pair."""
    pairs = [[item, item + 1] for item in range(0, items, 2) for _ in range(6)]
    noise = [[item, (item + 5) % items] for item in range(0, items, 2)]
    return shop(pairs + noise, items)


# -- shops whose right answer is known ------------------------------------------------------------


@pytest.mark.parametrize("model", COUNTING)
def test_who_bought_a_buys_b(model: type[CoVisit]) -> None:
    data = checkerboard()
    row = model(seed=0)
    row.fit(data)
    evens = list(range(0, 16, 2))
    lists = row.recommend(Histories.from_lists([[item] for item in evens]), 3)
    assert lists[:, 0].tolist() == [item + 1 for item in evens]


def test_text_finds_the_twin_and_purchases_beat_a_faint_likeness() -> None:
    titles = ["red rose soap", "rose soap", "oak comb", "steel razor", "soap"]
    data = shop([[0, 3]] * 5 + [[2, 4]], 5, titles)
    for model, first in ((TextHistory(), 1), (TextCoVisit(title_weight=0.0, full_weight=0.1), 3)):
        model.fit(data)
        assert model.recommend(Histories.from_lists([[0]]), 2)[0, 0] == first


def test_an_item_that_nobody_bought_is_found_by_its_text() -> None:
    data = shop([[0, 1], [2, 3]], 5, ["red soap", "comb", "razor", "brush", "red soap large"])
    row = TextCoVisit()
    row.fit(data)
    assert 4 in row.recommend(Histories.from_lists([[0]]), 5)[0]


@pytest.mark.parametrize("model", ROWS)
def test_a_list_holds_nothing_that_the_user_has(model: type[CoVisit]) -> None:
    split = small_shop()
    row = model(seed=0)
    row.fit(split.training_data)
    for ranked, history in zip(row.recommend(split.test.histories, 30), split.test.histories, strict=True):
        assert not set(ranked.tolist()) & set(history.tolist())


# -- leaks ----------------------------------------------------------------------------------------


def shifted_shop(seed: int) -> tuple[Split, Histories]:
    """The contract's shop, and its training sequences with the items of the shop renamed at random."""
    split = small_shop(users=400, items=60, seed=seed)
    names = np.random.default_rng(seed).permutation(len(split.catalogue)).astype(np.int32)
    renamed = split.train.take(np.arange(len(split.train)))
    return split, Histories(indptr=renamed.indptr, items=names[renamed.items], users=renamed.users)


@pytest.mark.parametrize("model", COUNTING)
def test_what_was_learned_comes_from_the_training_sequences_alone(model: type[CoVisit]) -> None:
    """Renaming the items of the training sequences, and nothing else, leaves no skill but chance."""
    split, renamed = shifted_shop(3)
    data = split.training_data
    skills = []
    for train in (data.train, renamed):
        row = model(seed=0, **({"title_weight": 0, "full_weight": 0} if model is TextCoVisit else {}))
        row.fit(
            TrainingData(
                dataset=data.dataset,
                fingerprint=data.fingerprint,
                catalogue=data.catalogue,
                train=train,
                validation=data.validation,
            )
        )
        lists = row.recommend(split.test.histories, 5)
        skills.append(mean_quality(target_ranks(lists, split.test.targets), (5,))["recall@5"])
    assert skills[0] > 0.6
    assert skills[1] < 0.3


@pytest.mark.parametrize("model", ROWS)
def test_permuted_targets_are_not_found(model: type[CoVisit], sample_split: Split) -> None:
    row = model(seed=0)
    row.fit(sample_split.training_data)
    lists = row.recommend(sample_split.test.histories, 5)
    targets = np.random.default_rng(0).permutation(sample_split.test.targets)
    right, wrong = (
        mean_quality(target_ranks(lists, wanted), (5,))["recall@5"]
        for wanted in (sample_split.test.targets, targets)
    )
    assert wrong < 0.1 < 0.2 < right


# -- the formulas, by hand ------------------------------------------------------------------------


def test_pairs_are_weighed_by_distance_length_and_window() -> None:
    sequences = Histories.from_lists([[0, 1, 2], [2, 2, 0]])
    weight = math.log2(5) ** -0.5
    found = following(sequences, 3, window=2, decay=0.5, activity_power=0.5).toarray()
    # 2 after 2 is no pair; 0 follows the first 2 at distance 2 and the second at distance 1
    expected = np.array([[0, 1, 0.5], [0, 0, 1], [1.5, 0, 0]]) * weight
    assert np.allclose(found, expected)
    assert following(sequences, 3, window=1, decay=0.5, activity_power=0.5).sum() == pytest.approx(3 * weight)


def test_pairs_do_not_cross_from_one_user_to_the_next() -> None:
    assert (
        following(Histories.from_lists([[0], [1], [], [2]]), 3, window=9, decay=1, activity_power=0).nnz == 0
    )


def test_co_visit_adds_up_the_history_by_its_decay() -> None:
    data = shop([[0, 2], [1, 3], [1, 3]], 4)
    row = CoVisit(back=0, source_power=0, target_power=0, activity_power=0, history_decay=0.4)
    row.fit(data)
    # 3 after 1 counts twice: as an older purchase 2 * 0.4 = 0.8 against 1; at decay 0.6, 1.2
    assert row.recommend(Histories.from_lists([[1, 0]]), 2).tolist() == [[2, 3]]
    row = CoVisit(back=0, source_power=0, target_power=0, activity_power=0, history_decay=0.6)
    row.fit(data)
    assert row.recommend(Histories.from_lists([[1, 0]]), 2).tolist() == [[3, 2]]


def test_popularity_damping_and_direction() -> None:
    # 1 is bought everywhere, 2 only after 0
    data = shop([[0, 1], [0, 1], [0, 2], [3, 1], [4, 1], [5, 1], [6, 1]], 7)
    plain, damped, backward = (
        CoVisit(shrink=0, **given) for given in ({}, {"target_power": 1.0}, {"back": 0.0})
    )
    for row in (plain, damped, backward):
        row.fit(data)
    asked = Histories.from_lists([[0]])
    assert plain.recommend(asked, 2).tolist() == [[1, 2]]
    assert damped.recommend(asked, 2).tolist() == [[2, 1]]
    assert backward.recommend(Histories.from_lists([[2]]), 2).tolist() == [[NO_ITEM, NO_ITEM]]
    assert plain.recommend(Histories.from_lists([[2]]), 1).tolist() == [[0]]


def test_markov_divides_by_what_follows_an_item_at_all() -> None:
    # after 0 came 2 once of once; after 1 came 3 twice of six times
    data = shop([[0, 2], [1, 3], [1, 3], [1, 4], [1, 5], [1, 6], [1, 7]], 8)
    row = Markov(window=1, back=0, shrink=0, history_decay=1)
    row.fit(data)
    assert row.recommend(Histories.from_lists([[1, 0]]), 2).tolist() == [[2, 3]]


def test_item_knn_is_the_shrunk_cosine() -> None:
    data = shop([[0, 1], [0, 1], [0, 2], [2], [3, 0]], 4)
    row = ItemKNN(shrink=1.0, neighbours=2)
    (table,) = row.tables(data)
    norms = np.sqrt([4, 2, 2, 1])
    cosine = {other: common / (norms[0] * norms[other] + 1) for other, common in ((1, 2), (2, 1), (3, 1))}
    assert table.links.toarray()[0] == pytest.approx([0, cosine[1], 0, cosine[3]])  # the two nearest


def test_ease_is_the_closed_form_with_a_zero_diagonal() -> None:
    rng = np.random.default_rng(0)
    sequences = [rng.choice(12, size=5, replace=False).tolist() for _ in range(60)]
    row = EASE(ridge=3.0)
    row.fit(shop(sequences, 12))
    bought = np.zeros((60, 12))
    for user, items in enumerate(sequences):
        bought[user, items] = 1
    inverse = np.linalg.inv(bought.T @ bought + 3.0 * np.eye(12))
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0)
    assert np.allclose(row._weights, expected, atol=1e-5)


def test_texts_link_the_best_others_and_never_the_item_itself() -> None:
    titles = ["red rose soap", "red rose soap", "red soap", "oak comb", "oak comb large"]
    data = shop([[0]], 5, titles)
    links = text_links(data.catalogue, "title", 2).toarray()
    assert (np.diag(links) == 0).all()
    assert ((links > 0).sum(axis=1) <= 2).all()
    assert links.max(axis=1) == pytest.approx(1)
    assert links[0, 1] == 1 and 0 < links[0, 2] < 1 and links[0, 3] == 0


# -- ranking a sparse table -----------------------------------------------------------------------


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 90), st.integers(1, 30))
@settings(max_examples=60, deadline=None)
def test_the_best_are_those_of_a_full_sort(seed: int, rows: int, items: int, depth: int) -> None:
    rng = np.random.default_rng(seed)
    dense = rng.integers(-3, 6, size=(rows, items)) * (rng.random((rows, items)) < rng.random())
    table = sparse.csr_array(dense.astype(np.float64))
    with_gaps = np.where(dense == 0, -np.inf, dense)
    wanted = []
    for scores in dense.tolist():
        order = sorted((item for item in range(items) if scores[item]), key=lambda item: -scores[item])
        wanted.append((order + [NO_ITEM] * depth)[:depth])
    assert best_in_sparse(table, depth).tolist() == wanted
    assert best_in_dense(with_gaps, depth).tolist() == wanted


def test_long_histories_leave_a_full_list() -> None:
    """Items of the history are passed over before the list is cut, not after."""
    links = sparse.csr_array(np.triu(np.ones((80, 80)), 1) + np.tril(np.ones((80, 80)), -1))
    lists = HistoryRanker([Table(links=links, decay=1.0)]).rank(Histories.from_lists([list(range(60))]), 20)
    assert lists.tolist() == [list(range(60, 80))]


@given(st.integers(0, 10_000), st.integers(1, 3), st.sampled_from([0.0, 0.3, 1.0]), st.integers(1, 30))
@settings(max_examples=100, deadline=None)
def test_pruning_changes_no_list(seed: int, tables: int, decay: float, depth: int) -> None:
    layers = pytest.importorskip("bench.retrieval.layers", reason="needs numba: pip install numba")
    rng = np.random.default_rng(seed)
    items = int(rng.integers(1, 60))
    shape = (tables, items, items)
    dense = rng.integers(1, 9, size=shape) * (rng.random(shape) < rng.random()) / 4
    links = [
        Table(links=sparse.csr_array(table), decay=decay + number / 10) for number, table in enumerate(dense)
    ]
    histories = Histories.from_lists([rng.integers(items, size=rng.integers(0, 12)) for _ in range(8)])
    expected = HistoryRanker(links).rank(histories, depth)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history_ranker, "MANY_LINKS", -1)
        patch.setattr(history_ranker, "USERS_PER_SEARCH", 3)
        patch.setattr(layers, "CUTS", (2, 9))
        found = HistoryRanker(links).rank(histories, depth)
    assert np.array_equal(found, expected)


# -- constants ------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ROWS)
def test_every_end_of_the_search_space_is_allowed(model: type[CoVisit]) -> None:
    space = model.space()
    ends = {name: (found.low, found.high) for name, found in space.items() if isinstance(found, Whole | Real)}
    assert ends.keys() == space.keys()
    for end in (0, 1):
        chosen = {name: values[end] for name, values in ends.items()}
        assert dict(model(seed=0, **chosen).parameters).items() >= chosen.items()


def test_a_wrong_constant_is_named() -> None:
    with pytest.raises(ConfigError, match="unknown constant 'windov'; did you mean 'window'"):
        CoVisit(windov=3)
    with pytest.raises(ConfigError, match="constant 'window': .* got 0"):
        CoVisit(window=0)
    with pytest.raises(ConfigError, match="constant 'ridge'"):
        EASE(ridge=float("nan"))
