"""What is read out of a free answer: titles, or an order of numbered candidates."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_MARK = re.compile(r"^\s*(?:[-*•]|\(?\d{1,3}[.):])\s+")
_NUMBERED = re.compile(r"^\s*[\[(#]?\s*(\d{1,4})\s*[\])]?(?:[.:)\s]\s*|$)(.*)$", re.DOTALL)
_NUMBERS = re.compile(r"^[\s\d,;>.#\[\]()]+$")
_BETWEEN = re.compile(r"[,;>]")


def titles(answer: str, limit: int) -> list[str]:
    """Read the titles of an answer, one a line, at most `limit`; equal ones count once.

    Bullets, numbers and quotation marks around them are taken away; a line that ends with a colon is talk.
    """
    found: dict[str, None] = {}
    for line in answer.splitlines():
        text = _MARK.sub("", line).strip().strip('"*').strip()
        if text and not text.endswith(":"):
            found.setdefault(text)
    return list(found)[:limit]


@dataclass(frozen=True, kw_only=True)
class Order:
    """An order of candidates as it was answered."""

    named: tuple[int, ...]
    """Candidates by their place in the prompt, from 0, each once."""
    invented: int
    """Pieces of the answer that name no candidate: a number that none has, or other words."""
    repeated: int
    """Candidates named again."""


def order(answer: str, candidates: Sequence[str]) -> Order:
    """Read an answer's numbers, or titles, in their order.

    A title counts for what it says, whatever number stands before it: many models number their answer anew;
    one that was cut stands for the only candidate that begins so.
    """
    named: dict[int, None] = {}
    invented = repeated = 0
    for piece in _pieces(answer):
        number = _candidate(piece, candidates)
        if number is None:
            invented += 1
        elif number in named:
            repeated += 1
        else:
            named[number] = None
    return Order(named=tuple(named), invented=invented, repeated=repeated)


def _pieces(answer: str) -> list[str]:
    """Split at line ends; a line of numbers, or a single line, also at commas, semicolons and '>'."""
    lines = [line for line in answer.splitlines() if line.strip()]
    found: list[str] = []
    for line in lines:
        found += _BETWEEN.split(line) if len(lines) == 1 or _NUMBERS.match(line) else [line]
    return [piece for piece in found if piece.strip()]


def _candidate(piece: str, candidates: Sequence[str]) -> int | None:
    told = _NUMBERED.match(piece)
    text = (told.group(2) if told else piece).strip()
    if not text:
        number = int(told.group(1)) - 1 if told else -1
        return number if 0 <= number < len(candidates) else None
    if text in candidates:
        return candidates.index(text)
    begun = [number for number, candidate in enumerate(candidates) if candidate.startswith(text)]
    return begun[0] if len(begun) == 1 else None
