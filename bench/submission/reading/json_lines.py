"""JSON lines: one object a line, its keys in any order."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.schema import Int64Array
from bench.submission.columns import names
from bench.submission.reading.source import Block, collector_paused, read_blocks
from bench.submission.reading.table import SAMPLE_ROWS, Batch, Known, Table, Wanted
from bench.submission.report import Report, SubmissionError, shown

JSON_ERRORS = (ValueError, RecursionError)
"""What json raises: bad syntax, integers of thousands of digits, nesting without end."""
DECLARED = ("fingerprint", "ties", "split", "dataset")

Objects = tuple[list[Mapping[str, object]], Int64Array]


class RepeatedKey(ValueError):
    """An object that holds a key twice: the later value would hide the earlier one."""


def no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build a JSON object; raise RepeatedKey where a key stands twice."""
    built = dict(pairs)
    if len(built) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise RepeatedKey(f"the key {shown(twice)} stands twice in one object")
    return built


def brief(error: Exception) -> str:
    """Say what is wrong with JSON, with its place."""
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}: {error.msg} at column {error.colno}"
    return str(error)[:120] or type(error).__name__


def open_json_lines(path: Path, known: Known, report: Report) -> Table:
    """Read the first lines; `batches` reads all of them."""
    head, declared = _head(path)
    if not head:
        raise SubmissionError(f"'{path.name}' holds no line with a user's list")
    keyed = _is_keyed(head, known)
    if keyed:
        pairs = [pair for row in head for pair in row.items()]
        sample: list[list[object]] = [[key for key, _ in pairs], [value for _, value in pairs]]
        columns: tuple[str, ...] = ("user", "items")
    else:
        columns = tuple(dict.fromkeys(key for row in head for key in row))
        sample = [[row.get(name) for row in head] for name in columns]

    def batches(wanted: Mapping[int, Wanted]) -> Iterator[Batch]:
        for block in read_blocks(path):
            with collector_paused():
                rows, lines = _objects(block, report)
            if keyed:
                yield _keyed_batch(rows, lines)
            elif rows:
                yield _batch(rows, lines, columns, wanted, report)

    return Table(names=columns, sample=sample, batches=batches, declared=declared, keyed=keyed)


def _head(path: Path) -> tuple[list[dict[str, Any]], dict[str, str]]:
    head: list[dict[str, Any]] = []
    declared: dict[str, str] = {}
    for block in read_blocks(path):
        for line in block.lines():
            if len(head) >= SAMPLE_ROWS:
                return head, declared
            try:
                entry = json.loads(line) if line.strip() else None
            except JSON_ERRORS:
                continue  # reported with its line when all is read
            if isinstance(entry, dict) and entry:
                if set(entry) <= set(DECLARED):
                    declared |= {key: str(value) for key, value in entry.items()}
                else:
                    head.append(entry)
    return head, declared


def _is_keyed(head: Sequence[Mapping[str, object]], known: Known) -> bool:
    """Whether each line is {user: list} and not an object with named parts."""
    keys = [key for row in head for key in row]
    if names.positions(keys, names.USER):
        return False
    return 2 * sum(key in known.users for key in keys) > len(keys)


def _objects(block: Block, report: Report) -> Objects:
    rows: list[Mapping[str, object]] = []
    numbers: list[int] = []
    for number, line in enumerate(block.lines(), block.first_line):
        if not line.strip():
            continue
        try:
            entry = json.loads(line, object_pairs_hook=no_repeats)
        except RepeatedKey as error:
            report.error("repeated-key", "objects that hold a key twice", [f"line {number}: {error}"])
            continue
        except JSON_ERRORS as error:
            what = brief(error).removeprefix("line 1: ")
            report.error("json", "lines that are not JSON", [f"line {number}: {what}"])
            continue
        if not isinstance(entry, dict):
            what = f"a {type(entry).__name__} instead of an object"
            report.error("entry", "lines that are not a user's list", [f"line {number}: {what}"])
        elif not set(entry) <= set(DECLARED):
            rows.append(entry)
            numbers.append(number)
    return rows, np.array(numbers, dtype=np.int64)


def _batch(
    rows: list[Mapping[str, object]],
    lines: Int64Array,
    columns: Sequence[str],
    wanted: Mapping[int, Wanted],
    report: Report,
) -> Batch:
    needed = [columns[at] for at, kind in wanted.items() if kind in ("id", "list")]
    lacking = [at for at, row in enumerate(rows) if any(name not in row for name in needed)]
    places = (
        f"line {lines[at]}: needs {', '.join(map(shown, needed))}, has {shown(', '.join(rows[at]), 60)}"
        for at in lacking
    )
    report.error("entry", "lines that are not a user's list", places, len(lacking))
    return Batch(columns={at: [row.get(columns[at]) for row in rows] for at in wanted}, lines=lines)


def _keyed_batch(rows: list[Mapping[str, object]], lines: Int64Array) -> Batch:
    pairs = [pair for row in rows for pair in row.items()]
    counts = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    return Batch(
        columns={0: [key for key, _ in pairs], 1: [value for _, value in pairs]},
        lines=np.repeat(lines, counts),
    )
