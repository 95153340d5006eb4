"""The table of decoding strategies: what each is, and which settings it does not read. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ContinuationsSetting = Literal["num_beams", "calrec_samples"]


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """One way to write texts."""

    continuations: ContinuationsSetting = "num_beams"
    """The setting that says how many continuations of a prompt are written at one time."""
    drawn: bool = False
    """Tokens are drawn (a seed and a temperature matter); else they are searched."""
    constrained: bool = False
    """Only texts of the catalogue are written."""
    distinct: bool = False
    """Equal texts of one user are kept once."""
    list_rule: str | None = None
    """The list rule that belongs to it; None: any."""
    unread: frozenset[str]
    """Generation settings that do not matter to it, so that texts are found again whatever they say."""


STRATEGIES: dict[str, Strategy] = {
    "beam": Strategy(unread=frozenset({"calrec_samples", "temperature", "top_k", "top_p"})),
    "sample": Strategy(drawn=True, unread=frozenset({"calrec_samples", "length_penalty"})),
    "calrec": Strategy(
        continuations="calrec_samples",
        drawn=True,
        distinct=True,
        list_rule="calrec",
        unread=frozenset({"num_beams", "length_penalty"}),
    ),
    "constrained": Strategy(
        constrained=True,
        unread=frozenset({"calrec_samples", "temperature", "top_k", "top_p", "length_penalty"}),
    ),
}
