"""What `genrec-bench submit --outcomes` does: published per-user ranks become a marked record."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import ConfigError

if TYPE_CHECKING:
    from bench.record import Record
    from bench.schema import Split
    from bench.submission import Entry


def score_outcomes(
    file: Path,
    entry: Entry,
    split: Split,
    results: Path,
    *,
    k: int | None,
    seen_items: str | None,
    allow_partial: bool,
    card: Path | None,
    dry_run: bool,
) -> tuple[Record, str, Path | None]:
    """Check and score a file of ranks and, but for `dry_run`, write its record.

    Gives the record, the report as text, and where the record lies.
    """
    from bench.datasets.rules.split_rules import LEAVE_ONE_OUT
    from bench.records import store
    from bench.submission.outcomes import build_outcomes_record, known_ranks, read_outcomes_file

    if k is None:
        raise ConfigError("--outcomes needs --k, the length of the lists that the ranks are places in: --k 5")
    seen_items = seen_items or entry.card.seen_items or "kept"
    found = read_outcomes_file(file, split, depth=k, seen_items=seen_items, allow_partial=allow_partial)
    words = ["genrec-bench", "submit", file.name, "--outcomes", "--k", str(k), "--seen-items", seen_items]
    words += ["--dataset", split.dataset, "--ties", split.ties, "--name", entry.name, "--kind", entry.kind]
    words += ["--split", split.name] if split.name != LEAVE_ONE_OUT else []
    words += (["--card", card.name] if card else []) + (["--allow-partial"] if allow_partial else [])
    known = known_ranks(split, results, leave_out=entry.name) if found.report.ok else {}
    record = build_outcomes_record(found, entry, split, command=shlex.join(words), known=known)
    path = None if dry_run else store.write(record, split, None, None, results, outcomes=found.ranks)
    return record, str(found.report), path
