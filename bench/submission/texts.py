"""Generated texts from any language model: JSON lines of user_id, texts, log_likelihoods (and tokens).

`log_likelihoods` are sums over a text's generated tokens, natural log; `tokens`, how many they are, is
needed by the list rule calrec only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from bench.schema import NO_ITEM, FloatArray, Generations, Int32Array, Int64Array, Rankings, Split
from bench.submission.cells import BadEntry
from bench.submission.lists import report_fingerprint
from bench.submission.names import USER, positions
from bench.submission.rank_texts import rank_texts
from bench.submission.reading.compression import check_regular, first_bytes
from bench.submission.reading.json_lines import JSON_ERRORS
from bench.submission.reading.source import read_blocks
from bench.submission.report import Report, shown

MAX_TEXTS = 100
MAX_CHARACTERS = 1000


@dataclass(frozen=True, kw_only=True)
class _Line:
    user: int
    texts: list[str]
    log_likelihoods: list[float]
    tokens: list[int] | None


@dataclass(frozen=True, kw_only=True)
class Retrieved:
    """Lists found for a file of texts."""

    rankings: Rankings
    """(users, depth) item rows."""
    generations: Generations
    details: Mapping[str, Any]
    """Generation health, and how the lists were made."""


def read_texts(path: Path, split: Split, report: Report, *, list_rule: str, depth: int) -> Retrieved | None:
    """Read a file of texts and let retrieval find the items.

    Gives None, with the problems in the report, if the file is not sound.
    """
    check_regular(path)
    first_bytes(path)
    lines = _read_lines(path, split, report)
    report.rows = sum(len(line.texts) for line in lines)
    report.longest = max((len(line.texts) for line in lines), default=0)
    if not report.rows:
        report.error("empty", "no texts at all", [path.name])
    if not report.ok:
        return None
    lists, generations, details = rank_texts(
        split.catalogue, _generations(lines), _tokens(lines), list_rule, depth
    )
    rankings = np.full((len(split.user_ids), depth), NO_ITEM, dtype=np.int32)
    rankings[generations.users, : lists.shape[1]] = lists
    return Retrieved(rankings=rankings, generations=generations, details=details)


def _read_lines(path: Path, split: Split, report: Report) -> list[_Line]:
    rows = {user_id: row for row, user_id in enumerate(split.user_ids)}
    found: dict[int, _Line] = {}
    for block in read_blocks(path):
        for number, text in enumerate(block.lines(), block.first_line):
            if not text.strip():
                continue
            try:
                entry = json.loads(text)
            except JSON_ERRORS as error:
                report.error("json", "lines that are not JSON", [f"line {number}: {str(error)[:120]}"])
                continue
            if isinstance(entry, dict) and set(entry) == {"fingerprint"}:
                report_fingerprint(report, str(entry["fingerprint"]), split)
                continue
            try:
                line = _check(entry, rows)
            except BadEntry as error:
                report.error("entry", "lines that are not a user's texts", [f"line {number}: {error}"])
                continue
            if line.user in found:
                place = f"line {number}: user {shown(split.user_ids[line.user])}"
                report.error("repeated-user", "users with more than one line", [place])
                continue
            found[line.user] = line
    return [found[user] for user in sorted(found)]


def _check(entry: object, rows: Mapping[str, int]) -> _Line:
    """Give one line's texts, likeliest first; raise BadEntry."""
    if not isinstance(entry, dict) or not {"texts", "log_likelihoods"} <= set(entry):
        raise BadEntry("needs user_id, texts and log_likelihoods")
    names = list(entry)
    at = positions(names, USER)
    user = entry[names[at[0]]] if at else None
    texts, likelihoods, tokens = entry["texts"], entry["log_likelihoods"], entry.get("tokens")
    if not isinstance(user, str) or user not in rows:
        raise BadEntry(f"user {shown(user)} is not in the data set")
    if not isinstance(texts, list) or not all(_is_text(text) for text in texts):
        raise BadEntry(f"texts must be a list of texts of at most {MAX_CHARACTERS} characters")
    if not isinstance(likelihoods, list) or not all(_is_log_likelihood(value) for value in likelihoods):
        raise BadEntry("log_likelihoods must be a list of finite numbers of at most 0")
    if len(texts) != len(likelihoods) or len(texts) > MAX_TEXTS:
        counts = f"{len(texts)} texts and {len(likelihoods)} log-likelihoods"
        raise BadEntry(f"{counts}; they must be as many, at most {MAX_TEXTS}")
    if tokens is not None and not _are_counts(tokens, len(texts)):
        raise BadEntry("tokens must be a list of one whole number from 1 for each text")
    order = sorted(range(len(texts)), key=lambda place: -likelihoods[place])
    return _Line(
        user=rows[user],
        texts=[texts[place] for place in order],
        log_likelihoods=[float(likelihoods[place]) for place in order],
        tokens=None if tokens is None else [tokens[place] for place in order],
    )


def _is_text(value: object) -> bool:
    if not isinstance(value, str) or len(value) > MAX_CHARACTERS:
        return False
    return value.isascii() or not any("\ud800" <= mark <= "\udfff" for mark in value)


def _is_log_likelihood(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e9 <= value <= 1e-6


def _are_counts(value: object, length: int) -> bool:
    return (
        isinstance(value, list)
        and len(value) == length
        and all(type(count) is int and 1 <= count <= 100_000 for count in value)
    )


def _tokens(lines: list[_Line]) -> Int32Array | None:
    """Give the token counts of all texts, or None unless every line has them."""
    counts = [line.tokens for line in lines if line.tokens is not None]
    if len(counts) < len(lines):
        return None
    return np.array(list(chain.from_iterable(counts)), dtype=np.int32)


def _generations(lines: list[_Line]) -> Generations:
    lengths = [len(line.texts) for line in lines]
    indptr: Int64Array = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    users: Int32Array = np.array([line.user for line in lines], dtype=np.int32)
    likelihoods: FloatArray = np.array(list(chain.from_iterable(line.log_likelihoods for line in lines)))
    texts = tuple(chain.from_iterable(line.texts for line in lines))
    return Generations(
        users=users,
        indptr=indptr,
        texts=texts,
        log_likelihoods=likelihoods,
        items=np.full(len(texts), NO_ITEM, dtype=np.int32),
    )
