"""A table in a file -> batches: CSV, TSV, RecBole's atomic files, JSON lines or array, Parquet; also gzipped.

Read piece by piece, and only the columns asked for: the whole file is never in memory. Columns of text
files are read as text, so that an id keeps its leading zeros.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.datasets.amazon.literals import parse_literal
from bench.errors import DataError
from bench.files.lines import Block, read_blocks

BLOCK_BYTES = 16 << 20
ROWS_A_BATCH = 1 << 20
_SAMPLE_BYTES = 1 << 16
_SEPARATORS = ("\t", ",", ";", "|")


@dataclass(frozen=True)
class Table:
    """A file with named columns."""

    path: Path
    literals: bool = False
    """Whether a line may be a Python literal where it is not JSON."""

    @cached_property
    def kind(self) -> str:
        """Tell what the file is by its content: parquet, csv, jsonl or json."""
        start = self._start
        if start[:4] == b"PAR1":
            return "parquet"
        text = start.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
        if text.startswith("["):
            return "json"
        return "jsonl" if text.startswith("{") else "csv"

    @cached_property
    def headers(self) -> list[str]:
        """Give the names of the columns; DataError where there are none or one comes twice."""
        with _readable(self.path):
            names = self._headers()
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise DataError(f"{self.path}: several columns are called {', '.join(twice)}")
        if not names:
            raise DataError(f"{self.path} has no columns")
        return names

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """Yield record batches that hold these columns."""
        with _readable(self.path):
            yield from {"parquet": self._parquet, "csv": self._csv}.get(self.kind, self._json)(list(columns))

    @cached_property
    def _start(self) -> bytes:
        import pyarrow as pa

        with _readable(self.path):
            with self.path.open("rb") as stream:
                magic = stream.read(4)
            if not magic:
                raise DataError(f"{self.path} is empty")
            if magic == b"PAR1":
                return magic
            with pa.input_stream(str(self.path), compression=self._compression(magic)) as unpacked:
                return unpacked.read(_SAMPLE_BYTES)  # type: ignore[no-any-return]

    def _compression(self, magic: bytes | None = None) -> str | None:
        if magic is None:
            with self.path.open("rb") as stream:
                magic = stream.read(4)
        if magic[:2] == b"\x1f\x8b":
            return "gzip"
        return {b"BZh": "bz2", b"\x28\xb5\x2f": "zstd"}.get(magic[:3])

    @cached_property
    def _separator(self) -> str:
        first = self._start.decode("utf-8", "replace").lstrip("\ufeff").split("\n", 1)[0]
        return max(_SEPARATORS, key=first.count)  # the first of the list where none is there

    def _headers(self) -> list[str]:
        if self.kind == "parquet":
            import pyarrow.parquet as pq

            return list(pq.read_schema(self.path, memory_map=False).names)
        if self.kind == "csv":
            import csv

            text = self._start.decode("utf-8", "replace").lstrip("\ufeff")
            row = next(csv.reader(text.splitlines()[:1], delimiter=self._separator), [])
            if row and all(_is_number(cell) for cell in row):
                raise DataError(
                    f"{self.path} has no line of column names: it begins {', '.join(row):.60}; add one"
                )
            return [cell.strip() for cell in row]
        return list(dict.fromkeys(name for row in self._json_rows(limit=200) for name in row))

    def _parquet(self, columns: list[str]) -> Iterator[Any]:
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.path, memory_map=False) as file:
            yield from file.iter_batches(ROWS_A_BATCH, columns=columns, use_threads=False)

    def _csv(self, columns: list[str]) -> Iterator[Any]:
        import pyarrow as pa
        import pyarrow.csv as pc

        wrong: list[str] = []

        def skip(row: Any) -> str:
            wrong.append(f"line {row.number}: {row.actual_columns} cells, {row.expected_columns} columns")
            return "skip"

        with pa.input_stream(str(self.path), compression=self._compression()) as stream:
            reader = pc.open_csv(
                stream,
                read_options=pc.ReadOptions(
                    block_size=BLOCK_BYTES, use_threads=False, column_names=self.headers, skip_rows=1
                ),
                parse_options=pc.ParseOptions(
                    delimiter=self._separator, newlines_in_values=True, invalid_row_handler=skip
                ),
                convert_options=pc.ConvertOptions(
                    include_columns=columns,
                    column_types=dict.fromkeys(columns, pa.string()),
                    null_values=[""],
                    strings_can_be_null=True,
                ),
            )
            yield from reader
        if wrong:
            raise DataError(f"{self.path}: {len(wrong):,} lines do not fit the header, such as {wrong[0]}")

    def _json(self, columns: list[str]) -> Iterator[Any]:
        import pyarrow as pa

        if self.kind == "json":
            rows = [{name: row.get(name) for name in columns} for row in self._json_rows()]
            yield pa.RecordBatch.from_pylist(rows)
            return
        schema = self._json_schema(columns)
        for block in read_blocks(self.path, BLOCK_BYTES):
            yield from _arrow_block(block.text, schema) or [self._plain_block(block, columns)]

    def _json_schema(self, columns: list[str]) -> Any:
        """Give the types of the columns as the first rows have them."""
        import pyarrow as pa

        rows = [{name: row.get(name) for name in columns} for row in self._json_rows(limit=200)]
        try:
            return pa.RecordBatch.from_pylist(rows).schema
        except (pa.ArrowException, OverflowError):
            return None

    def _plain_block(self, block: Block, columns: list[str]) -> Any:
        """Read a block that Arrow does not take: line by line, so that an error has its line."""
        import pyarrow as pa

        rows = [{name: row.get(name) for name in columns} for row in self._objects(block)]
        if self.literals:
            return pa.RecordBatch.from_pydict(
                {name: _column([row[name] for row in rows]) for name in columns}
            )
        return (
            pa.RecordBatch.from_pylist(rows) if rows else pa.RecordBatch.from_pydict({n: [] for n in columns})
        )

    def _json_rows(self, limit: int | None = None) -> Iterator[dict[str, Any]]:
        number = 0
        for number, row in enumerate(self._json_values(), start=1):
            yield row
            if number == limit:
                return
        if not number:
            raise DataError(f"{self.path} holds no rows")

    def _json_values(self) -> Iterator[dict[str, Any]]:
        if self.kind == "jsonl":
            for block in read_blocks(self.path):
                yield from self._objects(block)
            return
        import pyarrow as pa

        with pa.input_stream(str(self.path), compression=self._compression()) as stream:
            rows = json.loads(stream.read())
        for number, row in enumerate(rows, start=1):
            if not isinstance(row, dict):
                raise DataError(f"{self.path}, row {number}: not a JSON object, starts {row!r:.40}")
            yield row

    def _objects(self, block: Block) -> Iterator[dict[str, Any]]:
        for number, line in enumerate(block.lines, start=block.first_line):
            if not line.strip():
                continue
            try:
                row = self._value(line)
            except (ValueError, RecursionError) as error:
                what = "neither JSON nor a Python literal" if self.literals else "not JSON"
                raise DataError(f"{self.path}, line {number}: {what} ({error})") from None
            if not isinstance(row, dict):
                raise DataError(f"{self.path}, line {number}: not a JSON object, starts {row!r:.40}")
            yield row

    def _value(self, line: str) -> Any:
        try:
            return json.loads(line)
        except (ValueError, RecursionError):
            if not self.literals:
                raise
        return parse_literal(line.strip())


def _column(values: list[Any]) -> Any:
    """Give a column; one that mixes texts and numbers, as prices that are 'Free', becomes text."""
    import pyarrow as pa

    try:
        return pa.array(values)
    except pa.ArrowException:
        if not all(value is None or isinstance(value, str | int | float) for value in values):
            raise
    return pa.array([None if value is None else str(value) for value in values], pa.string())


def _arrow_block(text: str, schema: Any) -> list[Any]:
    """Read a block of JSON lines by Arrow, many times faster; nothing where it does not take it whole."""
    import pyarrow as pa
    import pyarrow.json as pj

    if schema is None or any(pa.types.is_null(kind) for kind in schema.types):
        return []
    data = text.encode()
    try:
        table = pj.read_json(
            pa.BufferReader(data),
            read_options=pj.ReadOptions(use_threads=False, block_size=len(data) + 1),
            parse_options=pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )
    except pa.ArrowException:
        return []
    lines = text.count("\n") + 1
    # fewer rows than lines: blank ones, or values that span lines; then each line is looked at
    return table.to_batches() if table.num_rows == lines else []


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn what a reader of a file raises into a DataError that names the file."""
    import pyarrow as pa

    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error).splitlines()[0]
        raise DataError(f"cannot read {path}: {reason:.200}") from None
    except (pa.ArrowException, ValueError, EOFError, OverflowError, RecursionError) as error:
        raise DataError(
            f"{path} cannot be read: {(str(error) or type(error).__name__).splitlines()[0]:.200}"
        ) from None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
