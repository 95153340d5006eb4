"""Text tables: CSV and TSV (RecTools' and RecBole's among them) and TREC runs."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from bench.schema import FloatArray, Int64Array
from bench.submission.report import Report, SubmissionError, shown
from bench.submission.rows import (
    ITEM_NAMES,
    LIST_NAMES,
    RANK_NAMES,
    SCORE_NAMES,
    USER_NAMES,
    Fingerprint,
    Lists,
    Piece,
    Rows,
    find_column,
)
from bench.submission.source import Block, collector_paused, read_blocks

Fields = tuple[list[list[str]], Int64Array]
"""Rows of fields, and the line of each."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """Where the columns of a delimited table stand."""

    delimiter: str
    width: int
    user: int
    item: int
    is_list: bool
    rank: int | None
    score: int | None
    quoted: bool = True


_WORDS = bytes(range(0x21, 0x7F)) + b"\r\n"

TREC = Header(delimiter=" ", width=6, user=0, item=2, is_list=False, rank=3, score=4, quoted=False)


def read_header(line: str, name: str, number: int = 1) -> Header:
    """Find the columns; RecBole's typed names ('user_id:token') and an index column are understood."""
    delimiter = next((mark for mark in ("\t", ";") if mark in line), ",")
    try:
        names = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error as error:
        raise SubmissionError(f"'{name}', line {number}: {error}") from None
    user, item, items = (find_column(names, wanted) for wanted in (USER_NAMES, ITEM_NAMES, LIST_NAMES))
    if user is None or (item is None and items is None):
        raise SubmissionError(
            f"'{name}', line {number}: the header {shown(line, 80)} needs the columns user_id and item_id "
            "(with rank or score), or user_id and item_ids"
        )
    is_list = item is None
    column = items if item is None else item
    assert column is not None
    return Header(
        delimiter=delimiter,
        width=len(names),
        user=user,
        item=column,
        is_list=is_list,
        rank=None if is_list else find_column(names, RANK_NAMES),
        score=None if is_list else find_column(names, SCORE_NAMES),
    )


def read_delimited(path: Path, report: Report) -> Iterator[Piece]:
    """Read CSV or TSV: one row an item, or one row a user with the items separated by spaces."""
    header: Header | None = None
    for block in read_blocks(path):
        if header is None:
            start, declared, line = _leading_comments(block)
            yield from declared
            if line is None:
                continue
            header = read_header(line, path.name, block.first_line + start)
            block = block.without_lines(start + 1)
        if not block.body:
            continue
        plain = _quotes_whole_fields(block.body, header.delimiter) and not _has_blank_lines(block.body)
        fast = _parse_fast(block, header) if plain and not header.is_list else None
        if fast is not None:
            yield fast
            continue
        with collector_paused():
            rows, lines = _split_delimited(block, header, report)
            piece = (_lists if header.is_list else _rows)(rows, lines, header, report) if rows else None
            del rows
        if piece is not None:
            yield piece
    if header is None:
        raise SubmissionError(f"'{path.name}' holds no header and no rows")


def read_trec(path: Path, report: Report) -> Iterator[Piece]:
    """Read a TREC run: user, Q0, item, rank, score, tag, separated by white space."""
    header: Header | None = None
    for block in read_blocks(path):
        if header is None:
            start, declared, line = _leading_comments(block)
            yield from declared
            if line is None:
                continue
            header = replace(TREC, delimiter="\t" if "\t" in line else " ")
            block = block.without_lines(start)
        fast = _parse_fast(block, header) if _evenly_spaced(block.body, header.delimiter) else None
        if fast is not None:
            yield fast
            continue
        with collector_paused():
            split = [line.split(None, 5) for line in block.lines()]
            rows, lines = _keep_width(split, block.first_line, 6, report)
            piece = _rows(rows, lines, header, report) if rows else None
            del split, rows
        if piece is not None:
            yield piece


def _has_blank_lines(body: bytes) -> bool:
    return body.startswith((b"\n", b"\r\n")) or body.endswith(b"\n") or b"\n\n" in body or b"\n\r\n" in body


def _quotes_whole_fields(body: bytes, delimiter: str) -> bool:
    """Whether each quote opens or closes a field; Arrow is lenient with others."""
    quotes, mark = body.count(b'"'), delimiter.encode()
    if quotes == 0:
        return True
    opening = body.startswith(b'"') + body.count(mark + b'"') + body.count(b'\n"')
    closing = body.endswith(b'"') + sum(body.count(b'"' + end) for end in (mark, b"\n", b"\r"))
    return opening == closing and opening + closing == quotes


def _evenly_spaced(body: bytes, delimiter: str) -> bool:
    """Whether single delimiters and nothing else stand between words, so that splitting at them is enough."""
    mark = delimiter.encode()
    doubled = (mark + mark, mark + b"\n", mark + b"\r", b"\n" + mark)
    if (
        _has_blank_lines(body)
        or body.startswith(mark)
        or body.endswith(mark)
        or any(pair in body for pair in doubled)
    ):
        return False
    return not body.translate(None, _WORDS + mark)


