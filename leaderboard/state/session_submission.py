"""An uploaded file, checked and scored for one browser session; nothing of it is kept."""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.comparison.paired import ComparedModel
from bench.metrics.ranking import ranks_in_view
from bench.record import VIEWS
from bench.records.store import StoredRecord
from bench.records.upload_audits import audit_upload
from bench.schema import Rankings, Split
from bench.submission import (
    Choices,
    Controls,
    Entry,
    Report,
    SubmissionError,
    build_record,
    read_submission,
)
from bench.submission.controls import option_words
from bench.submission.protocol import check_stated, other_rules, settle_protocol

_MEMORY = Path("/dev/shm")


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A file as the browser sent it, and how to read it."""

    file_name: str
    content: bytes
    texts: bool = False
    list_rule: str = "by_likelihood"
    allow_partial: bool = False
    choices: Choices = field(default_factory=Choices)


PAGE_CONTROLS = Controls(
    user="the field “Column of users”",
    item="the field “Column of items”",
    order="the column in the field “Order”",
    by_score="“score” in the field “Order”",
    by_rank="“rank” in the field “Order”",
    by_file="“file” in the field “Order”",
    ascending="the box “Smallest is best”",
    partial="the box “Accept lists for less than 99 % of users”",
    texts="so in the box “The file holds generated texts”",
    format="",
)
"""What the page calls its controls, for messages."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """A scored upload: its record, as if it were stored, and what to compare it by."""

    report: Report
    stored: StoredRecord
    rankings: Rankings
    compared: ComparedModel


def score(
    upload: Upload, entry: Entry, split: Split, known: Mapping[str, Rankings], has_card: bool
) -> Scored | Report:
    """Check and score an upload; a file that is not sound gives its report."""
    with _as_file(upload) as path:
        rules = {"dataset": split.dataset, "ties": split.ties, "split": split.name}
        protocol = settle_protocol(path, entry.card, **rules)
        check_stated(protocol, split.fingerprint)
        found = read_submission(
            path,
            split,
            texts=upload.texts,
            list_rule=upload.list_rule,
            allow_partial=upload.allow_partial,
            choices=upload.choices,
            controls=PAGE_CONTROLS,
        )
    if found.rankings is None:
        return found.report
    others = other_rules(split, None) if protocol.stated_by is None else {}
    audits = audit_upload(split, found.rankings, protocol.stated_by, others)
    words = command(upload, entry, split, has_card)
    try:
        record = build_record(found, entry, split, command=words, known=known, audits=audits)
    except SubmissionError:
        return found.report  # the card names other data than the split
    stored = StoredRecord(record=record, path=Path("this-session.json"))
    ranks = {view: ranks_in_view(found.rankings, split.test, view) for view in VIEWS}
    return Scored(
        report=found.report,
        stored=stored,
        rankings=found.rankings,
        compared=ComparedModel(
            label=stored.id, records=(record,), ranks=(ranks,), held_back=bool(stored.held_back)
        ),
    )


def command(upload: Upload, entry: Entry, split: Split, has_card: bool) -> str:
    """Give the command that makes the same record in a checkout."""
    words = ["genrec-bench", "submit", safe_name(upload.file_name), "--dataset", split.dataset]
    words += ["--split", split.name, "--ties", split.ties]
    words += ["--name", entry.name, "--kind", entry.kind]
    words += ["--card", "card.yaml"] if has_card else []
    words += option_words(upload.choices)
    words += ["--texts", "--list-rule", upload.list_rule] if upload.texts else []
    words += ["--allow-partial"] if upload.allow_partial else []
    return shlex.join(words)


def safe_name(name: str) -> str:
    """Give the file name a browser sent as one that is harmless in a path and a shell."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", Path(name).name).strip(".")[-80:] or "upload"


@contextmanager
def _as_file(upload: Upload) -> Iterator[Path]:
    """Lay the upload out as a file for as long as it is read: in memory, where the system can."""
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        path = Path(folder) / safe_name(upload.file_name)
        path.write_bytes(upload.content)
        yield path
