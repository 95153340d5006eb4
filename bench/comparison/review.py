"""What a reviewer of new records wants to know, as Markdown: neighbours, paired verdict, checks in words."""

from __future__ import annotations

from collections.abc import Sequence

from bench.comparison.board_standings import board_standings
from bench.comparison.compared_models import load_compared
from bench.comparison.paired import ComparedModel
from bench.comparison.verdicts import METRICS, strongest_baseline, verdict
from bench.errors import BenchError
from bench.labels import DEFAULT_VIEW, HEADLINE, HEADLINE_CUTOFF, RANKED_BY, estimate_text, metric_label
from bench.marks import published_note
from bench.record import Audit, Record
from bench.records.newest import newest
from bench.records.store import StoredRecord
from bench.statistics.paired_tests import Standing

NEIGHBOURS = 3
"""Rows shown above and below the new one."""
MAX_RECORDS = 20
_RANKED_BY = f"{RANKED_BY}@{HEADLINE_CUTOFF}"

AUDIT_WORDS = {
    "target_in_history": "some users buy an item again, which a list without seen items cannot hold",
    "shuffled_users": "the lists score well even for other users, as if test purchases were known",
    "permuted_targets": "lists repeat items, or the scoring is broken",
    "identical_lists": "many users have one and the same list",
    "popularity_only": "the lists hold popular items and little else",
    "too_good": "the score is above everything known here by more than new models usually are",
    "copy": "the lists are nearly those of another row",
    "history": "the lists look like purchase histories of another split, which hold the answers",
    "protocol": "the lists fit another tie rule better than the one they are scored by",
}
"""What a flag of each check means, for people who have not read the code."""


def review_comment(added: Sequence[StoredRecord], known: Sequence[StoredRecord]) -> str:
    """Describe new records, each beside the newest record of every other model on the same data.

    `known` are all valid records, newest first; those in `added` may be among them.
    """
    if not added:
        return "This change adds no record to `results/`.\n"
    parts = [_one(stored, known) for stored in added[:MAX_RECORDS]]
    if len(added) > MAX_RECORDS:
        parts.append(f"... and {len(added) - MAX_RECORDS} more records.\n")
    return "\n".join(parts)


def _one(stored: StoredRecord, known: Sequence[StoredRecord]) -> str:
    record = stored.record
    data = record.dataset
    lines = [
        f"### {quoted(record.model.name)} on `{data.name}`, ties `{data.ties}`, split `{data.split}`",
        "",
    ]
    if record.metrics is None:
        return "\n".join([*lines, "A cost-only record: no quality was measured.", ""])
    others = [
        one
        for one in newest(known)
        if one.record.dataset.fingerprint == data.fingerprint
        and one.record.metrics is not None
        and one.record.model.name != record.model.name
    ]
    board = sorted([stored, *others], key=lambda one: (bool(one.held_back), -_strength(one.record)))
    places = _standings(board)
    lines += [*_table(stored, board, places), "", *_facts(stored, places), "", *_verdict(stored, known), ""]
    return "\n".join([*lines, *_audits(stored), ""])


def _table(stored: StoredRecord, board: Sequence[StoredRecord], places: dict[str, Standing]) -> list[str]:
    at = next(row for row, one in enumerate(board) if one.id == stored.id)
    shown = board[max(at - NEIGHBOURS, 0) : at + NEIGHBOURS + 1]
    head = ["place", "model", *(metric_label(name) for name in HEADLINE)]
    lines = [f"| {' | '.join(head)} |", f"|---|---|{'--:|' * len(HEADLINE)}"]
    for one in shown:
        metrics = getattr(one.record.metrics, one.record.shown_view(DEFAULT_VIEW))
        name = quoted(one.record.model.name) + (" †" if one.record.published_view else "")
        name = f"**{name}** (new)" if one.id == stored.id else name
        cells = [_place(places.get(one.id)), name, *(estimate_text(metrics.get(m)) for m in HEADLINE)]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _facts(stored: StoredRecord, places: dict[str, Standing]) -> list[str]:
    record, standing = stored.record, places.get(stored.id)
    facts = []
    if standing is not None:
        label = metric_label(_RANKED_BY)
        facts.append(f"Place {_place(standing)} of {len(places)} by {label}, seen items removed.")
    if note := published_note(record):
        facts.append(f"† {note[0].upper()}{note[1:]}.")
    if record.status == "partial":
        facts.append("Partial: lists are missing for some users, who count as misses.")
    if record.cost.source == "declared" and record.cost.wall_seconds:
        facts.append("Its costs are declared by the submitter, not measured.")
    if record.environment.dirty:
        facts.append("It was made with uncommitted changes in the code.")
    return [" ".join(facts)] if facts else []


def _verdict(stored: StoredRecord, known: Sequence[StoredRecord]) -> list[str]:
    baseline = strongest_baseline(known, stored.record)
    if baseline is None:
        return ["There is no untrained row on this data to compare it with."]
    try:
        found = verdict(stored, baseline)
    except BenchError as error:
        return [f"It cannot be compared with {quoted(baseline.record.model.name)}: {quoted(str(error))}"]
    lines = [f"Against the strongest untrained row, `{found.baseline}`, user by user:", ""]
    for metric in METRICS:
        paired = found.differences[metric]
        low, high = paired.difference.low, paired.difference.high
        lines.append(
            f"- {metric_label(metric)} {paired.difference.value:+.4f} [{low:+.4f}, {high:+.4f}], "
            f"{paired.won:,} users won, {paired.lost:,} lost: **{found.words(metric)}**"
        )
    return lines


def _audits(stored: StoredRecord) -> list[str]:
    raised = [audit for audit in stored.record.audits if audit.verdict in ("flag", "fail")]
    quiet = [audit.name for audit in stored.record.audits if audit.verdict not in ("flag", "fail")]
    lines = [_said(audit) for audit in raised]
    if quiet:
        lines.append(f"Nothing to look at in {len(quiet)} checks: {', '.join(map(quoted, quiet))}.")
    if stored.held_back:
        lines += [
            "",
            "**It has no rank on the board** until somebody has looked at these flags and clears it: "
            f"`genrec-bench results clear {stored.path.stem} --reason '...'`, in this pull request.",
        ]
    if stored.cleared is not None:
        lines += ["", f"Its flags were cleared, with the reason: {quoted(stored.cleared.reason)}"]
    return lines


def _said(audit: Audit) -> str:
    words = AUDIT_WORDS.get(audit.name, "see the message")
    sign = "Broken" if audit.verdict == "fail" else "Look at this"
    return f"- **{sign}**, {quoted(audit.name)}: {words}. {quoted(audit.message)}"


def _standings(board: Sequence[StoredRecord]) -> dict[str, Standing]:
    models: list[ComparedModel] = []
    for one in board:
        try:
            models.append(load_compared([one], one.id))
        except BenchError:
            continue  # without ranks a row has no place
    return board_standings(models, metric=_RANKED_BY, view=DEFAULT_VIEW)


def _place(standing: Standing | None) -> str:
    if standing is None:
        return "-"
    best, worst = standing.best_rank, standing.worst_rank
    return str(best) if best == worst else f"{best}-{worst}"


def _strength(record: Record) -> float:
    found = getattr(record.metrics, record.shown_view(DEFAULT_VIEW)).get(_RANKED_BY)
    return (found.value or 0.0) if found is not None else 0.0


def quoted(text: str, limit: int = 400) -> str:
    """Give text from outside as a code span: on one line, and nothing in it is read as Markdown or HTML."""
    line = " ".join(text.split()).replace("`", "'").replace("|", "/")[:limit]
    return f"`{line or '-'}`"
