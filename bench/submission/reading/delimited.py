"""Text tables: CSV and TSV with a header (RecTools' and RecBole's among them), and tables without one."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.schema import Int64Array
from bench.submission.columns import names
from bench.submission.reading.headerless import is_trec, name_columns
from bench.submission.reading.json_lines import DECLARED
from bench.submission.reading.source import Block, collector_paused, read_blocks
from bench.submission.reading.table import SAMPLE_ROWS, Batch, Known, Table, Wanted, row_numbers
from bench.submission.report import Report, SubmissionError

MAX_RECORD_BYTES = 2**20
"""A row with line breaks in quotes may be so long; a quote that is never closed is met after as much."""
_WORDS = bytes(range(0x21, 0x7F)) + b"\r\n"


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How the rows of a text table are written."""

    delimiter: str
    width: int
    head_lines: int
    """Lines before the first row."""
    quoted: bool = True
    """Whether quotes hold fields together; columns that white space separates have none."""


def open_delimited(path: Path, known: Known, report: Report) -> Table:
    """Read the header, or tell the columns of a table without one from what stands in them."""
    for block in read_blocks(path):
        skipped, declared, line = _leading_comments(block)
        if line is not None:
            break
    else:
        raise SubmissionError(f"'{path.name}' holds no header and no rows")
    delimiter, quoted = _delimiter(line)
    rows = [row for row in _sample_rows(block.without_lines(skipped), delimiter, quoted) if row]
    if not rows:
        raise SubmissionError(f"'{path.name}', line {block.first_line + skipped}: no row can be read")
    named = _is_header(rows, known, quoted=quoted)
    columns = tuple(name.strip() for name in rows[0]) if named else name_columns(rows, known)
    body = rows[1:] if named else rows
    layout = Layout(
        delimiter=delimiter,
        width=len(columns),
        head_lines=block.first_line + skipped - 1 + named,
        quoted=quoted,
    )

    def batches(wanted: Mapping[int, Wanted]) -> Iterator[Batch]:
        return _batches(path, layout, wanted, report)

    return Table(
        names=columns,
        sample=[[row[at] if at < len(row) else None for row in body] for at in range(len(columns))],
        batches=batches,
        declared=declared,
        named=named,
    )


def _delimiter(line: str) -> tuple[str, bool]:
    """Give what separates the fields, and whether quotes hold them together."""
    if len(line.split()) >= 5 and not any(mark in line for mark in ",;|"):
        return ("\t" if "\t" in line else " "), not is_trec(line.split(None, 5))
    mark = next((mark for mark in ("\t", ";", ",", "|") if mark in line), " ")
    return mark, mark != " "


def _is_header(rows: Sequence[Sequence[str]], known: Known, *, quoted: bool) -> bool:
    """Whether the first row names columns: known names, or no ids where the rows below have them."""
    first = rows[0]
    if names.positions(first, names.USER | names.ITEM | names.LIST):
        return True
    if not first[0].strip():  # a data frame's index has no name
        return True
    if is_trec(first) or any(cell.strip() in known.users or cell.strip() in known.items for cell in first):
        return False
    if not quoted and len(rows) == 1:
        return False
    return "user" in name_columns(rows[1:], known) if len(rows) > 1 else True


def _sample_rows(block: Block, delimiter: str, quoted: bool) -> list[list[str]]:
    lines = block.lines()[: 4 * SAMPLE_ROWS]
    if not quoted:
        return [_split_words(line, delimiter) for line in lines[: SAMPLE_ROWS + 1]]
    rows: list[list[str]] = []
    try:
        for row in csv.reader((f"{line}\n" for line in lines), delimiter=delimiter, skipinitialspace=True):
            if row:
                rows.append(row)
            if len(rows) > SAMPLE_ROWS:
                break
    except csv.Error:
        pass  # reported with its line when all is read
    return rows


def _split_words(line: str, delimiter: str) -> list[str]:
    return line.split(None, 5) if delimiter in (" ", "\t") else line.split(delimiter)


def _batches(path: Path, layout: Layout, wanted: Mapping[int, Wanted], report: Report) -> Iterator[Batch]:
    head = layout.head_lines
    for block in _whole_records(read_blocks(path), layout):
        skip = min(max(head - block.first_line + 1, 0), block.body.count(b"\n") + 1)
        block = block.without_lines(skip) if skip else block
        if not block.body:
            continue
        plain = (
            _quotes_whole_fields(block.body, layout.delimiter) and not _has_blank_lines(block.body)
            if layout.quoted
            else _evenly_spaced(block.body, layout.delimiter)
        )
        fast = _parse_fast(block, layout, wanted) if plain and "list" not in wanted.values() else None
        if fast is not None:
            yield fast
            continue
        with collector_paused():
            rows, lines = _split(block, layout, report)
            columns = list(zip(*rows, strict=True)) if rows else []
            del rows
        if columns:
            yield Batch(columns={at: columns[at] for at in wanted}, lines=lines)


