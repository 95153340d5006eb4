"""Order among purchases that time cannot tell apart: the rules and what each does to the row order."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.errors import ConfigError
from bench.schema import BoolArray, Interactions

FILE = "file"
SECONDS_PER_DAY = 86_400

_SHUFFLED = re.compile(r"shuffled(-day)?:(\d{1,10})")


class TieRule(NamedTuple):
    """How purchases of one user that share a time are ordered."""

    seed: int | None
    """None: they stand in file order."""
    seconds: int = 1
    """Purchases are shuffled that fall into one stretch of so many seconds: what shares a known time, or a
    day (`shuffled-day`), which in data of finer times also breaks an order that is known."""


def parse_ties(text: str) -> TieRule:
    """Read `file`, `shuffled:<seed>` or `shuffled-day:<seed>`; anything else is an error."""
    if text == FILE:
        return TieRule(None)
    match = _SHUFFLED.fullmatch(text)
    if match is None:
        raise ConfigError(
            f"unknown tie rule '{text}'. Allowed: file, shuffled:<seed> (such as shuffled:0), "
            "shuffled-day:<seed>"
        )
    return TieRule(int(match[2]), SECONDS_PER_DAY if match[1] else 1)


def ordered_rows(
    interactions: Interactions, kept: BoolArray, rule: TieRule, *, by_part: bool = False
) -> NDArray[np.int64]:
    """Give the row numbers of the kept users' purchases, by user, then in the order of the tie rule.

    With `by_part`, the parts of the source's own split come one after the other within a user.
    """
    parts = interactions.parts if by_part else None
    keys: list[NDArray[np.signedinteger]] = [
        interactions.timestamps,
        *([] if parts is None else [parts]),
        interactions.users,
    ]
    order = np.lexsort(keys)  # stable: file order breaks ties
    order = order[kept[interactions.users[order]]]
    if rule.seed is None:
        return order
    draws = np.random.Generator(np.random.PCG64(rule.seed)).random(len(order))
    stretches = interactions.timestamps[order] // rule.seconds
    return order[np.lexsort([draws, stretches, *(key[order] for key in keys[1:])])]
