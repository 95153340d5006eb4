"""Notes that people put beside a record, which itself is never edited: withdrawn, or cleared of a flag."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench.errors import RecordError
from bench.files.ordinary import read_ordinary
from bench.record import Audit, Record
from bench.record_parts import UtcTime

HOLDING = ("too_good", "copy", "history", "protocol", "shuffled_users")
"""Checks whose flag on lists handed in, or on published outcomes, holds back the rank."""
MAX_NOTE_BYTES = 2**16
NOTE_SUFFIXES = (".invalid.json", ".cleared.json")


class Note(BaseModel):
    """Why and when something was decided about a record."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    suffix: ClassVar[str]
    what: ClassVar[str]

    reason: str = Field(min_length=3, max_length=2000)
    date: UtcTime


class Invalidation(Note):
    """The record was withdrawn; lies beside it as `<stem>.invalid.json`."""

    suffix = ".invalid.json"
    what = "invalid"


class Clearance(Note):
    """Somebody looked at the flags and lets the record be ranked; `<stem>.cleared.json`."""

    suffix = ".cleared.json"
    what = "cleared"

    audits: list[str] = Field(min_length=1, max_length=20, description="The flags that were looked at.")


AnyNote = TypeVar("AnyNote", bound=Note)


def read_note(path: Path, kind: type[AnyNote]) -> AnyNote | None:
    """Read the note of a kind beside a record's JSON, or None; RecordError if it is damaged."""
    note = path.with_suffix(kind.suffix)
    try:
        return kind.model_validate_json(read_ordinary(note, MAX_NOTE_BYTES))
    except FileNotFoundError:
        return None
    except (ValidationError, OSError) as error:
        raise RecordError(f"{note.name} beside it is not a valid note ({kind.what}): {error}") from None


def is_note(path: Path) -> bool:
    """Whether a file of the results folder is a note and no record."""
    return path.name.endswith(NOTE_SUFFIXES)


def holding_flags(record: Record, cleared: Clearance | None) -> list[Audit]:
    """Give the flags for which lists handed in have no rank; a run of the harness always has one."""
    known = cleared.audits if cleared is not None else ()
    return [
        audit
        for audit in record.audits
        if record.source != "harness"
        and audit.name in HOLDING
        and audit.verdict in ("flag", "fail")
        and audit.name not in known
    ]
