"""One JSON (or ranx's CBOR) value that holds everything: an array of objects, columns, or users as keys."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.submission.columns import names
from bench.submission.reading.cbor import CborError, decode_cbor
from bench.submission.reading.compression import LZ4, open_binary, read_some
from bench.submission.reading.headerless import name_columns
from bench.submission.reading.json_lines import (
    DECLARED,
    JSON_ERRORS,
    RepeatedKey,
    brief,
    no_repeats,
)
from bench.submission.reading.source import collector_paused, read_whole
from bench.submission.reading.table import SAMPLE_ROWS, Batch, Known, Table, Wanted, row_numbers
from bench.submission.report import SubmissionError, shown

MAX_BYTES = 128 * 2**20
ROWS_PER_BATCH = 2**15


def open_json_value(path: Path, known: Known) -> Table:
    """Read a JSON file of one value."""
    text = read_whole(path, MAX_BYTES)
    with collector_paused():
        try:
            value = json.loads(text, object_pairs_hook=no_repeats)
        except RepeatedKey as error:
            raise SubmissionError(f"'{path.name}': {error}; the last would hide the first") from None
        except JSON_ERRORS as error:
            value = _arrays(text)
            if value is None:
                raise SubmissionError(f"'{path.name}' is not JSON: {brief(error)}") from None
    del text
    return _table(value, path.name, known)


def _arrays(text: str) -> list[Any] | None:
    """Read lines of arrays, such as ["user", ["item", ...]]; None if it is anything else."""
    try:
        rows = [json.loads(line, object_pairs_hook=no_repeats) for line in text.splitlines() if line.strip()]
    except JSON_ERRORS:
        return None
    return rows if all(isinstance(row, list) for row in rows) else None


def open_ranx_lz4(path: Path, known: Known) -> Table:
    """Read a run as `ranx.Run.save('run.lz4')` writes it: CBOR in an lz4 frame in an lz4 frame."""
    import pyarrow as pa

    with open_binary(path) as file:
        body = read_some(file, MAX_BYTES + 1, path)
    if body.startswith(LZ4):
        with pa.CompressedInputStream(pa.BufferReader(body), "lz4") as inner:
            body = read_some(inner, MAX_BYTES + 1, path)
    if len(body) > MAX_BYTES:
        raise SubmissionError(f"'{path.name}' unpacks to over {MAX_BYTES // 2**20} MiB; save it as parquet")
    with collector_paused():
        try:
            value = decode_cbor(body)
        except CborError as error:
            raise SubmissionError(f"'{path.name}' is no run of ranx: {error}") from None
    return _table(value, path.name, known)


def _table(value: object, name: str, known: Known) -> Table:
    value, declared = _unwrapped(value, known)
    if isinstance(value, list):
        return _of_rows(value, name, known, declared)
    if not isinstance(value, dict):
        raise SubmissionError(
            f"'{name}' holds a {type(value).__name__}; give an array of objects, or an object with a "
            "list for each user"
        )
    if not value:
        raise SubmissionError(f"'{name}' holds no list")
    if {"columns", "data"} <= set(value) and isinstance(value["data"], list):  # pandas, orient="split"
        columns, rows = value["columns"], value["data"]
        if isinstance(columns, list) and all(isinstance(row, list) for row in rows):
            objects = [dict(zip(map(str, columns), row, strict=False)) for row in rows]
            return _of_rows(objects, name, known, declared)
    if set(value) == {"schema", "data"} and isinstance(value["data"], list):  # pandas, orient="table"
        return _of_rows(value["data"], name, known, declared)
    if names.positions(value, names.USER) and not any(key in known.users for key in value):
        return _of_columns(value, name, declared)
    inner = next(iter(value.values()))
    if isinstance(inner, dict) and names.positions(inner, names.USER):  # pandas, orient="index"
        return _of_rows(list(value.values()), name, known, declared)
    parts = [key for key, held in inner.items() if isinstance(held, list)] if isinstance(inner, dict) else []
    if names.positions(parts, names.LIST | names.TEXT):  # {user: {"item_ids": [...], "scores": [...]}}
        rows = [{"user_id": user} | held for user, held in value.items() if isinstance(held, dict)]
        if len(rows) == len(value):
            return _of_rows(rows, name, known, declared)
    columns = [list(value), list(value.values())]
    return _made(("user", "items"), columns, declared, keyed=True)


def _unwrapped(value: Any, known: Known) -> tuple[Any, dict[str, str]]:
    """Take the only container out of an object that else says what it is for, such as a fingerprint."""
    if not isinstance(value, dict) or names.positions(value, names.USER):
        return value, {}
    holders = [key for key, held in value.items() if isinstance(held, list | dict)]
    if len(holders) != 1 or holders[0] in known.users:
        return value, {}
    declared = {key: str(value[key]) for key in DECLARED if key in value}
    return value[holders[0]], declared


def _of_rows(rows: list[Any], name: str, known: Known, declared: Mapping[str, str]) -> Table:
    if not rows:
        raise SubmissionError(f"'{name}' holds an empty array")
    if all(isinstance(row, dict) for row in rows):
        columns = tuple(dict.fromkeys(key for row in rows[:SAMPLE_ROWS] for key in row))
        return _made(columns, [[row.get(key) for row in rows] for key in columns], declared)
    if not all(isinstance(row, list) for row in rows) or len({len(row) for row in rows}) != 1:
        kinds = ", ".join(sorted({type(row).__name__ for row in rows}))
        raise SubmissionError(
            f"'{name}' is an array of {kinds}, not of objects such as "
            '{"user_id": ..., "item_ids": [...]}, nor of rows of one length'
        )
    found = name_columns(rows[:SAMPLE_ROWS], known)
    return _made(found, [list(column) for column in zip(*rows, strict=True)], declared, named=False)


def _of_columns(value: Mapping[str, Any], name: str, declared: Mapping[str, str]) -> Table:
    """Read columns: lists, or objects by row as pandas writes them."""
    user = list(value)[names.positions(value, names.USER)[0]]
    columns: dict[str, list[Any]] = {}
    for key, held in value.items():
        if isinstance(held, dict) and isinstance(value[user], dict):
            columns[key] = [held.get(row) for row in value[user]]
        elif isinstance(held, list):
            columns[key] = held
        elif key in DECLARED:
            declared = {**declared, key: str(held)}
        elif key == user:
            raise SubmissionError(f"'{name}': {shown(user)} must be a list of users, or give JSON lines")
    lengths = {key: len(column) for key, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise SubmissionError(f"'{name}': columns of different lengths: {shown(lengths, 80)}")
    return _made(tuple(columns), list(columns.values()), declared)


def _made(
    columns: Sequence[str],
    values: list[list[Any]],
    declared: Mapping[str, str],
    *,
    keyed: bool = False,
    named: bool = True,
) -> Table:
    def batches(wanted: Mapping[int, Wanted]) -> Iterator[Batch]:
        for start in range(0, len(values[0]), ROWS_PER_BATCH):
            part = {at: values[at][start : start + ROWS_PER_BATCH] for at in wanted}
            count = len(values[0][start : start + ROWS_PER_BATCH])
            yield Batch(columns=part, lines=row_numbers(start + 1, count))

    return Table(
        names=tuple(columns),
        sample=[column[:SAMPLE_ROWS] for column in values],
        batches=batches,
        declared=declared,
        keyed=keyed,
        named=named,
        place="entry",
    )
