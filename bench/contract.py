"""Tests that any recommender should pass, for models of this project and of others.

Put this into a test file, and pytest runs every test below on the model:

    from bench.contract import RecommenderContract
    from my_package import MyModel

    class TestMyModel(RecommenderContract):
        def make_model(self, seed):
            return MyModel(seed=seed)

The data are a small made-up shop; override `make_split` to give other data. Models are compared by their
ranked lists alone, so the tests know nothing of how a model works.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import ClassVar, get_args

import numpy as np
import pytest

from bench.datasets.splits import leave_one_out
from bench.guard import untouched
from bench.metrics.ranking import check_rankings
from bench.recommender import Recommender
from bench.record import NAME_PATTERN, Kind
from bench.schema import NO_ITEM, Catalogue, Histories, Interactions, Rankings, Split

DEPTH = 10
SEED = 7


@dataclass(frozen=True, kw_only=True, eq=False)
class Fitted:
    """A model and the data it was fitted on."""

    model: Recommender
    split: Split

    def lists(self, histories: Histories, depth: int = DEPTH) -> Rankings:
        """Ask for lists, check that they are what the protocol allows, and pad them to `depth`."""
        answer = self.model.recommend(histories, depth)
        assert isinstance(answer, np.ndarray), f"recommend must return an array, got {type(answer).__name__}"
        lists = check_rankings(answer, len(self.split.catalogue), users=len(histories))
        assert lists.shape[1] <= depth, f"asked for {depth} items a user, got {lists.shape[1]} columns"
        return np.pad(lists, ((0, 0), (0, depth - lists.shape[1])), constant_values=NO_ITEM)


class RecommenderContract:
    """Subclass it under a name that starts with Test and give it `make_model`."""

    answers_empty_history = True
    """Set to False for a model that is defined only for users with a purchase."""
    _shared: ClassVar[Fitted]

    def make_model(self, seed: int) -> Recommender:
        """Construct the model, not fitted."""
        raise NotImplementedError("a subclass of RecommenderContract must define make_model(self, seed)")

    def make_split(self) -> Split:
        """Give the data that the tests use."""
        return small_shop()

    @pytest.fixture
    def fitted(self) -> Fitted:
        """Fit one model, shared by the tests of the class."""
        own = type(self)
        if "_shared" not in vars(own):
            own._shared = self._fit()
        return own._shared

    def test_follows_the_protocol(self, fitted: Fitted) -> None:
        """The model has the two methods, and what it says of itself can stand in a record."""
        model = fitted.model
        assert isinstance(model, Recommender), f"{type(model).__name__} needs the methods fit and recommend"
        kind = getattr(model, "kind", "sequential")
        assert kind in get_args(Kind), f"kind '{kind}' is none of {', '.join(get_args(Kind))}"
        name = getattr(model, "name", "a-name")
        assert re.match(NAME_PATTERN, name), f"name '{name}' must match {NAME_PATTERN}"
        json.dumps(getattr(model, "parameters", {}))

    def test_lists_hold_known_items_once(self, fitted: Fitted) -> None:
        """Every list holds at most `depth` items of the catalogue, each once, with gaps only at the end."""
        lists = fitted.lists(fitted.split.test.requests)
        assert (lists != NO_ITEM).any(), "every list is empty"

    def test_depth_one(self, fitted: Fitted) -> None:
        """A list of one item is allowed."""
        fitted.lists(fitted.split.test.requests, 1)

    def test_depth_over_the_catalogue(self, fitted: Fitted) -> None:
        """Asked for more items than there are, the model gives what it has."""
        fitted.lists(fitted.split.test.requests, len(fitted.split.catalogue) + 5)

    def test_same_answer_when_asked_again(self, fitted: Fitted) -> None:
        """`recommend` leaves no trace in the model."""
        histories = fitted.split.test.requests
        _assert_same(fitted.lists(histories), fitted.lists(histories), "the same model, asked twice")

    def test_same_answer_for_a_seed(self, fitted: Fitted) -> None:
        """A second model with the same seed and data gives the same lists."""
        histories = fitted.split.test.requests
        _assert_same(self._fit().lists(histories), fitted.lists(histories), "two models of one seed")

    def test_batch_is_single(self, fitted: Fitted) -> None:
        """A user's list does not depend on who else is asked about, nor in which order."""
        histories = fitted.split.test.requests
        together = fitted.lists(histories)
        alone = [fitted.lists(histories.take(np.array([row]))) for row in range(len(histories))]
        _assert_same(np.vstack(alone), together, "users alone and in a batch")
        backwards = np.arange(len(histories))[::-1]
        _assert_same(fitted.lists(histories.take(backwards)), together[backwards], "users in another order")

    def test_no_users(self, fitted: Fitted) -> None:
        """Nobody asked for gives no lists."""
        assert fitted.lists(fitted.split.test.requests.take(np.array([], dtype=np.int64))).size == 0

    def test_short_history(self, fitted: Fitted) -> None:
        """One purchase is enough."""
        fitted.lists(Histories.from_lists([[item] for item in range(len(fitted.split.catalogue))]))

    def test_long_history(self, fitted: Fitted) -> None:
        """A user who bought the whole catalogue, far more than the depth, gets a valid list."""
        fitted.lists(Histories.from_lists([list(range(len(fitted.split.catalogue)))]), 3)

    def test_repeated_purchases(self, fitted: Fitted) -> None:
        """A user who buys one item again and again gets a valid list."""
        fitted.lists(Histories.from_lists([[2] * 12, [2, 3] * 6]))

    def test_empty_history(self, fitted: Fitted) -> None:
        """A user without purchases gets a valid list, which may be empty."""
        if not self.answers_empty_history:
            pytest.skip("this model is defined only for users with a purchase")
        fitted.lists(Histories.from_lists([[], [1, 2], []]))

    def test_target_is_never_visible(self) -> None:
        """What `fit` and `recommend` are given ends before each user's test target."""
        split = self.make_split()
        given = split.training_data
        for user, history in enumerate(split.test.histories):
            sequence = given.train[user]
            assert len(sequence) <= len(history), f"user {user}: the training sequence holds the test target"
            assert np.array_equal(sequence, history[: len(sequence)])
        for row, user in enumerate(given.validation.histories.users):
            known = given.train[user]
            assert np.array_equal(given.validation.histories[row], known)
            assert given.validation.targets[row] == split.test.histories[user][len(known)]
        assert not hasattr(given, "test"), "the training data lead to the test targets"

    def test_input_is_not_modified(self) -> None:
        """Neither `fit` nor `recommend` writes into the arrays it is given."""
        split, model = self.make_split(), self.make_model(SEED)
        data, histories = split.training_data, split.test.requests
        with untouched(model, type(model).__name__, data=data, histories=histories):
            model.fit(data)
            model.recommend(histories, DEPTH)

    def _fit(self) -> Fitted:
        split = self.make_split()
        model = self.make_model(SEED)
        model.fit(split.training_data)
        return Fitted(model=model, split=split)