def _parse_fast(block: Block, header: Header) -> Rows | None:
    """Parse a block with Arrow, or give None if anything in it needs a closer look, line by line."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    names = [str(column) for column in range(header.width)]
    types = {str(column): pa.string() for column in (header.user, header.item)}
    types |= {str(column): pa.float64() for column in (header.rank, header.score) if column is not None}
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(block.body),
            read_options=arrow_csv.ReadOptions(column_names=names, use_threads=False, block_size=2**26),
            parse_options=arrow_csv.ParseOptions(
                delimiter=header.delimiter,
                quote_char='"' if header.quoted else False,
                ignore_empty_lines=False,
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=types, include_columns=list(types), null_values=[], strings_can_be_null=False
            ),
        )
    except pa.ArrowException:
        return None
    if table.num_rows != block.body.count(b"\n") + 1:
        return None

    def numbers(column: int | None) -> FloatArray | None:
        return None if column is None else np.asarray(table[str(column)])

    return Rows(
        users=table[str(header.user)].combine_chunks(),
        items=table[str(header.item)].combine_chunks(),
        ranks=numbers(header.rank),
        scores=numbers(header.score),
        lines=np.arange(block.first_line, block.first_line + table.num_rows, dtype=np.int64),
    )


def _leading_comments(block: Block) -> tuple[int, list[Fingerprint], str | None]:
    """Skip blank lines and '#' lines at the start; '# fingerprint: <hex>' names the data.

    Gives the number of lines skipped, what was declared, and the first other line if there is one.
    """
    declared: list[Fingerprint] = []
    lines = block.lines()
    for position, line in enumerate(lines):
        if line.startswith("#"):
            key, _, value = line.lstrip("# ").partition(":")
            if key.strip().lower() == "fingerprint":
                declared.append(Fingerprint(value=value.strip()))
        elif line.strip():
            return position, declared, line
    return len(lines), declared, None


def _split_delimited(block: Block, header: Header, report: Report) -> Fields:
    lines, first = block.lines(), block.first_line
    try:
        rows = list(csv.reader(lines, delimiter=header.delimiter, strict=True))
    except csv.Error:
        rows = []
    if len(rows) != len(lines):
        rows = [_split_one(line, first + at, header.delimiter, report) for at, line in enumerate(lines)]
    return _keep_width(rows, first, header.width, report)


def _split_one(line: str, number: int, delimiter: str, report: Report) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        report.error("unreadable", "rows that cannot be split into fields", [f"line {number}: {error}"])
        return []


def _keep_width(rows: list[list[str]], first: int, width: int, report: Report) -> Fields:
    """Drop blank lines; report and drop rows with another number of fields."""
    numbers = np.arange(first, first + len(rows), dtype=np.int64)
    widths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    if (widths == width).all():
        return rows, numbers
    wrong = np.flatnonzero((widths != width) & (widths != 0))
    places = (f"line {numbers[at]}: {widths[at]} instead of {width}" for at in wrong)
    report.error("fields", "rows with another number of fields", places, len(wrong))
    right = np.flatnonzero(widths == width)
    return [rows[at] for at in right], numbers[right]


def _rows(rows: list[list[str]], lines: Int64Array, header: Header, report: Report) -> Rows:
    columns = list(zip(*rows, strict=True))

    def numbers(column: int | None, what: str) -> FloatArray | None:
        return None if column is None else _numbers(columns[column], lines, what, report)

    return Rows(
        users=columns[header.user],
        items=columns[header.item],
        ranks=numbers(header.rank, "rank"),
        scores=numbers(header.score, "score"),
        lines=lines,
    )


def _lists(rows: list[list[str]], lines: Int64Array, header: Header, report: Report) -> Lists:
    lists = [row[header.item].split() for row in rows]
    return Lists(
        users=[row[header.user] for row in rows],
        lengths=np.fromiter(map(len, lists), dtype=np.int64, count=len(lists)),
        items=list(chain.from_iterable(lists)),
        scores=None,
        lines=lines,
    )


def _numbers(texts: tuple[str, ...], lines: Int64Array, what: str, report: Report) -> FloatArray:
    """Parse a column of numbers; what is none becomes NaN and is reported."""
    try:
        return np.fromiter(map(float, texts), dtype=np.float64, count=len(texts))
    except ValueError:
        values = np.array([_number(text) for text in texts])
    wrong = [at for at, text in enumerate(texts) if np.isnan(values[at]) and text.strip().lower() != "nan"]
    places = (f"line {lines[at]}: {shown(texts[at])}" for at in wrong)
    report.error(f"{what}-text", f"fields that are no {what}", places, len(wrong))
    return values


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan
