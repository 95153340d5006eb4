"""Whether a row is complete: how many users its lists answer."""

from __future__ import annotations

from typing import Literal

import numpy as np

from bench.schema import NO_ITEM, Rankings

MISSING_ALLOWED = 0.01
"""Share of users that a submission may leave out without a mark; they count as misses all the same."""


def status_of(rankings: Rankings) -> Literal["complete", "partial"]:
    """Give the status of submitted lists, (users, depth): partial if over 1 % of users have no item."""
    without = int(np.count_nonzero((rankings == NO_ITEM).all(axis=1)))
    return "partial" if without > MISSING_ALLOWED * len(rankings) else "complete"