def small_shop(users: int = 40, items: int = 30, seed: int = 0) -> Split:
    """Give a split of a shop where each item is mostly followed by the next one of the catalogue.

    Two items share a title, one has neither brand nor category nor price, and some were never bought.
    """
    rng = np.random.default_rng(seed)
    colours, kinds = ("red", "green", "blue"), ("soap", "comb", "cream", "brush", "towel")
    titles = [f"{colours[item % 3]} {kinds[item % 5]} {item // 15 + 1} oz" for item in range(items)]
    titles[items - 1] = titles[0]
    last = items - 1
    catalogue = Catalogue(
        item_ids=tuple(f"item-{item:02d}" for item in range(items)),
        titles=tuple(titles),
        brands=tuple(None if item == last else f"brand {item % 4}" for item in range(items)),
        categories=tuple(() if item == last else ("Home", kinds[item % 5]) for item in range(items)),
        prices=tuple(None if item == last else 1.0 + item for item in range(items)),
    )
    lengths = rng.integers(4, 9, size=users)
    sold = items - 3
    steps = np.concatenate([np.cumsum(rng.choice([1, 1, 1, 2], size=length)) for length in lengths])
    owners = np.repeat(np.arange(users), lengths)
    starts = rng.integers(0, sold, size=users)[owners]
    interactions = Interactions(
        user_ids=tuple(f"user-{user:02d}" for user in range(users)),
        catalogue=catalogue,
        users=owners.astype(np.int32),
        items=((starts + steps) % sold).astype(np.int32),
        timestamps=(np.arange(len(owners)) * 86_400).astype(np.int64),
    )
    return leave_one_out(interactions, dataset="small-shop")


def _assert_same(ours: Rankings, theirs: Rankings, what: str) -> None:
    differing = np.flatnonzero((ours != theirs).any(axis=1))
    if len(differing):
        row = int(differing[0])
        raise AssertionError(
            f"{what} differ for {len(differing)} of {len(ours)} users; "
            f"row {row}: {ours[row].tolist()} and {theirs[row].tolist()}"
        )
