"""Batches of a table, by the roles of its columns -> users, items, ranks and scores as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from bench.schema import FloatArray, Int64Array
from bench.submission.columns.content import id_text
from bench.submission.columns.list_cells import PADDING, BadEntry, explode, numbers
from bench.submission.columns.roles import Roles
from bench.submission.reading.table import Batch, Column, Wanted
from bench.submission.report import Report, SubmissionError, shown


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Lists, or parts of lists: one entry of `users` has `lengths` entries of the items."""

    users: Any
    """(n,) Arrow strings."""
    lines: Int64Array
    """(n,) line (or row) of each, from 1."""
    lengths: Int64Array
    """(n,) items of each; all 1 where the file has one row an item."""
    items: Any
    """(items,) Arrow strings."""
    ranks: FloatArray | None = None
    """(items,) NaN where the field is no number."""
    scores: FloatArray | None = None
    """(items,) the larger the better, NaN where there is none."""
    whole: bool = True
    """Whether an entry is a user's whole list."""


def wanted_columns(roles: Roles) -> dict[int, Wanted]:
    """Say which columns are read, and how."""
    wanted: dict[int, Wanted] = {roles.user: "id"}
    kinds: dict[str, Wanted] = {"rows": "id", "lists": "list", "wide": "other"}
    wanted |= dict.fromkeys(roles.items, kinds[roles.shape])
    number: Wanted = "number" if roles.shape == "rows" else "other"
    wanted |= {at: number for at in (roles.order.column, roles.order.check) if at is not None}
    return wanted


def piece_of(batch: Batch, roles: Roles, report: Report) -> Piece:
    """Give a batch's lists; what is wrong in it is reported."""
    users = ids_of(batch.columns[roles.user], "user", batch.lines, report)
    if roles.shape == "rows":
        return _of_rows(users, batch, roles, report)
    if roles.shape == "wide":
        return _of_wide(users, batch, roles)
    return _of_lists(users, batch, roles, report)


def _of_rows(users: Any, batch: Batch, roles: Roles, report: Report) -> Piece:
    order = roles.order
    items = ids_of(batch.columns[roles.items[0]], "item", batch.lines, report)
    ranks = scores = None
    if order.kind == "rank" and order.column is not None:
        ranks = _numbers(batch.columns[order.column], "rank", items, batch.lines, report)
    at = order.column if order.kind == "score" else order.check
    if at is not None:
        scores = _numbers(batch.columns[at], "score", items, batch.lines, report)
        scores = -scores if order.ascending else scores
    ones = np.ones(len(batch.lines), dtype=np.int64)
    return Piece(
        users=users, lines=batch.lines, lengths=ones, items=items, ranks=ranks, scores=scores, whole=False
    )


def _of_wide(users: Any, batch: Batch, roles: Roles) -> Piece:
    import pyarrow as pa

    columns = [as_python(batch.columns[at]) for at in roles.items]
    flat = [None if item is None else id_text(item) for row in zip(*columns, strict=True) for item in row]
    lengths = np.full(len(batch.lines), len(columns), dtype=np.int64)
    return Piece(
        users=users, lines=batch.lines, lengths=lengths, items=pa.array(flat, pa.string()).fill_null("")
    )


def _of_lists(users: Any, batch: Batch, roles: Roles, report: Report) -> Piece:
    order = roles.order
    lengths, items, scores = _lists_of(batch.columns[roles.items[0]], batch.lines, report)
    at = order.column if order.column is not None else order.check
    if at is not None:
        scores = _scores_beside(batch.columns[at], lengths, batch.lines, report)
    if order.kind == "file" and order.chosen:
        scores = None
    if scores is not None and order.ascending:
        scores = -scores
    return Piece(users=users, lines=batch.lines, lengths=lengths, items=items, scores=scores)


def ids_of(column: Column, what: str, lines: Int64Array, report: Report) -> Any:
    """Give ids as Arrow strings; whole numbers become text, nothing else does."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not isinstance(column, pa.Array):
        return pa.array(_id_texts(column, what, lines, report), pa.string())
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return pa.array(_id_texts(column.to_pylist(), what, lines, report), pa.string())
    text_types = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_integer)
    if not any(is_type(kind) for is_type in text_types):
        raise SubmissionError(f"the {what} ids have the type {kind}; they must be text")
    text = pc.cast(column, pa.string())
    return pc.fill_null(text, "") if text.null_count else text


def _id_texts(values: Sequence[object], what: str, lines: Int64Array, report: Report) -> list[str]:
    if set(map(type, values)) <= {str} and all(map(str.isascii, values)):  # type: ignore[arg-type]
        return list(values)  # type: ignore[arg-type]
    texts = []
    for line, value in zip(lines, values, strict=True):
        fault = id_fault(value)
        if fault is not None:
            report.error(
                "entry", "rows that are not a user's list", [f"{report.place} {line}: {what} id {fault}"]
            )
        texts.append("" if value is None or fault is not None else id_text(value))
    return texts


def id_fault(value: object) -> str | None:
    """Say why a value cannot be an id; None if it can, or is missing."""
    if isinstance(value, str):
        half = (
            next((mark for mark in value if "\ud800" <= mark <= "\udfff"), None)
            if not value.isascii()
            else None
        )
        return (
            None if half is None else f"{shown(value)} holds half a surrogate pair ({half!r}), no character"
        )
    if value is None or (isinstance(value, float) and (value.is_integer() or value != value)):
        return None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18:
        return None
    return f"{shown(value)} is a {type(value).__name__}; it must be text"


def as_python(column: Column) -> Sequence[object]:
    """Give a column as Python values."""
    import pyarrow as pa

    values: Sequence[object] = column.to_pylist() if isinstance(column, pa.Array) else column
    return values


def _lists_of(column: Column, lines: Int64Array, report: Report) -> tuple[Int64Array, Any, FloatArray | None]:
    """Give lengths, items and the scores inside the lists, if there are any."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if (
        isinstance(column, pa.Array)
        and _is_list(column.type)
        and not pa.types.is_nested(column.type.value_type)
    ):
        lengths = np.asarray(pc.fill_null(pc.list_value_length(column), 0), dtype=np.int64)
        flat = column.flatten()
        if pa.types.is_dictionary(flat.type):
            flat = flat.dictionary_decode()
        return lengths, ids_of(flat, "item", np.repeat(lines, lengths), report), None
    return _exploded(as_python(column), lines, report)


