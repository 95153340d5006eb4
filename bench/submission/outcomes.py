"""Published outcomes: a file of per-user ranks that others made, checked and scored without being re-run.

One row a user: `user_id`, `rank`, the place of the test target in a list of k items, counted from 1,
0 for a miss, in any format that ranked lists may have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bench.cost.environment import describe_environment
from bench.errors import BenchError, ConfigError
from bench.files.placing import file_sha256
from bench.metrics.ranking import evaluate_ranks
from bench.record import Record, View, dataset_info
from bench.records.audits import audit_outcomes
from bench.records.newest import newest
from bench.records.store import load_records
from bench.records.target_ranks import Ranks, read_ranks
from bench.schema import FloatArray, Int32Array, Split
from bench.submission.columns import names
from bench.submission.columns.content import id_text
from bench.submission.columns.ordering import all_names
from bench.submission.columns.pieces import as_python
from bench.submission.missing import report_fingerprint, report_users
from bench.submission.reading import open_table
from bench.submission.reading.table import Known
from bench.submission.report import Report, SubmissionError, shown
from bench.submission.score import Entry, declared_cost, model_info

MAX_DEPTH = 50
_SEEN: dict[str, View] = {"kept": "seen_kept", "removed": "seen_removed"}


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """A file of ranks that was read: its report and, if it is sound, the ranks."""

    report: Report
    depth: int
    view: View
    file_sha256: str = ""
    ranks: Int32Array | None = None
    """(users,) places from 1, 0 for a miss, or None where the report holds errors."""


@dataclass(kw_only=True)
class _Rows:
    """The rows of a file as text, with their lines."""

    users: list[str] = field(default_factory=list)
    ranks: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)


def read_outcomes_file(
    path: Path, split: Split, *, depth: int, seen_items: str = "kept", allow_partial: bool = False
) -> Outcomes:
    """Read and check a file of ranks in lists of `depth` items, seen items "kept" or "removed".

    Everything found is in the report; nothing is raised for bad content. ConfigError for a depth or a
    view that there is not.
    """
    if not 1 <= depth <= MAX_DEPTH:
        raise ConfigError(f"--k {depth}: published lists must be 1 to {MAX_DEPTH} items long")
    if seen_items not in _SEEN:
        raise ConfigError(f"seen items are 'kept' or 'removed' in published lists, not '{seen_items[:20]}'")
    report, ranks, digest = Report(file=path.name, format="outcomes"), None, ""
    try:
        rows = _read(path, split, report)
        report.rows = len(rows.users)
        ranks = _checked(rows, split, report, depth=depth, allow_partial=allow_partial)
        digest = file_sha256(path)
    except SubmissionError as error:
        report.error("file", "the file cannot be read", [str(error)])
    return Outcomes(
        report=report,
        depth=depth,
        view=_SEEN[seen_items],
        file_sha256=digest,
        ranks=ranks if report.ok else None,
    )


def build_outcomes_record(
    outcomes: Outcomes, entry: Entry, split: Split, *, command: str, known: Mapping[str, Ranks] | None = None
) -> Record:
    """Score checked ranks and put everything known about them in a record; writes nothing.

    Raises SubmissionError with the whole report if the file was not sound.
    """
    report, card, ranks = outcomes.report, entry.card, outcomes.ranks
    if card.fingerprint is not None:
        report_fingerprint(report, card.fingerprint, split)
    if ranks is None or not report.ok:
        raise SubmissionError(str(report))
    origin = {
        "file": report.file,
        "file_sha256": outcomes.file_sha256,
        "format": report.format,
        "users": report.users,
        "missing_users": report.missing_users,
        "warnings": [] if split.private else report.warnings,  # they name users and items
    }
    return Record(
        status="partial" if report.too_many_missing else "complete",
        source="published-outcomes",
        published_view=outcomes.view,
        created=datetime.now(UTC),
        command=command,
        seed=card.seeds[0] if card.seeds else 0,
        depth=outcomes.depth,
        dataset=dataset_info(split),
        model=model_info(entry),
        metrics=evaluate_ranks(split, ranks, outcomes.view, outcomes.depth),
        cost=declared_cost(card.cost),
        environment=describe_environment().model_copy(update={"gpu": None, "driver": None}),
        details={"submission": origin},
        audits=audit_outcomes(split, ranks, outcomes.view, outcomes.depth, known),
        card=card.model_dump(mode="json", exclude_defaults=True),
    )


def known_ranks(split: Split, results_dir: Path, *, leave_out: str) -> dict[str, Ranks]:
    """Read the ranks of the newest record of each other model on the same data, for the audits."""
    known: dict[str, Ranks] = {}
    for stored in newest(load_records(results_dir).valid()):
        record, name = stored.record, stored.record.model.name
        if record.dataset.fingerprint != split.fingerprint or name in (leave_out, *known):
            continue
        if record.metrics is not None:
            try:
                known[name] = read_ranks(stored)
            except BenchError:
                continue
    return known


def _read(path: Path, split: Split, report: Report) -> _Rows:
    _, table = open_table(path, Known(split), report, report.controls)
    report.format, report.place = "outcomes", table.place
    user, rank = (names.positions(table.names, wanted) for wanted in (names.USER, names.RANK))
    if len(user) != 1 or len(rank) != 1 or user == rank:
        raise SubmissionError(
            f"'{path.name}': published outcomes need the columns user_id and rank (0 for a miss), "
            f"there are {all_names(table)}"
        )
    report.reading = f"users from {table.shown(user[0])}, places from {table.shown(rank[0])}"
    rows = _Rows()
    for batch in table.batches({user[0]: "id", rank[0]: "id"}):
        users, places = (as_python(batch.columns[at]) for at in (user[0], rank[0]))
        rows.users += ["" if one is None else id_text(one) for one in users]
        rows.ranks += ["" if one is None else str(one).strip() for one in places]
        rows.lines += batch.lines.tolist()
    return rows


def _checked(rows: _Rows, split: Split, report: Report, *, depth: int, allow_partial: bool) -> Int32Array:
    """Give the rank of each user of the split, having put every fault in the report, by line."""
    known = {user: row for row, user in enumerate(split.user_ids)}
    owners = np.array([known.get(user, -1) for user in rows.users], dtype=np.int64)
    values = _whole_numbers(rows.ranks)

    def places(wrong: Any, texts: list[str]) -> Iterator[str]:
        return (f"{report.place} {rows.lines[at]}: {shown(texts[at])}" for at in np.flatnonzero(wrong))

    def error(kind: str, what: str, wrong: Any, texts: list[str]) -> None:
        report.error(kind, what, places(wrong, texts), int(np.count_nonzero(wrong)))

    error("unknown-user", "users that are not in the data set", owners < 0, rows.users)
    first = np.zeros(len(owners), dtype=bool)
    first[np.unique(owners, return_index=True)[1]] = True
    error("repeated-user", "users with more than one rank", ~first & (owners >= 0), rows.users)
    odd = np.isnan(values) | (values < 0)
    what = "ranks that are no whole number from 1, or 0 for a miss"
    error("rank", what, odd, rows.ranks)
    what = f"ranks beyond {depth}, the length of the lists that --k names; write 0 for a miss"
    error("deep-rank", what, values > depth, rows.ranks)
    seen = np.isin(np.arange(len(split.user_ids)), owners)
    report_users(report, seen, split, allow_partial=allow_partial)
    if not report.ok:
        return np.zeros(0, dtype=np.int32)
    ranks = np.zeros(len(split.user_ids), dtype=np.int32)
    ranks[owners] = values
    report.longest = int(ranks.max(initial=0))
    if 0 < report.longest < depth:
        place = f"the largest is {report.longest}; if the lists were of {report.longest}, give --k that"
        report.warn("shallow", f"no user's rank reaches --k {depth}", [place])
    return ranks


def _whole_numbers(texts: list[str]) -> FloatArray:
    """Parse ranks, also written '3.0'; NaN for what is no whole number."""

    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            return np.nan
        return value if value.is_integer() else np.nan

    return np.array([number(text) for text in texts], dtype=np.float64)
