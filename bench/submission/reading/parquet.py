"""Parquet: any columns, also nested ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.submission.reading.json_lines import DECLARED
from bench.submission.reading.table import SAMPLE_ROWS, Batch, Table, Wanted, row_numbers
from bench.submission.report import SubmissionError

ITEMS_PER_BATCH = 2**18
MAX_ITEMS = 500_000_000
MAX_ROW_GROUP_BYTES = 2 * 2**30


def open_parquet(path: Path) -> Table:
    """Read the schema and the first rows; the schema's metadata may name the data (`fingerprint`)."""
    with _opened(path) as file:
        _refuse_size(file.metadata, path.name)
        names = tuple(file.schema_arrow.names)
        first = next(file.iter_batches(batch_size=SAMPLE_ROWS), None)
        rows = 0 if first is None else first.num_rows
        sample = [
            [] if first is None else first.column(at).slice(0, rows).to_pylist() for at in range(len(names))
        ]
        metadata = file.schema_arrow.metadata or {}
    declared = {
        key: metadata[key.encode()].decode("utf-8", "replace") for key in DECLARED if key.encode() in metadata
    }

    def batches(wanted: Mapping[int, Wanted]) -> Iterator[Batch]:
        with _opened(path) as file:
            yield from _batches(file, names, wanted)

    return Table(names=names, sample=sample, batches=batches, declared=declared, place="row")


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (pa.ArrowException, OSError, MemoryError) as error:
        reason = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
        raise SubmissionError(f"'{path.name}' is damaged or no parquet file: {reason}") from None


def _batches(file: Any, names: tuple[str, ...], wanted: Mapping[int, Wanted]) -> Iterator[Batch]:
    total = max(_leaf_values(file.metadata), 1)
    rows = max(1, min(file.metadata.num_rows, ITEMS_PER_BATCH * file.metadata.num_rows // total))
    first = 1
    for batch in file.iter_batches(batch_size=rows, columns=[names[at] for at in wanted]):
        columns = {at: batch.column(batch.schema.names.index(names[at])) for at in wanted}
        yield Batch(columns=columns, lines=row_numbers(first, batch.num_rows))
        first += batch.num_rows


def _leaf_values(metadata: Any) -> int:
    groups = [metadata.row_group(at) for at in range(metadata.num_row_groups)]
    return sum(max((g.column(c).num_values for c in range(g.num_columns)), default=0) for g in groups)


def _refuse_size(metadata: Any, name: str) -> None:
    groups = [metadata.row_group(at) for at in range(metadata.num_row_groups)]
    if _leaf_values(metadata) > MAX_ITEMS:
        raise SubmissionError(
            f"'{name}' says that it holds over {MAX_ITEMS:,} items; ranked lists need far fewer"
        )
    if any(group.total_byte_size > MAX_ROW_GROUP_BYTES for group in groups):
        limit = MAX_ROW_GROUP_BYTES // 2**30
        raise SubmissionError(f"'{name}' has a row group over {limit} GiB unpacked; write smaller row groups")
