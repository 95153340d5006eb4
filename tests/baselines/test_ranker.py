"""The two-stage ranker: the contract, that its counts have not seen what is asked, and that it learns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("lightgbm")

from scipy import sparse

from baselines.neighbours.pairs import DAY
from baselines.ranker.calendar import SPAN, Calendar, calendar_columns, calendar_names
from baselines.ranker.examples import make_examples
from baselines.ranker.features import feature_names, features
from baselines.ranker.model import Ranker, RankerTimes
from baselines.ranker.shop import Links, Shop
from baselines.text_co_visit import TextCoVisit, TextCoVisitSettings
from baselines.text_co_visit_times import TimedSettings
from bench.contract import RecommenderContract
from bench.metrics.ranking import mean_quality, target_ranks
from bench.recommender import Recommender
from bench.schema import Catalogue, Examples, Histories, Split, TrainingData

SETTINGS = TextCoVisitSettings(title_weight=0, full_weight=0)


class TestRanker(RecommenderContract):
    def make_model(self, seed: int) -> Recommender:
        return Ranker(seed=seed, leaf_size=5)


class TestRankerTimes(RecommenderContract):
    def make_model(self, seed: int) -> Recommender:
        return RankerTimes(seed=seed, leaf_size=5)


def plain(items: int, brands: list[str | None] | None = None) -> Catalogue:
    return Catalogue(
        item_ids=tuple(f"i{item}" for item in range(items)),
        titles=tuple(f"word{item}" for item in range(items)),
        brands=tuple(brands or [None] * items),
        categories=((),) * items,
        prices=(None,) * items,
    )


def test_no_count_has_seen_what_is_asked() -> None:
    """Each pair of items is bought by one user alone: a target can be known only from its own purchase."""
    pairs = Histories.from_lists([[item, item + 1] for item in range(0, 200, 2)])
    examples = make_examples(pairs, plain(200), SETTINGS, 20, seed=0)
    assert len(examples.sizes) == 0


def test_a_pair_that_others_bought_too_is_found() -> None:
    pairs = Histories.from_lists([[item, item + 1] for item in range(0, 20, 2) for _ in range(10)])
    examples = make_examples(pairs, plain(20), SETTINGS, 20, seed=0)
    assert len(examples.sizes) == 100
    assert examples.hits.sum() == 100
    assert examples.table.shape == (examples.sizes.sum(), len(feature_names()))


def test_links_answer_for_single_entries() -> None:
    dense = np.array([[0, 2.0, 0], [0, 0, 0], [3.0, 0, 4.0]])
    links = Links.of(sparse.csr_array(dense))
    rows, columns = np.mgrid[:3, :3]
    assert links.at(rows, columns).tolist() == dense.tolist()
    assert links.at(np.array([-1, 2]), np.array([1, 2])).tolist() == [0.0, 4.0]
    assert Links.of(sparse.csr_array((3, 3))).at(rows, columns).sum() == 0


def test_features_by_hand() -> None:
    """Two users bought 0 then 1; asked about a user who bought 2 and then 0, with 1 and 3 as candidates."""
    catalogue = plain(4, ["a", "a", None, "b"])
    settings = TextCoVisitSettings(title_weight=0, full_weight=0, activity_power=0, back=0)
    shop = Shop.count(Histories.from_lists([[0, 1], [0, 1], [2, 3]]), catalogue, settings)
    table = features(shop, Histories.from_lists([[2, 0]]), np.array([[1, 3, -1]], dtype=np.int32))
    column = {name: table[0, :, place].tolist() for place, name in enumerate(feature_names())}
    assert column["after_last"][:2] == [2, 0] and column["after_previous"][:2] == [0, 1]
    assert column["after_0.45"][:2] == pytest.approx([2, 0.45])
    assert column["before_1.0"][:2] == [0, 0]
    assert column["conditional_last"][:2] == pytest.approx([2 / 7, 0])
    assert column["links"][:2] == [1, 1]
    assert column["brand_last"][:2] == [1, 0] and column["brand_share"][:2] == [0.5, 0]
    assert column["popularity"][:2] == pytest.approx(np.log1p([2, 1]).tolist())
    assert column["history_length"][:2] == [2, 2]
    assert column["blend_share"][0] == 1
    assert np.isnan(table[0, 2]).all()


def brand_shop(users: int = 500, items: int = 60) -> TrainingData:
    """Shoppers keep to the brand of their last purchase, among items that are bought together at random."""
    rng = np.random.default_rng(0)
    brands = np.arange(items) % 3
    sequences = []
    for _ in range(users):
        first, second = rng.choice(items, 2, replace=False)
        same = rng.choice(np.flatnonzero((brands == brands[second]) & (np.arange(items) != first)))
        sequences.append([first, second, same] if same != second else [first, second])
    train = Histories.from_lists(sequences)
    none = Examples(histories=train.take(np.array([], dtype=int)), targets=np.array([], dtype=np.int32))
    catalogue = plain(items, [f"brand{brand}" for brand in brands])
    return TrainingData(
        dataset="brands", fingerprint="0" * 64, catalogue=catalogue, train=train, validation=none
    )


def test_it_learns_what_the_first_stage_does_not_know() -> None:
    data = brand_shop()
    asked = Histories.from_lists([[item, (item + 7) % 60] for item in range(60)])
    brands = np.arange(60) % 3
    wanted = brands[(np.arange(60) + 7) % 60]
    shares = []
    for model in (TextCoVisit(title_weight=0, full_weight=0), Ranker(leaf_size=20, leaves=7, rate=0.2)):
        model.fit(data)
        lists = model.recommend(asked, 5)
        shares.append((brands[lists] == wanted[:, None]).mean())
    assert shares[1] > 0.9
    assert shares[1] > shares[0]


def test_permuted_targets_are_not_found(sample_split: Split) -> None:
    row = Ranker(leaf_size=20, leaves=7, rate=0.2, candidates=20)
    row.fit(sample_split.training_data)
    lists = row.recommend(sample_split.test.histories, 5)
    targets = np.random.default_rng(0).permutation(sample_split.test.targets)
    right, wrong = (
        mean_quality(target_ranks(lists, wanted), (5,))["recall@5"]
        for wanted in (sample_split.test.targets, targets)
    )
    assert wrong < 0.1 < 0.4 < right
    details = row.details()
    assert details["trees"] > 0 and details["examples"] > 100
    assert sum(details["gain_share"].values()) == pytest.approx(1, abs=0.01)


def test_without_a_target_among_the_candidates_the_first_stage_stands() -> None:
    train = Histories.from_lists([[item, item + 1] for item in range(0, 40, 2)])
    none = Examples(histories=train.take(np.array([], dtype=int)), targets=np.array([], dtype=np.int32))
    data = TrainingData(
        dataset="pairs", fingerprint="0" * 64, catalogue=plain(40), train=train, validation=none
    )
    ranker, first = Ranker(), TextCoVisit()
    for row in (ranker, first):
        row.fit(data)
    assert ranker.details()["trees"] == 0
    assert np.array_equal(ranker.recommend(train, 5), first.recommend(train, 5))


# -- times ----------------------------------------------------------------------------------------


def timed(sequences: list[list[int]], days: list[int], asked: list[int] | None = None) -> Histories:
    return replace(
        Histories.from_lists(sequences),
        times=np.array(days) * DAY,
        request_times=None if asked is None else np.array(asked) * DAY,
    )


def test_the_calendar_counts_up_to_the_day_before_the_request_and_no_further() -> None:
    """Item 1 was bought on days 5, 50 and 100, item 2 on day 100 alone, item 0 on day 1."""
    calendar = Calendar.of(timed([[0, 1], [1, 2], [1]], [1, 5, 50, 100, 100]), 4)
    assert calendar.first.tolist() == [1, 5, 100, SPAN]
    candidates = np.array([[1, 2, 3], [1, 2, 3], [1, 2, 3]], dtype=np.int32)
    histories = timed([[0, 0], [0], [0]], [60, 70, 100, 101], [70, 100, 101])
    columns = dict(zip(calendar_names(), calendar_columns(calendar, histories, candidates), strict=True))
    assert columns["bought_before"].tolist() == [[2, 0, 0], [2, 0, 0], [3, 1, 0]]
    assert columns["bought_30_days"].tolist() == [[1, 0, 0], [0, 0, 0], [1, 1, 0]]
    assert columns["age_days"].tolist() == [[65, -1, -1], [95, 0, -1], [96, 1, -1]]
    assert columns["basket_size"][:, 0].tolist() == [1, 1, 1]
    assert columns["days_since_last"][:, 0].tolist() == [0, 0, 0]


def test_a_later_purchase_changes_no_feature_of_an_earlier_request() -> None:
    """What others buy after the request is in the counts that leave-one-out allows, not in the calendar."""
    early, late = timed([[0, 1], [0, 1]], [1, 2, 3, 9]), timed([[0, 1], [0, 1]], [1, 2, 3, 90])
    asked, candidates = timed([[0]], [4], [5]), np.array([[1]], dtype=np.int32)
    found = [calendar_columns(Calendar.of(train, 2), asked, candidates) for train in (early, late)]
    assert np.array_equal(*[np.array(columns) for columns in found])


def test_features_with_times_by_hand() -> None:
    train = timed([[0, 1], [0, 2]], [3, 3, 1, 9])
    settings = TimedSettings(title_weight=0, full_weight=0, activity_power=0, back=0, day_back=0, shrink=0)
    shop = Shop.count(train, plain(3), settings)
    table = features(shop, timed([[0]], [20], [20]), np.array([[1, 2]], dtype=np.int32))
    names = feature_names(timed=True)
    column = {name: table[0, :, place].tolist() for place, name in enumerate(names)}
    assert table.shape == (1, 2, len(names)) and len(set(names)) == len(names)
    assert column["basket_last"][0] > 0 == column["basket_last"][1]
    assert column["later_last"][1] > 0 == column["later_last"][0]
    assert column["basket_today"] == column["basket_last"] and column["basket_size"] == [1, 1]
    tomorrow = features(shop, timed([[0]], [20], [21]), np.array([[1, 2]], dtype=np.int32))
    assert tomorrow[0, :, names.index("basket_today")].tolist() == [0, 0]


def test_times_make_the_ranker_fill_open_baskets() -> None:
    """With 0 on the day of the request comes 1, on a later day 2; without times both are as likely."""
    rng = np.random.default_rng(0)
    same = rng.random(400) < 0.5
    sequences = [[3, 0, 1] if basket else [3, 0, 2] for basket in same]
    days = np.concatenate([[1, 5, 5] if basket else [1, 5, 9] for basket in same])
    train = timed(sequences, days.tolist())
    none = Examples(histories=train.take(np.array([], dtype=int)), targets=np.array([], dtype=np.int32))
    data = TrainingData(
        dataset="days", fingerprint="0" * 64, catalogue=plain(4), train=train, validation=none
    )
    row = RankerTimes(leaf_size=10, leaves=4, feature_share=1, rate=0.2)
    row.fit(data)
    assert row.recommend(timed([[3, 0], [3, 0]], [1, 7, 1, 7], [7, 12]), 1).tolist() == [[1], [2]]
