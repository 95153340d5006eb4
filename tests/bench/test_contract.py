"""The contract suite: it works for outsiders, and each of its tests fails for the fault it is there for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.contract import RecommenderContract, small_shop
from bench.errors import ModelError, RankingError
from bench.recommender import Recommender
from bench.schema import Histories, Rankings, TrainingData

OUTSIDE = """
import numpy as np
from bench.contract import RecommenderContract


class FirstItems:
    def __init__(self, seed): ...

    def fit(self, data):
        self.items = len(data.catalogue)

    def recommend(self, histories, depth):
        return np.tile(np.arange(min(depth, self.items)), (len(histories), 1))


class Unseeded(FirstItems):
    def recommend(self, histories, depth):
        return np.random.default_rng().permuted(super().recommend(histories, depth), axis=1)


class TestFirstItems(RecommenderContract):
    def make_model(self, seed):
        return FirstItems(seed)


class TestUnseeded(RecommenderContract):
    def make_model(self, seed):
        return Unseeded(seed)


class TestForgotten(RecommenderContract):
    pass
"""


def test_an_outsider_runs_it_with_pytest(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(OUTSIDE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rf", "test_mine.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    failed = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("FAILED")}
    assert not [name for name in failed if "TestFirstItems" in name]
    assert {name.split("::")[-1] for name in failed if "TestUnseeded" in name} == {
        "test_same_answer_when_asked_again",
        "test_same_answer_for_a_seed",
        "test_batch_is_single",
    }
    assert "a subclass of RecommenderContract must define make_model(self, seed)" in done.stdout


class Sound:
    """Item rows counted up from the last purchase: nothing to complain of."""

    kind: Any = "sequential"
    parameters: Any = {}

    def fit(self, data: TrainingData) -> None:
        self.items = len(data.catalogue)

    def recommend(self, histories: Histories, depth: int) -> Rankings:
        last = np.array([history[-1] if len(history) else 0 for history in histories], dtype=np.int32)
        return ((last[:, None] + np.arange(min(depth, self.items))) % self.items).astype(np.int32)


class UnknownKind(Sound):
    kind = "magic"


class UnprintableParameters(Sound):
    parameters = {"rate": np.float32(1)}


class Repeats(Sound):
    def recommend(self, histories: Histories, depth: int) -> Rankings:
        return np.zeros((len(histories), 2), dtype=np.int32)


class Unknown(Sound):
    def recommend(self, histories: Histories, depth: int) -> Rankings:
        return np.full((len(histories), 1), self.items, dtype=np.int32)


class Silent(Sound):
    def recommend(self, histories: Histories, depth: int) -> Rankings:
        return np.full((len(histories), depth), -1, dtype=np.int32)


class Overlong(Sound):
    def recommend(self, histories: Histories, depth: int) -> Rankings:
        return super().recommend(histories, depth + 1)


class Wraps(Sound):
    """Counts past the end of the catalogue when it is asked for more than there is."""

    def recommend(self, histories: Histories, depth: int) -> Rankings:
        return np.tile(np.arange(depth, dtype=np.int32), (len(histories), 1))


class Listlike(Sound):
    def recommend(self, histories: Histories, depth: int) -> Rankings:
        return super().recommend(histories, depth).tolist()  # type: ignore[return-value]


class Remembers(Sound):
    def recommend(self, histories: Histories, depth: int) -> Rankings:
        self.asked = getattr(self, "asked", 0) + 1
        return np.roll(super().recommend(histories, depth), self.asked, axis=1)


class Unseeded(Sound):
    def fit(self, data: TrainingData) -> None:
        super().fit(data)
        self.order = np.random.default_rng().permutation(self.items).astype(np.int32)

    def recommend(self, histories: Histories, depth: int) -> Rankings:
        return self.order[super().recommend(histories, depth)]


class OneStream(Sound):
    """Draws for all users in turn, so a user's list depends on who stands before."""

    def recommend(self, histories: Histories, depth: int) -> Rankings:
        return np.random.default_rng(1).permuted(super().recommend(histories, depth), axis=1)


class NeedsAHistory(Sound):
    def recommend(self, histories: Histories, depth: int) -> Rankings:
        assert histories.lengths.min(initial=1) > 0
        return super().recommend(histories, depth)


