"""A model that writes into what it is given fails by name, and nothing that others are given changes."""

from __future__ import annotations

import ctypes
import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from bench.errors import ModelError
from bench.guard import array_digests, untouched
from bench.schema import Histories, Split, TrainingData


class Careless:
    """Writes into its inputs in the ways that people do."""

    def shuffle(self, data: TrainingData) -> None:
        np.random.default_rng(0).shuffle(data.train.items)

    def shuffle_the_old_way(self, data: TrainingData) -> None:
        np.random.shuffle(data.train.items)

    def sort(self, data: TrainingData) -> None:
        data.validation.histories.items.sort()

    def zero(self, data: TrainingData) -> None:
        data.validation.targets[:] = 0

    def shift_a_view(self, data: TrainingData) -> None:
        data.train[0][...] += 1

    def out(self, data: TrainingData) -> None:
        np.multiply(data.train.items, 2, out=data.train.items)

    def owners(self, data: TrainingData) -> None:
        data.train.users[::2] = 7


@pytest.mark.parametrize("way", [name for name in vars(Careless) if not name.startswith("_")])
def test_a_write_is_refused_and_the_line_quoted(way: str, toy_split: Split) -> None:
    model, data = Careless(), toy_split.training_data
    before = array_digests({"split": toy_split})
    message = rf"model 'careless' writes into an array .*`.*data\..*` \(test_guard.py, line \d+, in {way}\)"
    with pytest.raises(ModelError, match=message), untouched(model, "careless", data=data):
        getattr(model, way)(data)
    assert array_digests({"split": toy_split}) == before


def test_the_line_is_the_models_own_and_not_a_librarys(toy_split: Split) -> None:
    class Helped:
        def fit(self, data: TrainingData) -> None:
            np.put_along_axis(data.train.items, np.array([0]), 1, axis=0)  # Python code inside NumPy

    with pytest.raises(ModelError, match=r"`np\.put_along_axis\(.*test_guard\.py"):
        with untouched(Helped(), "helped", data=toy_split.training_data):
            Helped().fit(toy_split.training_data)


def test_what_gets_past_numpy_is_found_and_named(toy_split: Split) -> None:
    histories, data = toy_split.test.histories, toy_split.training_data
    with pytest.raises(ModelError, match=r"'sly' has changed what it was given: histories\.items\. "):
        with untouched(object(), "sly", histories=histories, data=data):
            ctypes.memset(histories.items.ctypes.data, 0x01, 4)
    with pytest.raises(ModelError, match=r"data\.train\.indptr, data\.validation\.targets\. "):
        with untouched(object(), "sly", histories=histories, data=data):
            ctypes.memset(data.validation.targets.ctypes.data, 0x01, 1)
            ctypes.memset(data.train.indptr.ctypes.data, 0x01, 1)


def test_other_errors_pass_as_they_are(toy_split: Split) -> None:
    with pytest.raises(ValueError, match="of its own"), untouched(object(), "m", data=toy_split):
        raise ValueError("of its own")


def arrays(part: Any, path: str) -> Iterator[tuple[str, np.ndarray]]:
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        if isinstance(value, np.ndarray):
            yield f"{path}.{field.name}", value
        elif dataclasses.is_dataclass(value):
            yield from arrays(value, f"{path}.{field.name}")


def test_every_array_of_a_split_is_read_only_and_watched(sample_split: Split) -> None:
    found = dict(arrays(sample_split, "split"))
    assert len(found) >= 12
    assert not [path for path, array in found.items() if array.flags.writeable]
    assert array_digests({"split": sample_split}).keys() == found.keys()
    taken = sample_split.test.histories.take(np.array([3, 1]))
    assert not taken.items.flags.writeable
    assert not Histories.from_lists([[1, 2]]).items.flags.writeable