def _whole_records(blocks: Iterator[Block], layout: Layout) -> Iterator[Block]:
    """Cut blocks before a quoted field that goes on in the next block."""
    carry: Block | None = None
    for block in blocks:
        if carry is not None:
            body = carry.body + b"\n" + block.body
            block, carry = Block(name=block.name, first_line=carry.first_line, body=body), None
        if layout.quoted and block.body.count(b'"') % 2:
            cut = block.body.rfind(b"\n", 0, block.body.rfind(b'"'))
            if len(block.body) - cut <= MAX_RECORD_BYTES:
                rest = block.body[cut + 1 :]
                line = block.first_line + block.body[: cut + 1].count(b"\n")
                carry = Block(name=block.name, first_line=line, body=rest)
                if cut > 0:
                    yield Block(name=block.name, first_line=block.first_line, body=block.body[:cut])
                continue
        yield block
    if carry is not None:
        yield carry


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


def _parse_fast(block: Block, layout: Layout, wanted: Mapping[int, Wanted]) -> Batch | None:
    """Parse a block with Arrow, or give None if anything in it needs a closer look, line by line."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    columns = [str(column) for column in range(layout.width)]
    types = {str(at): pa.float64() if kind == "number" else pa.string() for at, kind in wanted.items()}
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(block.body),
            read_options=arrow_csv.ReadOptions(column_names=columns, use_threads=False, block_size=2**26),
            parse_options=arrow_csv.ParseOptions(
                delimiter=layout.delimiter,
                quote_char='"' if layout.quoted else False,
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
    found: dict[int, Any] = {at: table[str(at)].combine_chunks() for at in wanted}
    return Batch(columns=found, lines=row_numbers(block.first_line, table.num_rows))


def _leading_comments(block: Block) -> tuple[int, dict[str, str], str | None]:
    """Skip blank lines and '#' lines at the start; '# fingerprint: <hex>' and its like are declarations.

    Gives the number of lines skipped, what was declared, and the first other line if there is one.
    """
    declared: dict[str, str] = {}
    lines = block.lines()
    for position, line in enumerate(lines):
        if line.startswith(("#", "sep=")):  # a spreadsheet says so what separates the fields
            key, _, value = line.lstrip("# ").partition(":")
            if key.strip().lower() in DECLARED:
                declared[key.strip().lower()] = value.strip()
        elif line.strip():
            return position, declared, line
    return len(lines), declared, None


def _split(block: Block, layout: Layout, report: Report) -> tuple[list[list[str]], Int64Array]:
    lines, first = block.lines(), block.first_line
    if not layout.quoted:
        rows = [_split_words(line, layout.delimiter) for line in lines]
        return _keep_width(rows, row_numbers(first, len(rows)), layout.width, report)
    rows, numbers = [], []
    ended = (f"{line}\n" for line in lines)  # a line break in quotes is part of the field
    reader = csv.reader(ended, delimiter=layout.delimiter, strict=True, skipinitialspace=True)
    try:
        while True:
            start = reader.line_num
            rows.append(next(reader))
            numbers.append(first + start)
    except StopIteration:
        pass
    except csv.Error:
        rows = [_split_one(line, first + at, layout.delimiter, report) for at, line in enumerate(lines)]
        numbers = list(range(first, first + len(lines)))
    return _keep_width(rows, np.array(numbers, dtype=np.int64), layout.width, report)


def _split_one(line: str, number: int, delimiter: str, report: Report) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True, skipinitialspace=True), [])
    except csv.Error as error:
        report.error("unreadable", "rows that cannot be split into fields", [f"line {number}: {error}"])
        return []


def _keep_width(
    rows: list[list[str]], numbers: Int64Array, width: int, report: Report
) -> tuple[list[list[str]], Int64Array]:
    """Drop blank lines; report and drop rows with another number of fields."""
    widths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    if (widths == width).all():
        return rows, numbers
    wrong = np.flatnonzero((widths != width) & (widths != 0))
    places = (f"line {numbers[at]}: {widths[at]} instead of {width}" for at in wrong)
    report.error("fields", "rows with another number of fields", places, len(wrong))
    right = np.flatnonzero(widths == width)
    return [rows[at] for at in right], numbers[right]
