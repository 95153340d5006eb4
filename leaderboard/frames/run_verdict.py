"""What a run's page says first: where it stands, how it does against the strongest cheap row, its checks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.comparison.strongest import strongest_untrained
from bench.errors import BenchError
from bench.labels import metric_label
from bench.record import Audit, Record, View
from bench.records.store import StoredRecord
from bench.statistics.paired_tests import PairedDifference
from leaderboard.frames import formatting
from leaderboard.frames.board_rows import estimate

Compare = Callable[[StoredRecord, StoredRecord], PairedDifference]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A run against the strongest row that trains nothing; `paired` is None where nothing was compared."""

    sentence: str
    reference: StoredRecord | None = None
    paired: PairedDifference | None = None
    lift: float | None = None
    """Relative difference of the two means."""


def peers(stored: StoredRecord, newest: Sequence[StoredRecord]) -> list[StoredRecord]:
    """Give the rows of its board with this record in the place of its model's own row."""
    name = stored.record.model.name
    return [stored, *(one for one in newest if one.record.model.name != name)]


def against_cheap(
    stored: StoredRecord, rows: Sequence[StoredRecord], metric: str, view: View, compare: Compare
) -> Verdict:
    """Say whether a run is good: it against the strongest of these rows that trains nothing, user by user."""
    if stored.record.metrics is None:
        return Verdict(sentence="Quality was not measured: this is a cost-only record.")
    value = estimate(stored.record, view, metric).value
    if value is None:
        return Verdict(sentence=f"{metric_label(metric)} was not measured in this view.")
    best = strongest_untrained([one.record for one in rows], view, metric)
    reference = next((one for one in rows if one.record is best), None)
    if reference is None:
        return Verdict(sentence="No row that trains nothing has been measured here to hold it against.")
    if reference.id == stored.id:
        return Verdict(sentence="It is the strongest row that trains nothing: the one to beat.")
    name = f"{shown_name(reference.record)}, the strongest row that trains nothing"
    theirs = estimate(reference.record, view, metric).value or 0.0
    lift = value / theirs - 1 if theirs else None
    try:
        paired = compare(stored, reference)
    except BenchError as error:
        return Verdict(
            sentence=f"It cannot be compared user by user with {name}: {error}.",
            reference=reference,
            lift=lift,
        )
    if paired.won == paired.lost == 0:
        sentence = f"Identical for every user to {name}."
    elif paired.undecided():
        sentence = f"The users cannot tell it from {name}."
    else:
        words = "Better than" if paired.difference.value > 0 else "Worse than"
        by = f" by {formatting.percent(abs(lift)).lstrip('+')}" if lift is not None else ""
        sentence = f"{words} {name},{by} in {metric_label(metric)}."
    return Verdict(sentence=sentence, reference=reference, paired=paired, lift=lift)


def shown_name(record: Record) -> str:
    """Name a model for people, on one line."""
    return formatting.plain(record.model.display_name or record.model.name)


def audits_in_words(audits: Sequence[Audit]) -> tuple[str, str]:
    """Give ('6 of 6', 'audits passed') for a record's checks, with what did not pass or could not judge."""
    judged = [audit for audit in audits if audit.verdict != "info"]
    if not judged:
        return formatting.MISSING, "no audit was made"
    raised = [audit for audit in judged if audit.verdict != "pass"]
    notes = [f"{audit.name.replace('_', ' ')} {_RAISED[audit.verdict]}" for audit in raised]
    if open_ones := len(audits) - len(judged):
        notes.append(f"{open_ones} more could not judge")
    text = f"audits passed{': ' if raised else '; ' if notes else ''}{'; '.join(notes)}"
    return f"{len(judged) - len(raised)} of {len(judged)}", text


_RAISED = {"flag": "raised a flag", "fail": "failed"}
