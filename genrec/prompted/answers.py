"""What is read out of a free answer: titles, or an order of numbered candidates."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_MARK = re.compile(r"^\s*(?:[-*•]|\(?\d{1,3}[.):])\s+")
_NUMBER = re.compile(r"^\s*[\[(#]?\s*(\d{1,4})\b")
_PIECES = re.compile(r"[\n,;>]+")


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
    """Read numbers, or the candidates' own texts, between commas, line ends or '>'."""
    place = {text: number for number, text in reversed(list(enumerate(candidates)))}
    named: dict[int, None] = {}
    invented = repeated = 0
    for piece in filter(str.strip, _PIECES.split(answer)):
        found = _NUMBER.match(piece)
        number = int(found.group(1)) - 1 if found else place.get(piece.strip(), -1)
        if not 0 <= number < len(candidates):
            invented += 1
        elif number in named:
            repeated += 1
        else:
            named.setdefault(number)
    return Order(named=tuple(named), invented=invented, repeated=repeated)
