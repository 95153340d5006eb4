"""JSON: one object a line with a user's list, or a run as ranx saves it (one object, scores by item)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from bench.schema import FloatArray
from bench.submission.report import Report, SubmissionError, shown
from bench.submission.rows import (
    LIST_NAMES,
    SCORE_NAMES,
    USER_NAMES,
    Fingerprint,
    Lists,
    Piece,
    find_column,
)
from bench.submission.source import collector_paused, read_blocks, read_whole

MAX_RUN_BYTES = 128 * 2**20
JSON_ERRORS = (ValueError, RecursionError)
"""What json raises: bad syntax, integers of thousands of digits, nesting without end."""


def looks_like_lines(start: str) -> bool:
    """Whether JSON text is one object a line (a user's list) and not a ranx run."""
    names = "|".join((*USER_NAMES, *LIST_NAMES, "fingerprint"))
    return re.match(rf'\s*\{{\s*"({names})"\s*:\s*[^{{\s]', start, re.IGNORECASE) is not None


def read_json_lines(path: Path, report: Report) -> Iterator[Piece]:
    """Read lines of {"user_id": ..., "item_ids": [...], "scores": [...] (optional)}."""
    for block in read_blocks(path):
        users: list[str] = []
        lists: list[list[str]] = []
        scores: list[list[float]] = []
        numbers: list[int] = []
        for number, line in enumerate(block.lines(), block.first_line):
            if not line.strip():
                continue
            try:
                entry = json.loads(line)
            except JSON_ERRORS as error:
                report.error("json", "lines that are not JSON", [f"line {number}: {_brief(error)}"])
                continue
            if isinstance(entry, dict) and set(entry) == {"fingerprint"}:
                yield Fingerprint(value=str(entry["fingerprint"]))
                continue
            try:
                user, items, own_scores = _entry(entry)
            except BadEntry as error:
                report.error("entry", "lines that are not a user's list", [f"line {number}: {error}"])
                continue
            users.append(user)
            lists.append(items)
            scores.append(own_scores)
            numbers.append(number)
        if users:
            yield _lists(users, lists, scores, numbers)


def read_json_run(path: Path, report: Report) -> Iterator[Piece]:
    """Read {"user": {"item": score, ...}, ...}, as `ranx.Run.save('run.json')` writes it."""
    text = read_whole(path, MAX_RUN_BYTES)
    with collector_paused():
        try:
            run = json.loads(text, object_pairs_hook=_Members)
        except JSON_ERRORS as error:
            raise SubmissionError(f"'{path.name}' is not JSON: {_brief(error)}") from None
    del text
    if not isinstance(run, _Members):
        raise SubmissionError(f"'{path.name}' holds a {type(run).__name__}; a run is an object of objects")
    users: list[str] = []
    lists: list[list[str]] = []
    scores: list[list[float]] = []
    for user, members in zip(run.names, run.values, strict=True):
        if (
            not isinstance(members, _Members)
            or not _are_ids([user, *members.names])
            or not _are_numbers(members.values)
        ):
            report.error("entry", "users without an object of scores by item", [f"user {shown(user)}"])
            continue
        values = _floats(members.values)
        order = np.argsort(-values, kind="stable")
        users.append(user)
        lists.append([members.names[at] for at in order])
        scores.append(values[order].tolist())
    if users:
        yield _lists(users, lists, scores, list(range(1, len(users) + 1)))


class _Members:
    """An object's names and values in order, so that repeated names are seen and not overwritten."""

    __slots__ = ("names", "values")

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        names, values = zip(*pairs, strict=True) if pairs else ((), ())
        self.names: tuple[str, ...] = names
        self.values: tuple[Any, ...] = values


def _are_numbers(values: Iterable[object]) -> bool:
    return set(map(type, values)) <= {int, float}


def _are_ids(values: Sequence[object]) -> bool:
    """Whether all are texts that UTF-8 can hold (JSON can spell half surrogates) or whole numbers."""
    if set(map(type, values)) <= {str}:
        return all(map(str.isascii, values)) or all(map(_is_id, values))  # type: ignore[arg-type]
    return all(map(_is_id, values))


def _floats(values: Sequence[float]) -> FloatArray:
    try:
        return np.array(values, dtype=np.float64)
    except OverflowError:  # a whole number of hundreds of digits
        return np.array([_float(value) for value in values])


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return np.inf


class BadEntry(ValueError):
    """A line's object is not what it should be; the text says why."""


def _entry(entry: object) -> tuple[str, list[str], list[float]]:
    """Give one line's user, items and scores (which may be empty); raise BadEntry."""
    if not isinstance(entry, dict):
        raise BadEntry(f"a {type(entry).__name__} instead of an object")
    names = list(entry)
    user_at, items_at, scores_at = (find_column(names, w) for w in (USER_NAMES, LIST_NAMES, SCORE_NAMES))
    if user_at is None or items_at is None:
        raise BadEntry(f"needs user_id and item_ids, has {shown(', '.join(names), 60)}")
    user, items = entry[names[user_at]], entry[names[items_at]]
    scores = entry[names[scores_at]] if scores_at is not None else []
    if not _is_id(user) or not isinstance(items, list) or not _are_ids(items):
        raise BadEntry("user_id must be text and item_ids a list of texts")
    if not isinstance(scores, list) or not _are_numbers(scores):
        raise BadEntry("scores must be a list of numbers")
    if scores and len(scores) != len(items):
        raise BadEntry(f"{len(items)} items but {len(scores)} scores")
    return str(user), list(map(str, items)), _floats(scores).tolist()


def _is_id(value: object) -> bool:
    if isinstance(value, str):
        return value.isascii() or not any("\ud800" <= mark <= "\udfff" for mark in value)
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18


def _lists(users: list[str], lists: list[list[str]], scores: list[list[float]], lines: list[int]) -> Lists:
    lengths = np.fromiter(map(len, lists), dtype=np.int64, count=len(lists))
    flat: np.ndarray[Any, np.dtype[np.float64]] | None = None
    if any(scores):
        rows = [own or [np.nan] * len(items) for own, items in zip(scores, lists, strict=True)]
        flat = np.array(list(chain.from_iterable(rows)), dtype=np.float64)
    return Lists(
        users=users,
        lengths=lengths,
        items=list(chain.from_iterable(lists)),
        scores=flat,
        lines=np.array(lines, dtype=np.int64),
    )


def _brief(error: Exception) -> str:
    return str(error)[:120] or type(error).__name__