class NeedsTwoPurchases(Sound):
    def recommend(self, histories: Histories, depth: int) -> Rankings:
        previous = [history[-2] for history in histories]
        assert len(previous) == len(histories)
        return super().recommend(histories, depth)


class NeedsUsers(Sound):
    def recommend(self, histories: Histories, depth: int) -> Rankings:
        return np.vstack(
            [super(NeedsUsers, self).recommend(histories, depth)[row] for row in range(len(histories))]
        )


class ListsTheHistory(Sound):
    """Puts the history first, as often as items stand in it, and forgets the depth."""

    def recommend(self, histories: Histories, depth: int) -> Rankings:
        width = max(int(histories.lengths.max(initial=1)), 1)
        lists = np.full((len(histories), width), -1, dtype=np.int32)
        for row, history in enumerate(histories):
            lists[row, : len(history)] = history
        return lists


class SpoilsTraining(Sound):
    def fit(self, data: TrainingData) -> None:
        super().fit(data)
        data.train.items.sort()


class SpoilsHistories(Sound):
    def recommend(self, histories: Histories, depth: int) -> Rankings:
        lists = super().recommend(histories, depth)
        histories.items[:] = 0
        return lists


def contract(model: type[Recommender]) -> RecommenderContract:
    class Contract(RecommenderContract):
        def make_model(self, seed: int) -> Recommender:
            return model()

    return Contract()


def call(model: type[Recommender], test: str) -> None:
    suite = contract(model)
    method = getattr(suite, test)
    method(
        *([suite._fit()] if "fitted" in method.__code__.co_varnames[: method.__code__.co_argcount] else [])
    )


TESTS = [name for name in vars(RecommenderContract) if name.startswith("test_")]


@pytest.mark.parametrize("test", TESTS)
def test_a_sound_model_passes(test: str) -> None:
    call(Sound, test)


@pytest.mark.parametrize(
    ("model", "test"),
    [
        (UnknownKind, "test_follows_the_protocol"),
        (UnprintableParameters, "test_follows_the_protocol"),
        (Repeats, "test_lists_hold_known_items_once"),
        (Unknown, "test_lists_hold_known_items_once"),
        (Silent, "test_lists_hold_known_items_once"),
        (Listlike, "test_lists_hold_known_items_once"),
        (Overlong, "test_lists_hold_known_items_once"),
        (Overlong, "test_depth_one"),
        (Wraps, "test_depth_over_the_catalogue"),
        (Remembers, "test_same_answer_when_asked_again"),
        (Unseeded, "test_same_answer_for_a_seed"),
        (OneStream, "test_batch_is_single"),
        (NeedsUsers, "test_no_users"),
        (NeedsTwoPurchases, "test_short_history"),
        (ListsTheHistory, "test_long_history"),
        (ListsTheHistory, "test_repeated_purchases"),
        (NeedsAHistory, "test_empty_history"),
        (SpoilsTraining, "test_input_is_not_modified"),
        (SpoilsHistories, "test_input_is_not_modified"),
    ],
)
def test_a_fault_is_found(model: type[Recommender], test: str) -> None:
    with pytest.raises((AssertionError, RankingError, ModelError, TypeError, IndexError, ValueError)):
        call(model, test)


def test_every_test_has_a_fault_that_it_finds() -> None:
    marks = test_a_fault_is_found.pytestmark  # type: ignore[attr-defined]
    tried = {test for _, test in marks[0].args[1]}
    assert set(TESTS) - tried == {"test_target_is_never_visible"}


def test_a_split_that_shows_the_target_is_found() -> None:
    class Leaky(RecommenderContract):
        def make_split(self) -> Any:
            split = small_shop()
            whole = [[*history.tolist(), 0] for history in split.test.histories]
            object.__setattr__(split, "train", Histories.from_lists(whole))
            return split

    with pytest.raises(AssertionError, match="holds the test target"):
        Leaky().test_target_is_never_visible()


def test_a_model_may_be_defined_only_for_users_with_a_purchase() -> None:
    suite = contract(NeedsAHistory)
    suite.answers_empty_history = False
    with pytest.raises(pytest.skip.Exception, match="only for users with a purchase"):
        suite.test_empty_history(suite._fit())
