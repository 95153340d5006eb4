"""The results folder as a public record: layout, schema, hashes, and scores that come out again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from bench.datasets.audit.data_audit import FILE_PATTERN as DATA_AUDIT
from bench.datasets.audit.data_audit import load_audit
from bench.datasets.splits import load_split
from bench.errors import BenchError, DataError, RecordError
from bench.files.ordinary import check_ordinary
from bench.files.placing import file_sha256
from bench.record import NAME_PATTERN, VERSION_FOLDER
from bench.records.append_only import changes_since
from bench.records.list_files import read_texts
from bench.records.notes import is_note
from bench.records.rescore import rescore
from bench.records.store import Problem, StoredRecord, load_record
from bench.records.target_ranks import read_ranks
from bench.reproduction.kept_report import FILE_NAME as REPRODUCTION
from bench.reproduction.kept_report import load as load_reproduction

MAX_FILE_BYTES = 25 * 2**20
"""Of one file of a public record; lists of 22,363 users take 4 MB."""
MAX_DIFFERENCES = 5
"""Numbers of one record that are named; the rest is counted."""
_STEM = r"\d{8}T\d{12}Z-[0-9a-z]{1,8}"
_FILE = re.compile(rf"({_STEM})((?:\.invalid|\.cleared)?\.json|(?:\.texts|\.ranks)?\.parquet)")


@dataclass(kw_only=True)
class CheckOutcome:
    """What was looked at and what is wrong."""

    records: int = 0
    rescored: int = 0
    cost_only: int = 0
    """Records of cost alone: there is nothing to score."""
    not_rescored: list[str] = field(default_factory=list)
    """Records of data sets that are not at hand, with the reason."""
    other_copy: list[str] = field(default_factory=list)
    """Records made on a copy with estimated times, where the data at hand are the original's."""
    problems: list[Problem] = field(default_factory=list)


def check_results(
    results_dir: Path, *, base: str | None = None, data_dir: Path | None = None
) -> CheckOutcome:
    """Check every file; with `base`, also that nothing was edited or removed since that commit.

    A record is re-scored from its ranked lists wherever its data set can be read.
    """
    outcome = CheckOutcome()
    outcome.problems.extend(_layout(results_dir))
    split_of = cache(lambda name, ties, split: load_split(name, ties=ties, split=split, data_dir=data_dir))
    for path in sorted((results_dir / VERSION_FOLDER).glob("*/*/*.json")):
        if not _FILE.fullmatch(path.name) or is_note(path):
            continue
        outcome.records += 1
        try:
            stored = load_record(path, results_dir)
            _check_files(stored)
            if stored.record.created > datetime.now(UTC) + timedelta(days=1):
                raise RecordError(f"it was made on {stored.record.created:%Y-%m-%d}, which is still to come")
        except RecordError as error:
            outcome.problems.append(Problem(path=path, message=str(error)))
            continue
        if stored.record.metrics is None:
            outcome.cost_only += 1
            continue
        data = stored.record.dataset
        try:
            split = split_of(data.name, data.ties, data.split)
        except BenchError as error:
            _without_data(outcome, stored, error)
            continue
        if data.estimated_times and not split.estimated_times and split.fingerprint != data.fingerprint:
            outcome.other_copy.append(
                f"{stored.id}: made on a copy with {data.estimated_times:,} estimated times; the data at "
                "hand are the original's"
            )
            continue
        outcome.rescored += 1
        try:
            outcome.problems.extend(_scored_otherwise(path, rescore(stored, split)))
        except BenchError as error:
            outcome.problems.append(Problem(path=path, message=str(error)))
    if base is not None:
        outcome.problems.extend(changes_since(base, results_dir))
    return outcome


def _without_data(outcome: CheckOutcome, stored: StoredRecord, error: BenchError) -> None:
    """A data set that is not here is a gap; one that does not exist is a fault of the record."""
    if isinstance(error, DataError):
        outcome.not_rescored.append(f"{stored.id}: {error}")
    else:
        outcome.problems.append(Problem(path=stored.path, message=str(error)))


def _scored_otherwise(path: Path, messages: list[str]) -> Iterator[Problem]:
    for message in messages[:MAX_DIFFERENCES]:
        yield Problem(path=path, message=message)
    if len(messages) > MAX_DIFFERENCES:
        yield Problem(path=path, message=f"and {len(messages) - MAX_DIFFERENCES} more numbers differ")


def _check_files(stored: StoredRecord) -> None:
    """Raise RecordError unless the files beside a record are those that it names."""
    record = stored.record
    named = [(stored.lists_path, record.lists_sha256), (stored.texts_path, record.texts_sha256)]
    if record.published_view is not None:
        named.append((stored.ranks_path, record.outcomes_sha256))
    for path, digest in named:
        if digest is None and path.exists():
            raise RecordError(f"{path.name} lies beside it, but the record does not name it")
        if digest is None:
            continue
        try:
            check_ordinary(path, MAX_FILE_BYTES)
        except FileNotFoundError:
            raise RecordError(f"{path.name} is missing") from None
        if file_sha256(path) != digest:
            raise RecordError(f"{path.name} is not the file that was recorded (SHA-256 differs)")
    if record.metrics is not None and not (record.lists_sha256 or record.outcomes_sha256):
        raise RecordError("it has metrics but no ranked lists to score them from")
    if record.metrics is not None:
        read_ranks(stored)
    if record.texts_sha256 is not None:
        read_texts(stored)


def _layout(results_dir: Path) -> Iterator[Problem]:
    """Name every file that has no place in the layout."""
    stems: dict[Path, set[str]] = {}
    for path in sorted(results_dir.rglob("*")):
        if path.is_symlink():
            yield Problem(path=path, message="a link; records are ordinary files")
        elif not path.is_dir():
            message = _misplaced(path.relative_to(results_dir).parts, path, results_dir)
            if message is not None:
                yield Problem(path=path, message=message)
            elif (match := _FILE.fullmatch(path.name)) is not None:
                stems.setdefault(path.parent / match[1], set()).add(match[2])
    for stem, suffixes in stems.items():
        if ".json" not in suffixes:
            yield Problem(path=stem, message=f"no record .json beside {', '.join(sorted(suffixes))}")


def _misplaced(parts: tuple[str, ...], path: Path, results_dir: Path) -> str | None:
    try:
        check_ordinary(path, MAX_FILE_BYTES)
    except RecordError as error:
        return str(error)
    if len(parts) == 1 and parts[0] in ("README.md", ".gitkeep", ".gitattributes"):
        return None
    if parts[0] != VERSION_FOLDER or not all(re.fullmatch(NAME_PATTERN, part) for part in parts[1:-1]):
        return f"not in {VERSION_FOLDER}/<data set>/<model>/"
    if len(parts) == 3 and parts[2] == REPRODUCTION:
        try:
            load_reproduction(parts[1], results_dir)
        except RecordError as error:
            return str(error)
        return None
    if len(parts) == 3 and DATA_AUDIT.fullmatch(parts[2]):
        try:
            load_audit(path)
        except RecordError as error:
            return str(error)
        return None
    if len(parts) != 4 or not _FILE.fullmatch(parts[3]):
        return "no file of a record, whose names are <UTC>-<commit> and .json, .parquet, .ranks.parquet, ..."
    return None
