"""A submitted file -> checked lists -> a scored record."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from bench.cost.environment import describe_environment
from bench.errors import ConfigError, RecordError, unknown_name
from bench.files.placing import file_sha256
from bench.metrics.ranking import evaluate
from bench.models import MODELS
from bench.record import DEPTH, NAME_PATTERN, Audit, Kind, ModelInfo, Record, dataset_info
from bench.record_parts import Cost, PeakVram
from bench.records.audits import audit
from bench.records.list_files import read_lists
from bench.records.newest import newest
from bench.records.status import status_of
from bench.records.store import load_records
from bench.schema import NO_ITEM, Generations, Rankings, Split
from bench.submission.card import DeclaredCost, ModelCard
from bench.submission.columns.pieces import piece_of, wanted_columns
from bench.submission.columns.roles import find_roles
from bench.submission.controls import COMMAND_LINE, Choices, Controls
from bench.submission.lists import ListBuilder
from bench.submission.missing import answered, report_fingerprint, report_users
from bench.submission.reading import open_table
from bench.submission.reading.table import Known
from bench.submission.report import Report, SubmissionError, UnclearColumns
from bench.submission.texts.read import Retrieved, read_texts

KINDS: tuple[str, ...] = tuple(kind for kind in get_args(Kind) if kind != "cost-only")


_EXAMPLES = re.compile(r"(\([\d,]+\)): .*", re.DOTALL)
"""The examples behind a warning's count."""


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A file that was read: its report and, if it is sound, its lists."""

    report: Report
    file_sha256: str
    rankings: Rankings | None = None
    """(users, 50) item rows, or None where the report holds errors."""
    generations: Generations | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What the submitter says of the model."""

    name: str
    kind: str
    card: ModelCard = field(default_factory=ModelCard)

    def __post_init__(self) -> None:
        if not re.fullmatch(NAME_PATTERN, self.name):
            raise ConfigError(
                f"model name {self.name[:80]!r} is not allowed: 1 to 64 lower-case letters, "
                "digits, '.', '_', '-', with a letter or digit at both ends"
            )
        if ".." in self.name:
            raise ConfigError(f"model name '{self.name}' is not allowed: two dots in a row")
        if self.name in MODELS:
            raise ConfigError(f"model name '{self.name}' belongs to a model of this harness; choose another")
        if self.kind not in KINDS:
            raise unknown_name("kind", self.kind, KINDS)


def read_submission(
    path: Path,
    split: Split,
    *,
    format_name: str | None = None,
    allow_partial: bool = False,
    texts: bool = False,
    list_rule: str = "by_likelihood",
    choices: Choices | None = None,
    controls: Controls = COMMAND_LINE,
) -> Submission:
    """Read and check a file of ranked lists (or, with `texts`, of generated texts).

    Everything found is in the report, also what stopped the reading; nothing is raised for bad content.
    `choices` are the submitter's own word on the columns; `controls`, what messages call the means to say so.
    """
    report = Report(file=path.name, controls=controls)
    read: Retrieved | None = None
    rankings: Rankings | None = None
    digest = ""
    try:
        if texts:
            read = read_texts(
                path, split, report, choices=choices or Choices(), list_rule=list_rule, depth=DEPTH
            )
            if read is not None:
                rankings = read.rankings
                report_users(report, answered(rankings), split, allow_partial=allow_partial)
        else:
            rankings = _read_lists(path, split, report, choices or Choices(), format_name, allow_partial)
        digest = file_sha256(path)
    except UnclearColumns as error:
        report.error("columns", "the columns are not clear", [str(error)])
    except SubmissionError as error:
        report.error("file", "the file cannot be read", [str(error)])
    return Submission(
        report=report,
        file_sha256=digest,
        rankings=rankings if report.ok else None,
        generations=read.generations if read else None,
        details=read.details if read else {},
    )


def _read_lists(
    path: Path,
    split: Split,
    report: Report,
    choices: Choices,
    format_name: str | None,
    allow_partial: bool,
) -> Rankings:
    known = Known(split)
    report.format, table = open_table(path, known, report, report.controls, format_name)
    report.place = table.place
    if "fingerprint" in table.declared:
        report_fingerprint(report, table.declared["fingerprint"], split)
    roles = find_roles(table, known, choices, report.controls)
    report.reading = roles.said
    builder = ListBuilder(split, report, roles.order, allow_partial=allow_partial)
    for batch in table.batches(wanted_columns(roles)):
        builder.add(piece_of(batch, roles, report))
    return builder.finish()


