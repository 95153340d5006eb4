"""What the app reads from disk, each thing once: records at once, lists and data sets when a page asks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from bench.comparison.board_standings import BoardStandings, contender_of, stand
from bench.comparison.paired import Contender, GroupDifference, compare_groups, compare_metrics
from bench.errors import BenchError
from bench.metrics.ranking import view_of
from bench.metrics.slices import user_groups
from bench.record import View
from bench.records.columns import read_lists, read_texts
from bench.records.store import LoadedRecords, StoredRecord, load_records
from bench.schema import Rankings, Split
from bench.statistics.paired_tests import PairedDifference
from leaderboard.frames.board_rows import BoardKey
from leaderboard.state import read_ahead
from leaderboard.state.folders import DATA_VARIABLE, results_dir


def records() -> LoadedRecords:
    """Read all records; read again only when a file of the folder has changed."""
    folder = results_dir()
    return _records(str(folder), _stamp(folder))


def contender(stored: StoredRecord) -> Contender | str:
    """Give a run to compare, or why it cannot be compared."""
    return _contender(stored.id, str(stored.path), bool(stored.held_back), stored)


def standings(
    records: Sequence[StoredRecord], metric: str, view: View, guest: Contender | None = None
) -> BoardStandings:
    """Give the standing of each record that has ranks, by its id; `guest` is one that is not stored."""
    if guest is not None:
        return stand(records, metric=metric, view=view, load=contender, guests=[guest])
    files = tuple(f"{stored.path} {bool(stored.held_back)}" for stored in records)
    return _standings(files, metric, view, records)


def contenders(first: StoredRecord, second: StoredRecord) -> tuple[Contender, Contender]:
    """Give two runs to compare, both known to have ranks."""
    one, other = contender(first), contender(second)
    assert isinstance(one, Contender) and isinstance(other, Contender)
    return one, other


def metric_differences(
    first: StoredRecord, second: StoredRecord, metrics: Sequence[str], view: View
) -> dict[str, PairedDifference]:
    """Compare two runs, known to have ranks, on several metrics."""
    return _metric_differences((str(first.path), str(second.path)), tuple(metrics), view, (first, second))


def group_differences(
    first: StoredRecord, second: StoredRecord, split: Split, metric: str, view: View
) -> list[GroupDifference]:
    """Compare two runs, known to have ranks, within groups of users."""
    paths = str(first.path), str(second.path)
    return _group_differences(paths, metric, view, (first, second), split)


def split_of(key: BoardKey) -> Split | str:
    """Give the data set behind a board, or why it is not at hand."""
    reading = read_ahead.split(key.dataset, key.split, key.ties, os.environ.get(DATA_VARIABLE, ""))
    if reading.done():
        split = reading.result()
    else:
        with st.spinner("Reading the data set …"):
            split = reading.result()
    if isinstance(split, Split) and split.fingerprint != key.fingerprint:
        return (
            f"the copy of {key.dataset} on this machine is another one: its fingerprint starts with "
            f"{split.fingerprint[:12]}, these records were measured on {key.fingerprint[:12]}"
        )
    return split


def read_ahead_of(key: BoardKey) -> None:
    """Get ready, in the background, what the pages after the first one need."""
    read_ahead.warm_up()
    read_ahead.split(key.dataset, key.split, key.ties, os.environ.get(DATA_VARIABLE, ""))


def lists_of(stored: StoredRecord, split: Split, view: View) -> Rankings | str:
    """Give a run's ranked lists as a view sees them, or why they cannot be read."""
    return _lists(str(stored.path), view, stored, split)


def texts_of(stored: StoredRecord) -> pd.DataFrame | None:
    """Give a generative run's texts by user id, or None where there are none to read."""
    return _texts(str(stored.path), stored)


@st.cache_resource(show_spinner=False, max_entries=2)
def _records(folder: str, stamp: tuple[Any, ...]) -> LoadedRecords:
    return load_records(Path(folder))


def _stamp(folder: Path) -> tuple[Any, ...]:
    """Tell whether any record has come, gone or changed; a folder of 200 takes a few milliseconds."""
    found = []
    for path in sorted(folder.glob("v*/*/*/*.json")):
        try:
            status = path.stat()
        except OSError:
            continue
        found.append((str(path), status.st_mtime_ns, status.st_size))
    return tuple(found)


@st.cache_resource(show_spinner=False, max_entries=400)
def _contender(label: str, path: str, held_back: bool, _stored: StoredRecord) -> Contender | str:
    return contender_of(_stored)


@st.cache_resource(show_spinner=False, max_entries=50)
def _standings(
    paths: tuple[str, ...], metric: str, view: View, _records: Sequence[StoredRecord]
) -> BoardStandings:
    return stand(_records, metric=metric, view=view, load=contender)


@st.cache_resource(show_spinner="Comparing user by user …", max_entries=50)
def _metric_differences(
    paths: tuple[str, str], metrics: tuple[str, ...], view: View, _pair: tuple[StoredRecord, StoredRecord]
) -> dict[str, PairedDifference]:
    first, second = contenders(*_pair)
    return compare_metrics(first, second, metrics=metrics, view=view)


@st.cache_resource(show_spinner="Comparing groups of users …", max_entries=50)
def _group_differences(
    paths: tuple[str, str], metric: str, view: View, _pair: tuple[StoredRecord, StoredRecord], _split: Split
) -> list[GroupDifference]:
    first, second = contenders(*_pair)
    return compare_groups(first, second, user_groups(_split), metric=metric, view=view, resamples=1000)


@st.cache_resource(show_spinner="Reading ranked lists …", max_entries=24)
def _lists(path: str, view: View, _stored: StoredRecord, _split: Split) -> Rankings | str:
    try:
        return view_of(read_lists(_stored, _split), _split.test.histories, view)
    except BenchError as error:
        return str(error)


@st.cache_resource(show_spinner="Reading generated texts …", max_entries=8)
def _texts(path: str, _stored: StoredRecord) -> pd.DataFrame | None:
    try:
        frame = read_texts(_stored)
    except BenchError:
        return None
    return None if frame is None else frame.set_index("user_id")
