"""What must be known of a row wherever its figures stand, and which record stands for a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.labels import COSTS, VIEW_LABELS
from bench.record import DEPTH, Record


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A few words beside a row's name, and the sentence behind them."""

    text: str
    why: str
    bad: bool = False

    @property
    def sentence(self) -> str:
        """The words and what they mean."""
        return self.why if self.why.startswith(self.text) else f"{self.text}: {self.why}"


def marks(record: Record) -> list[Mark]:
    """Give the marks of a record, the same for README, board, terminal and files."""
    found = []
    if record.metrics is None:
        found.append(Mark(text="cost-only", why="quality was not measured"))
    if note := published_note(record):
        found.append(Mark(text="published outcomes", why=note))
    if record.model.uses_times:
        why = "it is told when purchases took place and when the list is asked for; other rows are not"
        found.append(Mark(text="uses times", why=why))
    if record.status == "partial":
        found.append(
            Mark(text="partial", why="lists are missing for over 1 % of the users; they count as misses")
        )
    if record.metrics is not None and record.published_view is None and record.depth < DEPTH:
        why = f"the protocol asks for {DEPTH} items; what a longer list would find is not known"
        found.append(Mark(text=f"lists of {record.depth}", why=why))
    if record.cost.source == "declared" and any(
        figure.of(record.cost) is not None for figure in COSTS.values()
    ):
        found.append(Mark(text="cost declared", why="the submitter stated the cost; nobody here measured it"))
    if record.environment.dirty:
        found.append(Mark(text="dirty", why="run from a tree with uncommitted changes"))
    found += [
        Mark(text=audit.name.replace("_", " "), why=audit.message, bad=audit.verdict == "fail")
        for audit in record.audits
        if audit.verdict in ("flag", "fail")
    ]
    return found


def marks_text(record: Record) -> str:
    """Give the marks in brackets, '(partial, lists of 10)', or nothing."""
    words = ", ".join(mark.text for mark in marks(record))
    return f"({words})" if words else ""


def published_note(record: Record) -> str:
    """Say what published outcomes are; empty for any other record."""
    if record.published_view is None:
        return ""
    view = VIEW_LABELS[record.published_view]
    return f"published outcomes, not re-run: places in lists of {record.depth}, {view}"


def fullness(record: Record) -> tuple[bool, ...]:
    """How much a record says of its model; one that says less never replaces one that says more."""
    return (
        record.metrics is not None,
        record.published_view is None,
        record.status == "complete",
        record.depth >= DEPTH,
        record.cost.source == "measured",
    )


def fullest(records: Sequence[Record]) -> int:
    """Give the place of the record that stands for a model: the first, newest, of those that say most."""
    return max(range(len(records)), key=lambda place: (fullness(records[place]), -place))
