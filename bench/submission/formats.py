"""Which format a file has, from its content, and the reader for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.errors import unknown_name
from bench.submission.json_lists import looks_like_lines, read_json_lines, read_json_run
from bench.submission.parquet import read_parquet
from bench.submission.report import Report, SubmissionError, shown
from bench.submission.rows import USER_NAMES, Piece, find_column
from bench.submission.source import PARQUET, check_regular, first_bytes
from bench.submission.tables import read_delimited, read_trec

Reader = Callable[[Path, Report], Iterator[Piece]]

FORMATS: dict[str, Reader] = {
    "parquet": read_parquet,
    "csv": read_delimited,
    "jsonl": read_json_lines,
    "ranx-json": read_json_run,
    "trec": read_trec,
}
"""CSV stands for every delimited table: CSV, TSV, RecTools' tables and RecBole's typed headers."""


def detect_format(path: Path) -> str:
    """Name the format, or raise SubmissionError saying what is accepted."""
    check_regular(path)
    start = first_bytes(path)
    if start.startswith(PARQUET):
        return "parquet"
    text = start.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    body = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    first = body[0] if body else ""
    if first.lstrip().startswith(("{", "[")):
        return "jsonl" if looks_like_lines("\n".join(body)) else "ranx-json"
    if find_column(re.split(r"[,;\t]", first), USER_NAMES) is not None:
        return "csv"
    if len(first.split()) >= 6:
        return "trec"
    if any(mark in first for mark in ",;\t"):
        return "csv"
    raise SubmissionError(
        f"'{path.name}', line 1: {shown(first, 60)} begins no known format; give parquet, CSV or TSV with a "
        "header, JSON lines, a TREC run or a ranx JSON run (text may be gzipped), or name it with --format"
    )


def reader_of(path: Path, format_name: str | None) -> tuple[str, Reader]:
    """Give the format's name and its reader; `format_name` overrides what the content looks like."""
    if format_name is not None and format_name not in FORMATS:
        raise unknown_name("format", format_name, FORMATS)
    found = detect_format(path)
    name = format_name or found
    if (found == "parquet") != (name == "parquet"):
        raise SubmissionError(f"'{path.name}' looks like {found}, not {name}")
    return name, FORMATS[name]
