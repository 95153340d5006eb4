"""Everything that was found in somebody's tables, said at once: errors stop, notes are counted and kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from bench.errors import DataError

SHOWN = 3
"""Examples of each fault."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One kind of fault and how often it was met."""

    what: str
    count: int
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        examples = f" ({', '.join(self.examples)}{', ...' if self.count > len(self.examples) else ''})"
        return f"{self.what}: {self.count:,}{examples if self.examples else ''}"


@dataclass(kw_only=True)
class Faults:
    """What was found so far."""

    errors: list[Fault] = field(default_factory=list)
    notes: list[Fault] = field(default_factory=list)
    guesses: list[str] = field(default_factory=list)
    """What was decided without being told, one line each."""

    def error(self, what: str, count: int = 1, examples: Iterable[object] = ()) -> None:
        """Note something that stops."""
        self.errors.append(_fault(what, count, examples))

    def note(self, what: str, count: int = 1, examples: Iterable[object] = ()) -> None:
        """Note something that is counted and said, and does not stop."""
        if count:
            self.notes.append(_fault(what, count, examples))

    def guess(self, line: str) -> None:
        """Note a guess."""
        self.guesses.append(line)

    def stop_if_any(self) -> None:
        """Raise DataError naming every error at once; notes and guesses are said too, as they may explain."""
        if not self.errors:
            return
        lines = [f"error: {fault}" for fault in self.errors]
        lines += [f"note: {fault}" for fault in self.notes]
        lines += [f"guessed: {line}" for line in self.guesses]
        raise DataError("nothing was added:\n  " + "\n  ".join(lines))


def shown(value: object) -> str:
    """Give outside text as one short printable piece."""
    return f"{value!r:.40}"


def _fault(what: str, count: int, examples: Iterable[object]) -> Fault:
    found = [shown(example) for _, example in zip(range(SHOWN), examples, strict=False)]
    return Fault(what=what, count=count, examples=tuple(found))
