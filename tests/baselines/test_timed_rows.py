"""Rows that use times: the contract, baskets told from later purchases, and who is given times at all."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from baselines.neighbours.history_ranker import history_weights
from baselines.neighbours.pairs import DAY, following, following_by_day
from baselines.text_co_visit import TextCoVisit
from baselines.text_co_visit_times import TextCoVisitTimes
from bench.contract import RecommenderContract, small_shop
from bench.datasets.splits import load_split
from bench.errors import Unavailable
from bench.marks import marks
from bench.models import find_model, model_from_file
from bench.recommender import Recommender
from bench.run.runner import Request, run
from bench.schema import Catalogue, Examples, Histories, Split, TrainingData


class TestTextCoVisitTimes(RecommenderContract):
    def make_model(self, seed: int) -> Recommender:
        return TextCoVisitTimes(seed=seed)


def timed(sequences: list[list[int]], days: list[list[float]], asked: list[int] | None = None) -> Histories:
    """Purchases on these days, and the days of the requests."""
    return replace(
        Histories.from_lists(sequences),
        times=(np.concatenate(days) * DAY).astype(np.int64),
        request_times=None if asked is None else np.array(asked) * DAY,
    )


def shop(train: Histories, items: int) -> TrainingData:
    catalogue = Catalogue(
        item_ids=tuple(f"i{item}" for item in range(items)),
        titles=tuple(f"word{item}" for item in range(items)),
        brands=(None,) * items,
        categories=((),) * items,
        prices=(None,) * items,
    )
    none = Examples(histories=train.take(np.array([], dtype=int)), targets=np.array([], dtype=np.int32))
    return TrainingData(
        dataset="shop", fingerprint="0" * 64, catalogue=catalogue, train=train, validation=none
    )


def test_pairs_of_a_day_are_counted_apart() -> None:
    sequences = timed([[0, 1, 2]], [[5, 5.9, 7]])
    basket, later = following_by_day(
        sequences, 3, window=2, decay=0.5, day_decay=0.9, fade_days=4, activity_power=0
    )
    assert basket.toarray().tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0]]
    faded = math.exp(-2 / 4)
    assert np.allclose(later.toarray(), [[0, 0, 0.5 * faded], [0, 0, faded], [0, 0, 0]])


def test_without_fading_both_sorts_together_are_the_plain_counts(sample_split: Split) -> None:
    train, items = sample_split.train, len(sample_split.catalogue)
    parts = following_by_day(
        train, items, window=5, decay=0.7, day_decay=0.7, fade_days=1e12, activity_power=0.4
    )
    plain = following(train, items, window=5, decay=0.7, activity_power=0.4)
    assert np.allclose((parts[0] + parts[1] - plain).toarray(), 0)


def test_an_open_basket_is_filled_and_a_later_visit_is_served_what_follows() -> None:
    """1 is bought with 0, on the same day; 2 comes days after 0."""
    data = shop(timed([[0, 1]] * 3 + [[0, 2]] * 3, [[1, 1]] * 3 + [[1, 9]] * 3), 3)
    row = TextCoVisitTimes(basket_on_day=0.9, basket_later=0.1, full_weight=0, title_weight=0)
    row.fit(data)
    assert row.recommend(timed([[0], [0]], [[20], [20]], [20, 25]), 2).tolist() == [[1, 2], [2, 1]]
    assert row.recommend(Histories.from_lists([[0]]), 2).tolist() == [[2, 1]]  # not known: as on a later day


def test_with_even_weights_it_is_the_plain_row(sample_split: Split) -> None:
    shared = {"decay": 0.6, "back": 0.2}
    even = {"day_decay": 0.6, "day_back": 0.2, "fade_days": 1e6, "basket_on_day": 0.5, "basket_later": 0.5}
    plain, with_times = TextCoVisit(**shared), TextCoVisitTimes(**shared, **even)
    for row in (plain, with_times):
        row.fit(sample_split.training_data)
    lists = [row.recommend(sample_split.test.requests, 10) for row in (plain, with_times)]
    assert (lists[0] == lists[1]).mean() > 0.99  # fading over a million days moves near ties alone


def test_weights_of_the_day_by_hand() -> None:
    asked = timed([[0, 1, 2]], [[3, 8, 8.5]], [8])
    weights = history_weights(asked, 3, 0.5, on_day=4, off_day=10).toarray()
    assert weights.tolist() == [[2.5, 2, 4]]


def test_request_times_go_with_their_users() -> None:
    asked = timed([[0], [1], [2]], [[1], [2], [3]], [4, 5, 6])
    assert asked.take(np.array([2, 0])).request_times.tolist() == [6 * DAY, 4 * DAY]  # type: ignore[union-attr]
    assert asked.timeless().times is None and asked.timeless().request_times is None
    with pytest.raises(ValueError, match="one a user"):
        timed([[0], [1]], [[1], [2]], [4])


def test_data_without_times_are_refused() -> None:
    data = small_shop().training_data.timeless()
    assert data.validation.requests.request_times is None
    with pytest.raises(Unavailable, match="have no times"):
        TextCoVisitTimes().check_available(data)


SPY = """
import numpy as np


class Spy:
    kind = "untrained"
    uses_times = {uses}

    def __init__(self, seed):
        self.parameters = {{}}

    def fit(self, data):
        self.told = [data.train.times, data.validation.histories.times, data.validation.request_times]

    def recommend(self, histories, depth):
        self.parameters = {{"told": [part is not None for part in (*self.told, histories.request_times)]}}
        return np.zeros((len(histories), 1), dtype=np.int32)
"""


@pytest.mark.parametrize("uses", [True, False])
def test_only_a_model_that_says_so_is_given_times_and_its_row_is_marked(uses: bool, tmp_path: Path) -> None:
    (tmp_path / "spy.py").write_text(SPY.format(uses=uses))
    record = run(
        Request(
            entry=model_from_file(f"{tmp_path / 'spy.py'}:Spy"),
            load=lambda: (load_split("sample"), 0.0),
            results_dir=tmp_path / "results",
            command="pytest bench --benchmark",
            depth=5,
        )
    ).record
    assert record.model.parameters["told"] == [uses] * 4
    assert record.model.uses_times is uses
    assert ("uses times" in [mark.text for mark in marks(record)]) == uses


def test_the_built_in_rows_with_times_say_so() -> None:
    assert find_model("text-co-visit-times").uses_times and not find_model("text-co-visit").uses_times