def build_record(
    submission: Submission,
    entry: Entry,
    split: Split,
    *,
    command: str,
    known: Mapping[str, Rankings] | None = None,
    audits: Sequence[Audit] = (),
    quote: bool = True,
) -> Record:
    """Score checked lists and put everything known about them in a record; writes nothing.

    `audits` are added to those of every run; without `quote` no text of the file is quoted. Raises
    SubmissionError with the whole report if the file was not sound.
    """
    report, card = submission.report, entry.card
    if card.fingerprint is not None:
        report_fingerprint(report, card.fingerprint, split)
    if submission.rankings is None or not report.ok:
        raise SubmissionError(str(report))
    depth = _depth_of(submission.rankings, len(split.catalogue))
    return Record(
        status=status_of(submission.rankings),
        source="submission",
        created=datetime.now(UTC),
        command=command,
        seed=card.seeds[0] if card.seeds else 0,
        depth=depth,
        dataset=dataset_info(split),
        model=model_info(entry),
        metrics=evaluate(split, submission.rankings, depth=depth),
        cost=declared_cost(card.cost),
        environment=describe_environment().model_copy(update={"gpu": None, "driver": None}),
        details={**submission.details, "submission": _origin(submission, split, quote=quote)},
        audits=[*audit(split, submission.rankings, known), *audits],
        card=card.model_dump(mode="json", exclude_defaults=True),
    )


def known_lists(split: Split, results_dir: Path, *, leave_out: str, limit: int = 30) -> dict[str, Rankings]:
    """Read the lists of the newest record of each other model on the same data, for the audits."""
    known: dict[str, Rankings] = {}
    for stored in newest(load_records(results_dir).valid()):
        name = stored.record.model.name
        same_data = stored.record.dataset.fingerprint == split.fingerprint
        if not same_data or name == leave_out or name in known or stored.record.lists_sha256 is None:
            continue
        try:
            known[name] = read_lists(stored, split)
        except RecordError:
            continue
        if len(known) == limit:
            break
    return known


def _depth_of(rankings: Rankings, items: int) -> int:
    """Say how deep the lists go: a file of ten items a user says nothing about the eleventh."""
    longest = int((rankings != NO_ITEM).sum(axis=1).max(initial=1))
    return DEPTH if longest >= min(DEPTH, items) else longest


def model_info(entry: Entry) -> ModelInfo:
    """Give what the submitter says of the model, as the record keeps it."""
    card = entry.card
    parameters: dict[str, Any] = {} if card.parameters is None else {"parameters": card.parameters}
    if card.base_model:
        parameters["base_model"] = card.base_model
    return ModelInfo(
        name=entry.name,
        kind=entry.kind,
        parameters=parameters,
        display_name=card.display_name or entry.name,
        authors=card.authors,
        link=card.link,
    )


def declared_cost(cost: DeclaredCost) -> Cost:
    """Give the costs of a card, as the record keeps them."""
    stages = {"fit": cost.fit_seconds, "recommend": cost.recommend_seconds}
    vram = None if cost.peak_vram_gb is None else PeakVram(process=round(cost.peak_vram_gb * 1e9))
    return Cost(
        wall_seconds={name: seconds for name, seconds in stages.items() if seconds is not None},
        users_per_second=cost.users_per_second,
        peak_rss_bytes=None if cost.peak_ram_gb is None else round(cost.peak_ram_gb * 1e9),
        peak_vram_bytes=vram,
        energy_joules=None if cost.energy_kwh is None else cost.energy_kwh * 3.6e6,
        source="declared",
    )


def _origin(submission: Submission, split: Split, *, quote: bool) -> dict[str, Any]:
    """Say where the lists came from, for the record; without `quote`, warnings name no text of the file."""
    report = submission.report
    warnings = report.warnings if quote else [_EXAMPLES.sub(r"\1", warning) for warning in report.warnings]
    return {
        "file": report.file,
        "file_sha256": submission.file_sha256,
        "format": report.format,
        "read": report.reading,
        "users": report.users,
        "missing_users": report.missing_users,
        "items": report.rows,
        "longest_list": report.longest,
        "warnings": [] if split.private else warnings,  # they name users and items
    }
