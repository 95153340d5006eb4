"""Records on disk: whole or absent, never overwritten, and a bad file is named and breaks nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_record import RANKINGS, make_record

from bench.errors import RecordError
from bench.files.placing import file_sha256
from bench.records import store
from bench.records.body import MAX_RECORD_BYTES
from bench.records.list_files import read_lists, read_texts
from bench.schema import Generations, Split


def test_a_record_comes_back_as_it_was_written(toy_split: Split, tmp_path: Path) -> None:
    record = make_record(toy_split)
    path = store.write(record, toy_split, RANKINGS, None, tmp_path)
    assert path.parent == tmp_path / "v1" / "toy" / "toy-model"
    assert path.name.startswith("20260102T030405678901Z-")
    loaded = store.load_records(tmp_path)
    assert loaded.problems == []
    (stored,) = loaded.records
    assert stored.record == record.model_copy(update={"lists_sha256": file_sha256(stored.lists_path)})
    np.testing.assert_array_equal(read_lists(stored, toy_split), RANKINGS)
    assert read_texts(stored) is None


def test_a_record_without_lists_is_its_json_alone(toy_split: Split, tmp_path: Path) -> None:
    record = make_record(toy_split)
    path = store.write(record, toy_split, None, None, tmp_path)
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [path]
    assert store.load_record(path).record == record


def test_the_lists_file_is_the_public_one(toy_split: Split, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = store.write(make_record(toy_split), toy_split, RANKINGS, None, tmp_path)
    table = pq.read_table(path.with_suffix(".parquet"))
    assert table.schema.field("user_id").type == pa.string()
    assert table.schema.field("item_ids").type == pa.list_(pa.string())
    assert table.to_pylist()[:2] == [
        {"user_id": "u0", "item_ids": ["i3", "i0"]},
        {"user_id": "u1", "item_ids": ["i4", "i5", "i6"]},
    ]
    column = pq.ParquetFile(path.with_suffix(".parquet")).metadata.row_group(0).column(1)
    assert column.compression == "ZSTD" and "RLE_DICTIONARY" in column.encodings


def test_generated_texts_are_kept_beside_the_lists(toy_split: Split, tmp_path: Path) -> None:
    generations = Generations(
        users=np.array([1, 3], dtype=np.int32),
        indptr=np.array([0, 2, 3]),
        texts=("Title: Oak Comb", "Title: nothing", "Title: Rose Soap"),
        log_likelihoods=np.array([-1.0, -2.5, -3.0]),
        items=np.array([2, -1, 0], dtype=np.int32),
    )
    path = store.write(make_record(toy_split), toy_split, RANKINGS, generations, tmp_path)
    frame = read_texts(store.load_record(path))
    assert frame is not None
    assert frame["user_id"].tolist() == ["u1", "u3"]
    assert [list(texts) for texts in frame["texts"]] == [
        ["Title: Oak Comb", "Title: nothing"],
        ["Title: Rose Soap"],
    ]
    assert [list(items) for items in frame["item_ids"]] == [["i2", None], ["i0"]]


def test_a_record_is_never_overwritten(toy_split: Split, tmp_path: Path) -> None:
    record = make_record(toy_split)
    path = store.write(record, toy_split, RANKINGS, None, tmp_path)
    before = path.read_bytes()
    with pytest.raises(RecordError, match="never overwritten"):
        store.write(record, toy_split, RANKINGS[:, ::-1].copy(), None, tmp_path)
    assert path.read_bytes() == before


def test_a_full_disk_leaves_nothing(
    toy_split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(RecordError, match="No space left on device"):
        store.write(make_record(toy_split), toy_split, RANKINGS, None, tmp_path)
    monkeypatch.undo()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_kill_in_the_middle_of_a_record_shows_no_half(toy_split: Split, tmp_path: Path) -> None:
    script = textwrap.dedent(
        """
        import os, signal, sys
        from pathlib import Path
        import conftest, toy_record
        from bench.records import store
        os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL) if calls.pop() else None
        calls = [int(piece) for piece in sys.argv[2]][::-1]
        split = conftest.toy_split.__wrapped__()
        store.write(toy_record.make_record(split), split, toy_record.RANKINGS, None, Path(sys.argv[1]))
        """
    )
    for kill_at in ("1", "01", "001"):  # while the lists, their ranks, then the record are being written
        folder = tmp_path / kill_at
        folder.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", script, str(folder), kill_at],
            # of several files called conftest the one above the rooms
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])},
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert store.load_records(folder) == store.LoadedRecords(records=[], problems=[])
        store.write(make_record(toy_split), toy_split, RANKINGS, None, folder / "again")
        assert len(store.load_records(folder / "again").records) == 1


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda body: {**body, "schema_version": 9}, "schema version 9 is unknown"),
        (lambda body: {**body, "seed": "zero"}, "not a valid record: seed"),
        (lambda body: {**body, "extra": 1}, "not a valid record: extra"),
        (lambda body: {**body, "model": {**body["model"], "name": "../../etc"}}, "model.name"),
        (lambda body: {**body, "model": {**body["model"], "name": "other"}}, "its content belongs at"),
        (lambda body: [body], "schema version None"),
    ],
)
def test_a_damaged_record_is_named_and_breaks_nothing(
    damage: Any, message: str, toy_split: Split, tmp_path: Path
) -> None:
    good = store.write(make_record(toy_split), toy_split, RANKINGS, None, tmp_path)
    body = json.loads(good.read_text())
    bad = good.with_name("20270101T000000000000Z-bad.json")
    bad.write_text(json.dumps(damage(body)))
    loaded = store.load_records(tmp_path)
    assert [stored.path for stored in loaded.records] == [good]
    assert [problem.path for problem in loaded.problems] == [bad]
    assert message in loaded.problems[0].message


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"schema_version": 1, "seed": NaN}']
)
def test_unreadable_bytes_are_a_problem_and_not_a_crash(content: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "v1" / "toy" / "m"
    folder.mkdir(parents=True)
    (folder / "a.json").write_bytes(content)
    loaded = store.load_records(tmp_path)
    assert loaded.records == [] and len(loaded.problems) == 1


def test_a_huge_record_is_not_read(tmp_path: Path) -> None:
    folder = tmp_path / "v1" / "toy" / "m"
    folder.mkdir(parents=True)
    with (folder / "a.json").open("wb") as file:
        file.truncate(2**30)
    assert "MiB" in store.load_records(tmp_path).problems[0].message


def test_records_of_another_version_are_named(tmp_path: Path) -> None:
    (tmp_path / "v7" / "toy").mkdir(parents=True)
    assert "v7" in store.load_records(tmp_path).problems[0].message


def test_lists_that_were_damaged_are_refused(toy_split: Split, tmp_path: Path) -> None:
    path = store.write(make_record(toy_split), toy_split, RANKINGS, None, tmp_path)
    stored = store.load_record(path)
    stored.lists_path.write_bytes(stored.lists_path.read_bytes()[:100])
    with pytest.raises(RecordError, match="not readable"):
        read_lists(stored, toy_split)


@pytest.mark.parametrize("encoded", [True, False])
def test_lists_written_otherwise_read_the_same(toy_split: Split, tmp_path: Path, encoded: bool) -> None:
    """In other order and in several groups of rows, each with a dictionary of its own or with none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    stored = store.load_record(
        store.write(make_record(toy_split), toy_split, RANKINGS, None, tmp_path), tmp_path
    )
    table = pq.read_table(stored.lists_path).take(pa.array([5, 2, 0, 4, 1, 3]))
    pq.write_table(table, stored.lists_path, row_group_size=2, use_dictionary=encoded)
    np.testing.assert_array_equal(read_lists(stored, toy_split), RANKINGS)


