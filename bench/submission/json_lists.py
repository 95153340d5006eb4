"""JSON: one object a line with a user's list, or a run as ranx saves it (one object, scores by item)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

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
from bench.submission.source import read_blocks, read_whole

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
        for number, line in enumerate(block.lines, block.first_line):
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
    try:
        run = json.loads(text, object_pairs_hook=_Pairs)
    except JSON_ERRORS as error:
        raise SubmissionError(f"'{path.name}' is not JSON: {_brief(error)}") from None
    if not isinstance(run, _Pairs):
        raise SubmissionError(f"'{path.name}' holds a {type(run).__name__}; a run is an object of objects")
    users: list[str] = []
    lists: list[list[str]] = []
    scores: list[list[float]] = []
    for user, pairs in run:
        sound = isinstance(pairs, _Pairs) and all(_is_id(item) and _is_number(score) for item, score in pairs)
        if not sound or not _is_id(user):
            report.error("entry", "users without an object of scores by item", [f"user {shown(user)}"])
            continue
        ordered = sorted(pairs, key=_descending)
        users.append(user)
        lists.append([item for item, _ in ordered])
        scores.append([_float(score) for _, score in ordered])
    if users:
        yield _lists(users, lists, scores, list(range(1, len(users) + 1)))


class _Pairs(list[tuple[str, Any]]):
    """An object's members in order, so that repeated names are seen and not overwritten."""


def _descending(pair: tuple[str, Any]) -> float:
    value = _float(pair[1])
    return np.inf if np.isnan(value) else -value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


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
    if not _is_id(user) or not isinstance(items, list) or not all(_is_id(item) for item in items):
        raise BadEntry("user_id must be text and item_ids a list of texts")
    if not isinstance(scores, list) or not all(_is_number(score) for score in scores):
        raise BadEntry("scores must be a list of numbers")
    if scores and len(scores) != len(items):
        raise BadEntry(f"{len(items)} items but {len(scores)} scores")
    return str(user), [str(item) for item in items], [_float(score) for score in scores]


def _is_id(value: object) -> bool:
    """Text without half surrogates (which JSON can spell and UTF-8 cannot), or a whole number."""
    if isinstance(value, str):
        return not any("\ud800" <= mark <= "\udfff" for mark in value) if not value.isascii() else True
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
