"""Records on disk: written once, atomically, never overwritten; read with every problem named.

Layout (see `bench.record`): `<results>/v1/<dataset>/<model>/<stem>.json`, where the stem is
`<UTC>-<commit>`. The ranked lists are linked into place first and the JSON last, so a record that
can be seen is whole; a killed run leaves at most files that no reader looks at.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bench.errors import RecordError
from bench.files.arrow import write_parquet
from bench.files.ordinary import read_ordinary
from bench.files.placing import Placing
from bench.record import VERSION_FOLDER, Audit, Record
from bench.records.body import MAX_RECORD_BYTES, as_json, parse_record
from bench.records.list_files import lists_table, texts_table
from bench.records.notes import Clearance, Invalidation, Note, holding_flags, is_note, read_note
from bench.records.target_ranks import outcomes_table, ranks_table
from bench.schema import Generations, Int32Array, Rankings, Split


@dataclass(frozen=True, kw_only=True)
class StoredRecord:
    """A record and where it lies."""

    record: Record
    path: Path
    invalid: Invalidation | None = None
    cleared: Clearance | None = None

    @property
    def held_back(self) -> list[Audit]:
        """The flags for which it has no rank until someone clears them; empty for nearly all."""
        return holding_flags(self.record, self.cleared)

    @property
    def id(self) -> str:
        """'<dataset>/<model>/<stem>', unique in a results folder."""
        return f"{self.record.dataset.name}/{self.record.model.name}/{self.path.stem}"

    @property
    def lists_path(self) -> Path:
        """The ranked lists beside the record."""
        return self.path.with_suffix(".parquet")

    @property
    def ranks_path(self) -> Path:
        """Where each user's target stands in the lists (see `bench.records.target_ranks`)."""
        return self.path.with_suffix(".ranks.parquet")

    @property
    def texts_path(self) -> Path:
        """The generated texts beside the record (generative runs only)."""
        return self.path.with_suffix(".texts.parquet")


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A file in the results folder that cannot be shown, and why."""

    path: Path
    message: str


@dataclass(frozen=True, kw_only=True)
class LoadedRecords:
    """All that could be read, newest first, and all that could not."""

    records: list[StoredRecord]
    problems: list[Problem]

    def valid(self) -> list[StoredRecord]:
        """Leave out the withdrawn ones."""
        return [stored for stored in self.records if stored.invalid is None]


def stem_of(created: datetime, commit: str) -> str:
    """Give the file stem, e.g. '20261122T213005123456Z-1a2b3c4d' (microseconds keep it unique)."""
    return f"{created.astimezone(UTC):%Y%m%dT%H%M%S%fZ}-{commit[:8]}"


def record_path(record: Record, results_dir: Path) -> Path:
    """Where a record belongs."""
    folder = results_dir / VERSION_FOLDER / record.dataset.name / record.model.name
    return folder / f"{stem_of(record.created, record.environment.commit)}.json"


def write(
    record: Record,
    split: Split,
    rankings: Rankings | None,
    generations: Generations | None,
    results_dir: Path,
    *,
    outcomes: Int32Array | None = None,
) -> Path:
    """Write a record with its lists and texts, or the ranks that are all of it; give the path of its JSON.

    Raises RecordError if the path is taken or cannot be written. Nothing is left half-written.
    """
    path = record_path(record, results_dir)
    if path.exists():
        raise RecordError(f"the record {path} exists, and a record is never overwritten")
    updates: dict[str, Any] = {}
    try:
        with Placing() as files:
            for suffix, digest, table in _tables(record, split, rankings, generations, outcomes):
                updates[digest] = files.place(path.with_suffix(suffix), partial(write_parquet, table))
            updates.pop("", None)
            text = as_json(record.model_copy(update=updates))
            files.place(path, lambda file: file.write_bytes(text))
    except OSError as error:
        raise RecordError(f"could not write the record {path}: {error.strerror or error}") from error
    except (
        ValueError,
        TypeError,
    ) as error:  # what no file of UTF-8 text can hold: NaN in details, half a character
        raise RecordError(f"this cannot be written as a record: {error}") from error
    return path


def _tables(
    record: Record,
    split: Split,
    rankings: Rankings | None,
    generations: Generations | None,
    outcomes: Int32Array | None,
) -> Iterator[tuple[str, str, Any]]:
    """Give the files beside a record: suffix, the field that holds its hash ("" for none), table."""
    if rankings is not None:
        yield ".parquet", "lists_sha256", lists_table(split, rankings)
        yield ".ranks.parquet", "", ranks_table(split, rankings)
    if generations is not None and not split.private:  # the texts are titles
        yield ".texts.parquet", "texts_sha256", texts_table(split, generations)
    if outcomes is not None and record.published_view is not None:
        yield ".ranks.parquet", "outcomes_sha256", outcomes_table(split, record.published_view, outcomes)


def load_records(results_dir: Path, *, whole: bool = True) -> LoadedRecords:
    """Read every record below `results_dir`; a bad file becomes a problem, never an exception.

    If not `whole`, without groups of users and memory over time (see `parse_record`).
    """
    records: list[StoredRecord] = []
    problems: list[Problem] = []
    with _collector_paused():
        for path in _record_files(results_dir):
            try:
                records.append(load_record(path, results_dir, whole=whole))
            except RecordError as error:
                problems.append(Problem(path=path, message=str(error)))
    problems.extend(_foreign_versions(results_dir))
    records.sort(key=lambda stored: (stored.record.created, stored.id), reverse=True)
    return LoadedRecords(records=records, problems=problems)


def load_record(path: Path, results_dir: Path | None = None, *, whole: bool = True) -> StoredRecord:
    """Read one record; with `results_dir`, also check that it lies where its content says."""
    try:
        text = read_ordinary(path, MAX_RECORD_BYTES)
    except OSError as error:
        raise RecordError(f"not readable as JSON: {error}") from None
    record = parse_record(text, whole=whole)
    if results_dir is not None and path != record_path(record, results_dir):
        raise RecordError(
            f"its content belongs at {record_path(record, results_dir).relative_to(results_dir)}"
        )
    invalid, cleared = read_note(path, Invalidation), read_note(path, Clearance)
    return StoredRecord(record=record, path=path, invalid=invalid, cleared=cleared)


def find_record(results_dir: Path, record_id: str) -> StoredRecord:
    """Find a record by id ('<dataset>/<model>/<stem>') or by an unambiguous end of one."""
    found = load_records(results_dir).records
    matches = [stored for stored in found if stored.id == record_id] or [
        stored for stored in found if stored.path.stem.startswith(record_id)
    ]
    if len(matches) != 1:
        count = "no record" if not matches else f"{len(matches)} records"
        raise RecordError(f"'{record_id}' names {count} in {results_dir}; see `genrec-bench results list`")
    return matches[0]


def invalidate(stored: StoredRecord, reason: str) -> Path:
    """Mark a record as withdrawn, for good; it stays in the folder."""
    return _write_note(stored, Invalidation, reason)


def clear(stored: StoredRecord, reason: str) -> Path:
    """Let a record be ranked in spite of its flags, saying why; RecordError if nothing holds it back."""
    flags = [audit.name for audit in stored.held_back]
    if not flags:
        raise RecordError(f"{stored.id} has no flag that holds back its rank: there is nothing to clear")
    return _write_note(stored, Clearance, reason, audits=flags)


def _write_note(stored: StoredRecord, kind: type[Note], reason: str, **fields: Any) -> Path:
    path = stored.path.with_suffix(kind.suffix)
    try:
        note = kind(reason=reason, date=datetime.now(UTC), **fields)
    except ValidationError:
        raise RecordError(f"a reason of 3 to 2,000 characters is needed to mark it as {kind.what}") from None
    if path.exists():
        raise RecordError(f"{stored.id} is already marked as {kind.what}, see {path}")
    with Placing() as files:
        files.place(path, lambda file: file.write_bytes(note.model_dump_json(indent=1).encode() + b"\n"))
    return path


def _record_files(results_dir: Path) -> Iterator[Path]:
    for path in sorted((results_dir / VERSION_FOLDER).glob("*/*/*.json")):
        if not is_note(path) and not path.name.startswith("."):
            yield path


def _foreign_versions(results_dir: Path) -> Iterator[Problem]:
    if not results_dir.is_dir():
        return
    for folder in sorted(results_dir.iterdir()):
        if (
            folder.is_dir()
            and folder.name != VERSION_FOLDER
            and folder.name[:1] == "v"
            and folder.name[1:].isdigit()
        ):
            yield Problem(
                path=folder, message=f"records of version {folder.name}; this version reads {VERSION_FOLDER}"
            )


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Stop looking for garbage, which among records being read there is none of: it takes half the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
