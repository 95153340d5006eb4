"""Data sets read in the background: once for all who ask, again after a failure, a few kept."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event

import pytest

from bench.errors import DataError
from bench.schema import Split
from leaderboard.state import read_ahead


@pytest.fixture(autouse=True)
def _nothing_read() -> Iterator[None]:
    read_ahead._reading.clear()
    yield
    read_ahead._reading.clear()


def test_all_who_ask_share_one_reading(monkeypatch: pytest.MonkeyPatch, toy_split: Split) -> None:
    go, begun = Event(), []

    def slow(dataset: str, *, ties: str, split: str) -> Split:
        begun.append((dataset, ties, split))
        assert go.wait(10)
        return toy_split

    monkeypatch.setattr(read_ahead, "load_split", slow)
    first, second = (read_ahead.split("toy", "leave-one-out", "file", "") for _ in range(2))
    assert not first.done()
    go.set()
    assert first.result(10) is second.result(10) is toy_split
    assert read_ahead.split("toy", "leave-one-out", "file", "").result(0) is toy_split
    assert begun == [("toy", "file", "leave-one-out")]
    assert read_ahead.split("toy", "leave-one-out", "shuffled:0", "").result(10) is toy_split
    assert begun == [("toy", "file", "leave-one-out"), ("toy", "shuffled:0", "leave-one-out")]


def test_what_could_not_be_read_is_tried_again(monkeypatch: pytest.MonkeyPatch, toy_split: Split) -> None:
    def missing(dataset: str, *, ties: str, split: str) -> Split:
        raise DataError("there is no file; get it")

    monkeypatch.setattr(read_ahead, "load_split", missing)
    assert read_ahead.split("toy", "leave-one-out", "file", "").result(10) == "there is no file; get it"
    monkeypatch.setattr(read_ahead, "load_split", lambda dataset, *, ties, split: toy_split)
    assert read_ahead.split("toy", "leave-one-out", "file", "").result(10) is toy_split


def test_a_fault_reaches_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(dataset: str, *, ties: str, split: str) -> Split:
        raise ZeroDivisionError

    monkeypatch.setattr(read_ahead, "load_split", broken)
    with pytest.raises(ZeroDivisionError):
        read_ahead.split("toy", "leave-one-out", "file", "").result(10)


def test_only_the_last_few_are_kept(monkeypatch: pytest.MonkeyPatch, toy_split: Split) -> None:
    begun: list[str] = []

    def load(dataset: str, *, ties: str, split: str) -> Split:
        begun.append(dataset)
        return toy_split

    monkeypatch.setattr(read_ahead, "load_split", load)
    names = [f"toy{number}" for number in range(read_ahead.KEPT + 1)]
    for name in [*names, names[-1], names[0]]:
        read_ahead.split(name, "leave-one-out", "file", "").result(10)
    assert begun == [*names, names[0]]
