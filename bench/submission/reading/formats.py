"""Which format a file has, from its content, and the reader for it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from bench.errors import unknown_name
from bench.submission.columns import names
from bench.submission.controls import Controls
from bench.submission.reading.compression import (
    LZ4,
    PARQUET,
    check_regular,
    first_bytes,
    open_binary,
    packing_of,
    read_some,
)
from bench.submission.reading.delimited import open_delimited
from bench.submission.reading.json_lines import JSON_ERRORS, open_json_lines
from bench.submission.reading.json_values import open_json_value, open_ranx_lz4
from bench.submission.reading.parquet import open_parquet
from bench.submission.reading.source import MAX_LINE_BYTES, encoding_of
from bench.submission.reading.table import Known, Table
from bench.submission.report import Report, SubmissionError, shown

FORMATS = {
    "parquet": "parquet, of any columns",
    "csv": "CSV, TSV and other text tables, with or without a header; TREC runs",
    "jsonl": "JSON lines, one object a line",
    "json": "one JSON value: an array of objects, columns, or an object with users as keys (ranx)",
    "ranx-lz4": "a ranx run saved as .lz4",
}
_ALIASES = {"ranx-json": "json", "trec": "csv", "tsv": "csv"}


def detect_format(path: Path, controls: Controls) -> str:
    """Name the format, or raise SubmissionError saying what is accepted."""
    check_regular(path)
    start = first_bytes(path)
    if start.startswith(PARQUET):
        return "parquet"
    if packing_of(path) == "lz4" and start.startswith(LZ4):
        return "ranx-lz4"
    encoding, mark = encoding_of(start)
    text = start[mark:].decode(encoding, "replace")
    body = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    first = body[0].lstrip() if body else ""
    if first.startswith(("{", "[")):
        return "jsonl" if first.startswith("{") and _is_json_lines(path) else "json"
    if not first:
        return "csv"  # blank lines and comments so far
    if len(re.split(r"[\s,;|]+", first)) >= 2 and first.replace("\t", " ").isprintable():
        return "csv"
    raise SubmissionError(
        f"'{path.name}', line 1: {shown(first, 60)} begins no known format; give parquet, CSV or TSV, "
        "JSON, JSON lines, or a TREC or ranx run (text may be packed by gz, bz2, xz, zst or lz4)"
        + (f", or name it with {controls.format}" if controls.format else "")
    )


def open_table(
    path: Path, known: Known, report: Report, controls: Controls, format_name: str | None = None
) -> tuple[str, Table]:
    """Give the format's name and the table; `format_name` overrides what the content looks like."""
    format_name = _ALIASES.get(format_name or "", format_name)
    if format_name is not None and format_name not in FORMATS:
        raise unknown_name("format", format_name, FORMATS)
    name = detect_format(path, controls)
    if format_name is not None and format_name != name:
        if "parquet" in (name, format_name):
            raise SubmissionError(f"'{path.name}' looks like {name}, not {format_name}")
        name = format_name
    report.format = name
    if name == "parquet":
        return name, open_parquet(path)
    if name == "jsonl":
        return name, open_json_lines(path, known, report)
    if name == "json":
        return name, open_json_value(path, known)
    if name == "ranx-lz4":
        return name, open_ranx_lz4(path, known)
    return name, open_delimited(path, known, report)


def _is_json_lines(path: Path) -> bool:
    """Whether the first lines are JSON each, and not one value that is spread over lines."""
    with open_binary(path) as file:
        start = read_some(file, MAX_LINE_BYTES, path)
    encoding, mark = encoding_of(start)
    text = start[mark:].decode(encoding, "replace")
    lines = [line for line in text.replace("\r", "\n").split("\n") if line.strip()][:3]
    objects = [_is_object(line) for line in lines]
    if len(lines) == 1:
        return objects[0] and _has_parts(lines[0])
    return any(objects[:2])


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except JSON_ERRORS:
        return False


def _has_parts(line: str) -> bool:
    """Whether the only line is one user's object; an object of users or of columns is a value."""
    value = json.loads(line)
    at = names.positions(value, names.USER)
    return bool(at) and not isinstance(list(value.values())[at[0]], list | dict)
