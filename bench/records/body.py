"""A record as the text of its JSON file, and back, with all that is wrong said."""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter, ValidationError

from bench.errors import RecordError
from bench.metrics.definitions import METRICS
from bench.record import SCHEMA_VERSION, VIEWS, Record

MAX_RECORD_BYTES = 8 * 2**20
ROUNDING = 1e-9
_JSON: TypeAdapter[Any] = TypeAdapter(Any)


def as_json(record: Record) -> bytes:
    """Give the file's content; ValueError or TypeError if it could not be read back."""
    # the model below would turn NaN in free-form parts into null without a word
    json.dumps([record.details, record.card, record.model.parameters], allow_nan=False)
    body = record.model_dump(mode="json")
    text = (json.dumps(body, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()
    if len(text) > MAX_RECORD_BYTES:
        raise ValueError(
            f"it takes {len(text):,} bytes and may take {MAX_RECORD_BYTES:,}; shorten its details"
        )
    _check_values(Record.model_validate(body))
    return text


def parse_record(text: bytes, *, whole: bool = True) -> Record:
    """Read a record; RecordError says what is wrong with it.

    Without its bulk - groups of users, memory over time - it is read in half the time; what is wrong
    with those is then not noticed.
    """
    record = _parse_fast(text, whole) or _parse(text, whole)
    try:
        _check_values(record)
    except ValueError as error:
        raise RecordError(f"not a valid record: {error}") from None
    return record


def _check_values(record: Record) -> None:
    """Raise ValueError for a share above 1: such a record would lead every board."""
    for view in VIEWS if record.metrics else ():
        for name, found in getattr(record.metrics, view).items():
            metric = METRICS.get(name.partition("@")[0])
            if metric is not None and metric.share and max(found.value or 0, found.high or 0) > 1 + ROUNDING:
                raise ValueError(f"{name} is above 1")


def _parse_fast(text: bytes, whole: bool) -> Record | None:
    """Parse and validate in one step, twice as fast; None for all that needs a closer look."""
    if b"NaN" in text or b"Infinity" in text:
        return None
    try:
        record = (
            Record.model_validate_json(text)
            if whole
            else Record.model_validate(_slim(_JSON.validate_json(text)))
        )
    except ValueError:
        return None
    return record if "schema_version" in record.model_fields_set else None


def _slim(body: Any) -> Any:
    """Leave out the bulk of a record's JSON; whatever is not shaped like one stays as it is."""
    if isinstance(body, dict):
        for part, bulk in (("metrics", "slices"), ("cost", "memory_timeline")):
            if isinstance(inside := body.get(part), dict) and bulk in inside:
                inside[bulk] = type(inside[bulk])()
    return body


def _parse(text: bytes, whole: bool) -> Record:
    """Parse and validate step by step, so that what is wrong can be said."""
    try:
        body = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"not readable as JSON: {error}") from None
    version = body.get("schema_version") if isinstance(body, dict) else None
    if version != SCHEMA_VERSION:
        raise RecordError(
            f"schema version {version!r} is unknown; this genrec-bench reads version {SCHEMA_VERSION}"
        )
    try:
        return Record.model_validate(body if whole else _slim(body))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RecordError(f"not a valid record: {where}: {first['msg']}") from None


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not a number that a record may hold")
