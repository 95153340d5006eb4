"""What the app reads from disk, each thing once: records at once, lists and data sets when a page asks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from bench.comparison.board_standings import BoardStandings, stand
from bench.comparison.paired import (
    ComparedModel,
    Comparison,
    GroupDifference,
    compare,
    compare_groups,
    compare_metrics,
)
from bench.errors import BenchError, RecordError
from bench.metrics.ranking import view_of
from bench.metrics.slices import user_groups
from bench.record import View
from bench.records.list_files import read_lists, read_texts
from bench.records.store import LoadedRecords, StoredRecord, load_record, load_records
from bench.schema import Rankings, Split
from bench.statistics.paired_tests import PairedDifference
from leaderboard.frames.board_rows import BoardKey
from leaderboard.state import places, read_ahead
from leaderboard.state.folders import DATA_VARIABLE, results_dir
from leaderboard.state.session_submission import Scored

_UPLOAD = "upload"


def records() -> LoadedRecords:
    """Read all records; read again only when a file of the folder has changed."""
    folder = results_dir()
    return _records(str(folder), _stamp(folder))


def whole(stored: StoredRecord) -> StoredRecord:
    """Read a record again with its groups of users and its memory over time, which `records` leaves out.

    Raises RecordError if these are not valid, or if the file has gone.
    """
    return stored if is_upload(stored) else _whole(str(stored.path), stored)


def keep_upload(key: BoardKey, scored: Scored) -> None:
    """Keep a scored upload for this browser session, in the place of the last one."""
    st.session_state[_UPLOAD] = (key, scored)


def upload_of(key: BoardKey) -> StoredRecord | None:
    """Give the record of this session's upload, if it was scored on this board."""
    kept_for, scored = st.session_state.get(_UPLOAD, (None, None))
    return scored.stored if scored is not None and kept_for == key else None


def with_upload(key: BoardKey, records: Sequence[StoredRecord]) -> list[StoredRecord]:
    """Give a board's records and, first, this session's upload."""
    upload = upload_of(key)
    return [upload, *records] if upload is not None else list(records)


def is_upload(stored: StoredRecord) -> bool:
    """Whether a record is this session's upload, of which nothing may enter what sessions share."""
    return _upload(stored) is not None


def compared_model(stored: StoredRecord) -> ComparedModel | str:
    """Give a run to compare, or why it cannot be compared."""
    if (scored := _upload(stored)) is not None:
        return scored.compared
    return places.compared_model(stored)


def standings(
    records: Sequence[StoredRecord], metric: str, view: View, guest: ComparedModel | None = None
) -> BoardStandings:
    """Give the standing of each record that has ranks, by its id; `guest` is one that is not stored."""
    if guest is not None:
        return stand(records, metric=metric, view=view, load=compared_model, guests=[guest])
    return places.standings(records, metric, view).result()


def standings_soon(records: Sequence[StoredRecord], metric: str, view: View) -> BoardStandings | None:
    """Give the same, or None while those of a large board are being worked out."""
    found = places.standings(records, metric, view)
    return found.result() if found.done() else None


def compared_models(first: StoredRecord, second: StoredRecord) -> tuple[ComparedModel, ComparedModel]:
    """Give two runs to compare; RecordError if the ranks of one cannot be read."""
    return _readable(first), _readable(second)


def metric_differences(
    first: StoredRecord, second: StoredRecord, metrics: Sequence[str], view: View
) -> dict[str, PairedDifference]:
    """Compare two runs on several metrics; RecordError if the ranks of one cannot be read."""
    if is_upload(first) or is_upload(second):
        return compare_metrics(*compared_models(first, second), metrics=metrics, view=view)
    return _metric_differences((str(first.path), str(second.path)), tuple(metrics), view, (first, second))


def all_differences(runs: Sequence[StoredRecord], metric: str, view: View) -> Comparison:
    """Compare several runs pair by pair; RecordError if the ranks of one cannot be read."""
    if any(is_upload(one) for one in runs):
        return _compare_all(runs, metric, view)
    return _all_differences(tuple(str(one.path) for one in runs), metric, view, runs)


def group_differences(
    first: StoredRecord, second: StoredRecord, split: Split, metric: str, view: View
) -> list[GroupDifference]:
    """Compare two runs within groups of users; RecordError if the ranks of one cannot be read."""
    if is_upload(first) or is_upload(second):
        return compare_groups(
            *compared_models(first, second), user_groups(split), metric=metric, view=view, resamples=1000
        )
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
    if (scored := _upload(stored)) is not None:
        return view_of(scored.rankings, split.test.histories, view)
    return _lists(str(stored.path), view, stored, split)


def texts_of(stored: StoredRecord) -> pd.DataFrame | None:
    """Give a generative run's texts by user id, or None where there are none to read."""
    return None if is_upload(stored) else _texts(str(stored.path), stored)


def _upload(stored: StoredRecord) -> Scored | None:
    _, scored = st.session_state.get(_UPLOAD, (None, None))
    return scored if scored is not None and scored.stored is stored else None


def _readable(stored: StoredRecord) -> ComparedModel:
    found = compared_model(stored)
    if isinstance(found, str):
        raise RecordError(f"{stored.id}: {found}")
    return found


@st.cache_resource(show_spinner=False, max_entries=2)
def _records(folder: str, stamp: tuple[Any, ...]) -> LoadedRecords:
    return load_records(Path(folder), whole=False)


@st.cache_resource(show_spinner=False, max_entries=8)
def _whole(path: str, _stored: StoredRecord) -> StoredRecord:
    return replace(_stored, record=load_record(_stored.path).record)


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


@st.cache_resource(show_spinner="Comparing user by user …", max_entries=50)
def _metric_differences(
    paths: tuple[str, str], metrics: tuple[str, ...], view: View, _pair: tuple[StoredRecord, StoredRecord]
) -> dict[str, PairedDifference]:
    first, second = compared_models(*_pair)
    return compare_metrics(first, second, metrics=metrics, view=view)


@st.cache_resource(show_spinner="Comparing pair by pair …", max_entries=20)
def _all_differences(
    paths: tuple[str, ...], metric: str, view: View, _runs: Sequence[StoredRecord]
) -> Comparison:
    return _compare_all(_runs, metric, view)


def _compare_all(runs: Sequence[StoredRecord], metric: str, view: View) -> Comparison:
    return compare([_readable(one) for one in runs], metric=metric, view=view, resamples=2000)


@st.cache_resource(show_spinner="Comparing groups of users …", max_entries=50)
def _group_differences(
    paths: tuple[str, str], metric: str, view: View, _pair: tuple[StoredRecord, StoredRecord], _split: Split
) -> list[GroupDifference]:
    first, second = compared_models(*_pair)
    return compare_groups(first, second, user_groups(_split), metric=metric, view=view, resamples=1000)


@st.cache_resource(show_spinner="Reading ranked lists …", max_entries=8)
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
