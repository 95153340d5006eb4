"""What validation found in a submitted file: every kind of problem, counted, with places."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from bench.errors import BenchError
from bench.records.status import MISSING_ALLOWED
from bench.submission.controls import COMMAND_LINE, Controls

MAX_EXAMPLES = 5

Severity = Literal["error", "warning"]


class SubmissionError(BenchError):
    """A submitted file was refused; the message is the whole report."""


class UnclearColumns(SubmissionError):
    """What the columns of a file are cannot be told."""


@dataclass(kw_only=True)
class Finding:
    """One kind of problem: how often, and where it was first seen."""

    kind: str
    severity: Severity
    what: str
    count: int = 0
    examples: list[str] = field(default_factory=list)
    hint: str = ""
    """What to do about it."""

    def __str__(self) -> str:
        seen = "; ".join(self.examples)
        more = ", ..." if self.count > len(self.examples) else ""
        hint = f"{'' if more else '.'} {self.hint}" if self.hint else ""
        return f"{self.severity}: {self.what} ({self.count:,}): {seen}{more}{hint}"


@dataclass(kw_only=True)
class Report:
    """All findings about one file, and what was read from it."""

    file: str
    format: str = "unknown"
    controls: Controls = COMMAND_LINE
    """The words in which messages name the controls of the front end."""
    place: str = "line"
    """What a row of the file is called."""
    unit: str = "items"
    """What the rows hold: items or texts."""
    reading: str = ""
    """Which columns were taken for users, items and order."""
    rows: int = 0
    """Recommended items read."""
    users: int = 0
    """Users of the data set that the file has a list for."""
    missing_users: int = 0
    longest: int = 0
    findings: dict[str, Finding] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the file may become a record."""
        return not any(finding.severity == "error" for finding in self.findings.values())

    @property
    def too_many_missing(self) -> bool:
        """Whether so many users are missing that the row is partial."""
        return self.missing_users > MISSING_ALLOWED * (self.users + self.missing_users)

    @property
    def warnings(self) -> list[str]:
        """What is worth knowing, one line each."""
        return [str(finding) for finding in self.findings.values() if finding.severity == "warning"]

    def error(self, kind: str, what: str, places: Iterable[str], count: int = 1, hint: str = "") -> None:
        """Add `count` problems of a kind, which stop the file from being accepted; `hint`: what to do."""
        self._add(Finding(kind=kind, severity="error", what=what, hint=hint), places, count)

    def warn(self, kind: str, what: str, places: Iterable[str], count: int = 1, hint: str = "") -> None:
        """Add `count` things of a kind that are worth knowing."""
        self._add(Finding(kind=kind, severity="warning", what=what, hint=hint), places, count)

    def _add(self, new: Finding, places: Iterable[str], count: int) -> None:
        if count <= 0:
            return
        finding = self.findings.setdefault(new.kind, new)
        finding.count += count
        for place in places:
            if len(finding.examples) >= MAX_EXAMPLES:
                break
            finding.examples.append(_one_line(place))

    def __str__(self) -> str:
        errors = [finding for finding in self.findings.values() if finding.severity == "error"]
        head = f"{self.file} ({self.format}): {self.rows:,} {self.unit} for {self.users:,} users"
        verdict = "accepted" if not errors else f"refused, {len(errors)} kinds of errors"
        read = [f"read: {self.reading}; {self.rows:,} {self.unit}"] if self.reading else []
        return "\n".join([f"{head}; {verdict}", *read, *map(str, errors), *self.warnings])


def _one_line(text: str, limit: int = 600) -> str:
    """Make a place, which may quote a library's message, fit for a terminal."""
    return "".join(mark if mark.isprintable() else "?" for mark in text[:limit])


def shown(value: object, limit: int = 40) -> str:
    """Quote text from a file for a message: printable, on one line, cut."""
    text = value if isinstance(value, str) else str(value)
    cut = text if len(text) <= limit else text[:limit] + "..."
    return repr(cut) if cut.isprintable() else ascii(cut)