def test_lists_without_a_column_are_refused(toy_split: Split, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    stored = store.load_record(store.write(make_record(toy_split), toy_split, RANKINGS, None, tmp_path))
    pq.write_table(pq.read_table(stored.lists_path, columns=["item_ids"]), stored.lists_path)
    with pytest.raises(RecordError, match="it has no column user_id"):
        read_lists(stored, toy_split)


def test_lists_of_other_data_are_refused(toy_split: Split, tmp_path: Path) -> None:
    import dataclasses

    stored = store.load_record(store.write(make_record(toy_split), toy_split, RANKINGS, None, tmp_path))
    other = dataclasses.replace(toy_split, fingerprint="f" * 64)
    with pytest.raises(RecordError, match="fingerprints differ"):
        read_lists(stored, other)
    renamed = dataclasses.replace(
        toy_split, catalogue=dataclasses.replace(toy_split.catalogue, item_ids=tuple("abcdefgh"))
    )
    with pytest.raises(RecordError, match="users or items that the data set does not have"):
        read_lists(stored, renamed)


def test_an_invalidated_record_stays_and_says_why(toy_split: Split, tmp_path: Path) -> None:
    path = store.write(make_record(toy_split), toy_split, RANKINGS, None, tmp_path)
    store.invalidate(store.load_record(path), "trained on test items")
    loaded = store.load_records(tmp_path)
    assert len(loaded.records) == 1 and loaded.valid() == []
    assert loaded.records[0].invalid is not None
    assert loaded.records[0].invalid.reason == "trained on test items"
    with pytest.raises(RecordError, match="already"):
        store.invalidate(loaded.records[0], "again and again")
    with pytest.raises(RecordError, match="reason"):
        store.invalidate(store.load_record(path), "")


def test_find_record(toy_split: Split, tmp_path: Path) -> None:
    path = store.write(make_record(toy_split), toy_split, RANKINGS, None, tmp_path)
    assert store.find_record(tmp_path, f"toy/toy-model/{path.stem}").path == path
    assert store.find_record(tmp_path, "20260102").path == path
    with pytest.raises(RecordError, match="no record"):
        store.find_record(tmp_path, "toy/toy-model/nothing")


def test_a_record_that_cannot_be_written_says_why(toy_split: Split, tmp_path: Path) -> None:
    blocked = tmp_path / "v1"
    blocked.write_text("a file where a folder should be")
    with pytest.raises(RecordError, match="could not write"):
        store.write(make_record(toy_split), toy_split, RANKINGS, None, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["v1"]


# What is refused, and what is left behind ------------------------------------------------------------


@pytest.mark.parametrize(
    "details",
    [{"note": "half a character: \ud800"}, {"loss": float("nan")}, {"text": "x" * (MAX_RECORD_BYTES)}],
)
def test_what_no_file_can_hold_leaves_nothing_behind(
    details: dict[str, Any], toy_split: Split, tmp_path: Path
) -> None:
    record = make_record(toy_split, details=details)
    with pytest.raises(RecordError, match="cannot be written as a record"):
        store.write(record, toy_split, RANKINGS, None, tmp_path / "results")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left"), KeyboardInterrupt(), MemoryError(), ValueError("x")]
)
@pytest.mark.parametrize("call", [0, 1, 2, 3])
def test_whatever_fails_leaves_nothing_behind_and_nothing_else_is_touched(
    error: BaseException, call: int, toy_split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fills, or the user interrupts, while the first, second, third or last file is written."""
    kept = store.write(make_record(toy_split), toy_split, RANKINGS, None, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    generations = Generations(
        users=np.array([0], np.int32),
        indptr=np.array([0, 1]),
        texts=("Title: soap",),
        log_likelihoods=np.array([-1.0]),
        items=np.array([3], np.int32),
    )
    calls = []
    fsync = os.fsync

    def failing(handle: int) -> None:
        calls.append(handle)
        if len(calls) == call + 1:
            raise error
        fsync(handle)

    monkeypatch.setattr("bench.files.atomic.os.fsync", failing)
    later = make_record(toy_split, created=datetime(2026, 1, 3, tzinfo=UTC))
    with pytest.raises((RecordError, type(error))):
        store.write(later, toy_split, RANKINGS, generations, tmp_path)
    monkeypatch.undo()
    assert len(calls) == call + 1, "the fault was reached"
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert store.load_record(kept).record.model.name == "toy-model"


@pytest.mark.parametrize("suffix", [".json", ".invalid.json"])
@pytest.mark.parametrize("kind", ["link to a device", "link to a file", "pipe", "folder", "large"])
def test_only_ordinary_files_of_a_sane_size_are_opened(
    suffix: str, kind: str, toy_split: Split, tmp_path: Path
) -> None:
    """A link to /dev/zero once ended in MemoryError, and a pipe would wait for ever."""
    path = store.write(make_record(toy_split), toy_split, RANKINGS, None, tmp_path / "results")
    target = path.with_suffix(suffix)
    if suffix == ".json":
        path.rename(tmp_path / "moved.json")
    if kind == "link to a device":
        target.symlink_to("/dev/zero")
    elif kind == "link to a file":
        target.symlink_to(tmp_path / "moved.json")
    elif kind == "pipe":
        os.mkfifo(target)
    elif kind == "folder":
        target.mkdir()
    else:
        with target.open("wb") as file:
            file.truncate(MAX_RECORD_BYTES + 1)
    loaded = store.load_records(tmp_path / "results")
    assert loaded.records == [] and len(loaded.problems) == 1
    words = {"large": "larger than", "link to a file": "is a link", "link to a device": "is a link"}
    assert words.get(kind, "not an ordinary file") in loaded.problems[0].message


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_lists_that_are_no_ordinary_file_are_not_opened(kind: str, toy_split: Split, tmp_path: Path) -> None:
    stored = store.load_record(store.write(make_record(toy_split), toy_split, RANKINGS, None, tmp_path))
    moved = stored.lists_path.rename(tmp_path / "lists")
    stored.lists_path.symlink_to(moved) if kind == "link" else os.mkfifo(stored.lists_path)
    with pytest.raises(RecordError, match="is a link" if kind == "link" else "not an ordinary file"):
        read_lists(stored, toy_split)


def _metric(body: dict[str, Any], **parts: float | None) -> None:
    body["metrics"]["seen_kept"]["recall@1"] |= parts


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda body: body.update(created="2026-01-02T03:04:05.678901"), "timezone"),
        (lambda body: body.update(created="0001-01-01T00:00:00+14:00"), "outside the calendar"),
        (lambda body: _metric(body, value=0.1, low=0.2, high=0.3), "outside its own interval"),
        (lambda body: _metric(body, value=0.4, low=0.2, high=0.3), "outside its own interval"),
        (lambda body: _metric(body, value=0.5, low=0.2, high=None), "part of an interval"),
        (lambda body: _metric(body, value=None, low=0.2, high=0.3), "part of an interval"),
        (lambda body: _metric(body, value=7.5, low=7.0, high=8.0), "above 1"),
        (lambda body: body["metrics"]["seen_kept"].update({"diversity@5": {"value": 2.0}}), "above 1"),
        (
            lambda body: body["metrics"]["slices"]["seen_kept"]["same_day"][0]["metrics"].update(
                {"recall@5": {"value": 0.1, "low": 0.2, "high": 0.3}}
            ),
            "outside its own interval",
        ),
        (lambda body: body["model"].update(name="m" * 65), "model.name"),
        (lambda body: body["model"].update(display_name="m" * 121), "display_name"),
        (lambda body: body["metrics"]["seen_kept"].update({"m" * 81: {"value": 0.1}}), "at most 80"),
        (lambda body: body["cost"]["wall_seconds"].update({"s" * 81: 1.0}), "at most 80"),
        (lambda body: body.update(command="c" * 4001), "command"),
        (lambda body: body.update(seed=10**400), "seed"),
        (lambda body: body["environment"].update(commit="../../etc"), "commit"),
        (lambda body: body.update(lists_sha256="x"), "lists_sha256"),
    ],
)
def test_impossible_values_are_refused(
    change: Callable[[dict[str, Any]], Any], message: str, toy_split: Split, tmp_path: Path
) -> None:
    path = store.write(make_record(toy_split), toy_split, RANKINGS, None, tmp_path)
    body = json.loads(path.read_text())
    change(body)
    path.write_text(json.dumps(body))
    loaded = store.load_records(tmp_path)
    assert loaded.records == [] and message in loaded.problems[0].message


def test_a_time_in_another_zone_is_the_same_moment(toy_split: Split, tmp_path: Path) -> None:
    path = store.write(make_record(toy_split), toy_split, RANKINGS, None, tmp_path)
    body = json.loads(path.read_text())
    body["created"] = "2026-01-02T05:04:05.678901+02:00"
    path.write_text(json.dumps(body))
    assert store.load_record(path, tmp_path).record.created == make_record(toy_split).created


def test_a_note_of_withdrawal_needs_a_zone_too(toy_split: Split, tmp_path: Path) -> None:
    path = store.write(make_record(toy_split), toy_split, RANKINGS, None, tmp_path)
    path.with_suffix(".invalid.json").write_text('{"reason": "wrong data", "date": "2026-01-02T03:04:05"}')
    assert "not a valid note" in store.load_records(tmp_path).problems[0].message