def _is_list(kind: Any) -> bool:
    import pyarrow as pa

    return any(
        is_type(kind) for is_type in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    )


def _exploded(
    values: Sequence[object], lines: Int64Array, report: Report
) -> tuple[Int64Array, Any, FloatArray | None]:
    import pyarrow as pa

    lists: list[Sequence[object]] = []
    scores: list[Sequence[float] | None] = []
    for line, value in zip(lines, values, strict=True):
        if type(value) is list and set(map(type, value)) <= {str}:
            items, own = (value, None) if "..." not in value else _cell(value, line, report)
        else:
            items, own = _cell(value, line, report)
        lists.append(items)
        scores.append(own)
    lengths = np.fromiter(map(len, lists), dtype=np.int64, count=len(lists))
    flat = list(chain.from_iterable(lists))
    texts = _id_texts(flat, "item", np.repeat(lines, lengths), report)
    numbers_of = None
    if any(own is not None for own in scores):
        rows = [
            own if own is not None else [np.nan] * len(one) for own, one in zip(scores, lists, strict=True)
        ]
        numbers_of = np.fromiter(chain.from_iterable(rows), dtype=np.float64, count=len(flat))
    return lengths, pa.array(texts, pa.string()), numbers_of


def _cell(value: object, line: int, report: Report) -> tuple[Sequence[object], Sequence[float] | None]:
    try:
        items, own, _ = explode(value)
        return items, own
    except BadEntry as error:
        report.error("entry", "rows that are not a user's list", [f"{report.place} {line}: {error}"])
        return [], None


def _scores_beside(
    column: Column, lengths: Int64Array, lines: Int64Array, report: Report
) -> FloatArray | None:
    """Give the scores that stand in a column of lists; a row without scores has NaN."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if (
        isinstance(column, pa.Array)
        and _is_list(column.type)
        and not pa.types.is_nested(column.type.value_type)
    ):
        counts = np.asarray(pc.fill_null(pc.list_value_length(column), 0), dtype=np.int64)
        flat = column.flatten()
        if not (pa.types.is_integer(flat.type) or pa.types.is_floating(flat.type)):
            raise SubmissionError(f"the lists of scores hold {flat.type}; they must hold numbers")
        given = np.asarray(pc.fill_null(pc.cast(flat, pa.float64(), safe=False), np.nan))
    else:
        rows = [
            _number_cell(value, line, report) for value, line in zip(as_python(column), lines, strict=True)
        ]
        counts = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
        given = np.fromiter(chain.from_iterable(rows), dtype=np.float64, count=int(counts.sum()))
    wrong = np.flatnonzero((counts != lengths) & (counts != 0))
    places = (f"{report.place} {lines[at]}: {lengths[at]} items but {counts[at]} scores" for at in wrong)
    report.error("entry", "rows that are not a user's list", places, len(wrong))
    if len(wrong):
        return None
    scores = np.full(int(lengths.sum()), np.nan)
    scores[np.repeat(counts > 0, lengths)] = given
    return scores


def _number_cell(value: object, line: int, report: Report) -> list[float]:
    try:
        return numbers(value)
    except BadEntry as error:
        report.error("entry", "rows that are not a user's list", [f"{report.place} {line}: {error}"])
        return []


def _numbers(column: Column, what: str, items: Any, lines: Int64Array, report: Report) -> FloatArray:
    """Parse a column of numbers; what is none becomes NaN and is reported, but not beside padding."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(column, pa.Array):
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            numeric: FloatArray = np.asarray(pc.fill_null(pc.cast(column, pa.float64(), safe=False), np.nan))
            if not column.null_count:
                return numeric
        elif not (
            pa.types.is_string(column.type)
            or pa.types.is_large_string(column.type)
            or pa.types.is_decimal(column.type)
            or pa.types.is_null(column.type)
        ):
            raise SubmissionError(f"the column of {what}s has the type {column.type}; it must hold numbers")
        column = column.to_pylist()
    try:
        return np.fromiter(map(float, column), dtype=np.float64, count=len(column))
    except (TypeError, ValueError, OverflowError):
        values = np.array([_number(value) for value in column])
    at_fault = [
        at
        for at in np.flatnonzero(np.isnan(values))
        if str(column[at]).strip().lower() != "nan" and items[int(at)].as_py() not in PADDING
    ]
    places = (f"{report.place} {lines[at]}: {shown(column[at])}" for at in at_fault)
    report.error(f"{what}-text", f"fields that are no {what}", places, len(at_fault))
    return values


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except OverflowError:
        return np.inf
    except (TypeError, ValueError):
        return np.nan
