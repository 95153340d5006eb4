"""Parquet: one row a user with a list of items, or one row an item."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

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

ITEMS_PER_BATCH = 2**18
MAX_ITEMS = 500_000_000
MAX_ROW_GROUP_BYTES = 2 * 2**30


def read_parquet(path: Path, report: Report) -> Iterator[Piece]:
    """Read either form in batches; the schema metadata may name the data (`fingerprint`)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            yield from _pieces(file, path.name, report)
    except (pa.ArrowException, OSError, MemoryError) as error:
        reason = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
        raise SubmissionError(f"'{path.name}' is damaged or no parquet file: {reason}") from None


def _pieces(file: Any, name: str, report: Report) -> Iterator[Piece]:
    declared = (file.schema_arrow.metadata or {}).get(b"fingerprint")
    if declared is not None:
        yield Fingerprint(value=declared.decode("utf-8", "replace"))
    names = file.schema_arrow.names
    user, item, items = (find_column(names, wanted) for wanted in (USER_NAMES, ITEM_NAMES, LIST_NAMES))
    if user is None or (item is None and items is None):
        raise SubmissionError(
            f"'{name}' has the columns {shown(', '.join(names), 80)}; it needs user_id and item_ids (lists), "
            "or user_id, item_id and rank or score"
        )
    rank = find_column(names, RANK_NAMES) if item is not None else None
    score = find_column(names, SCORE_NAMES)
    column = item if item is not None else items
    wanted = [names[at] for at in (user, column, rank, score) if at is not None]
    _refuse_size(file.metadata, name)
    total = _leaf_values(file.metadata)
    batch_rows = max(
        1, min(file.metadata.num_rows, ITEMS_PER_BATCH * file.metadata.num_rows // max(total, 1))
    )
    first = 1
    for batch in file.iter_batches(batch_size=batch_rows, columns=wanted):
        lines = np.arange(first, first + batch.num_rows, dtype=np.int64)
        first += batch.num_rows
        columns = {
            at: batch.column(batch.schema.names.index(names[at])) for at in (user, column) if at is not None
        }
        optional = [
            None if at is None else batch.column(batch.schema.names.index(names[at])) for at in (rank, score)
        ]
        users, values = columns[user], columns[column]  # type: ignore[index]
        if item is not None:
            yield _rows(users, values, optional[0], optional[1], lines, report)
        else:
            yield _lists(users, values, optional[1], lines, name, report)


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


def _rows(users: Any, items: Any, ranks: Any, scores: Any, lines: Int64Array, report: Report) -> Rows:
    return Rows(
        users=_text(users, "user", lines, report),
        items=_text(items, "item", lines, report),
        ranks=None if ranks is None else _numbers(ranks, "rank", lines, report),
        scores=None if scores is None else _numbers(scores, "score", lines, report),
        lines=lines,
    )


def _lists(users: Any, lists: Any, scores: Any, lines: Int64Array, name: str, report: Report) -> Lists:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not (pa.types.is_list(lists.type) or pa.types.is_large_list(lists.type)):
        raise SubmissionError(
            f"'{name}': the column of lists has the type {lists.type}; it must be a list of text"
        )
    lengths = np.asarray(pc.fill_null(pc.list_value_length(lists), 0), dtype=np.int64)
    items = lists.flatten()
    item_lines = np.repeat(lines, lengths)
    numbers = None
    if scores is not None:
        if not (pa.types.is_list(scores.type) or pa.types.is_large_list(scores.type)):
            raise SubmissionError(
                f"'{name}': the column of scores has the type {scores.type}; it must be a list"
            )
        of_scores = np.asarray(pc.fill_null(pc.list_value_length(scores), 0), dtype=np.int64)
        wrong = np.flatnonzero(of_scores != lengths)
        places = (f"row {lines[at]}: {lengths[at]} items but {of_scores[at]} scores" for at in wrong)
        report.error("entry", "rows that are not a user's list", places, len(wrong))
        if not len(wrong):
            numbers = _numbers(scores.flatten(), "score", item_lines, report)
    return Lists(
        users=_text(users, "user", lines, report),
        lengths=lengths,
        items=_text(items, "item", item_lines, report),
        scores=numbers,
        lines=lines,
    )


def _text(values: Any, what: str, lines: Int64Array, report: Report) -> Any:
    """Give ids as Arrow strings; whole numbers become text, nothing else does."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    text_types = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_integer)
    if not any(is_type(kind) for is_type in text_types):
        raise SubmissionError(f"the {what} ids have the type {kind}; they must be text")
    text = pc.cast(values, pa.string())
    missing = np.flatnonzero(np.asarray(pc.is_null(text)))
    report.error(f"{what}-null", f"empty {what} ids", (f"row {lines[at]}" for at in missing), len(missing))
    return pc.fill_null(text, "")


def _numbers(values: Any, what: str, lines: Int64Array, report: Report) -> FloatArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        raise SubmissionError(f"the column {what} has the type {values.type}; it must hold numbers")
    missing = np.flatnonzero(np.asarray(pc.is_null(values)))
    report.error(
        f"{what}-text", f"fields that are no {what}", (f"row {lines[at]}" for at in missing), len(missing)
    )
    numbers: FloatArray = np.asarray(pc.fill_null(pc.cast(values, pa.float64(), safe=False), np.nan))
    return numbers
