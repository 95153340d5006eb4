"""What a purchase's time and the request's time tell the ranker; counts end before the day of the request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baselines.neighbours.pairs import DAY
from bench.schema import Histories, Int64Array, Rankings

RECENT_DAYS = (30, 180)
SPAN = 1 << 20
"""More days than any calendar has."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Calendar:
    """When each item was bought, so that purchases in any stretch of days are counted at once."""

    keys: Int64Array
    """item * SPAN + day of each purchase, rising."""
    first: Int64Array
    """(items,) day of the first purchase; of an item never bought, a day that none reaches."""

    @classmethod
    def of(cls, sequences: Histories, items: int) -> Calendar:
        """Take the purchases of these sequences, which must have times."""
        if sequences.times is None:
            raise ValueError("a calendar needs purchases with times")
        days = np.clip(sequences.times // DAY, 0, SPAN - 1)
        first = np.full(items, SPAN, dtype=np.int64)
        np.minimum.at(first, sequences.items, days)
        return cls(keys=np.sort(sequences.items.astype(np.int64) * SPAN + days), first=first)

    def bought(self, items: Rankings, since: NDArray[Any], until: NDArray[Any]) -> Int64Array:
        """Count the purchases of each item from the day `since` to the day before `until`."""
        rows = items.astype(np.int64) * SPAN
        low, high = (np.clip(day, 0, SPAN - 1) for day in (since, until))
        found: Int64Array = np.searchsorted(self.keys, rows + high) - np.searchsorted(self.keys, rows + low)
        return found


def calendar_names() -> list[str]:
    """Name the columns of `calendar_columns`, in order."""
    return [
        "basket_size",
        "days_since_last",
        *(f"bought_{days}_days" for days in RECENT_DAYS),
        "bought_before",
        "trend",
        "age_days",
    ]


def calendar_columns(calendar: Calendar, histories: Histories, candidates: Rankings) -> list[Any]:
    """Give each column as (users, candidates).

    A request whose time is not known is taken to come on the day of the user's last purchase.
    """
    day, basket, since_last = _requests(histories)
    until = day[:, None]
    recent = [calendar.bought(candidates, until - days, until) for days in RECENT_DAYS]
    before = calendar.bought(candidates, np.zeros_like(until), until)
    age = np.clip(until - calendar.first[candidates], -1, None)  # never bought before: -1
    columns: list[Any] = [basket[:, None], since_last[:, None], *recent, before]
    columns += [recent[0] / (recent[1] + 1.0), age]
    return [np.broadcast_to(column, candidates.shape) for column in columns]


def _requests(histories: Histories) -> tuple[Int64Array, Int64Array, Int64Array]:
    """(users,) day of the request; purchases made on that day; days since the last purchase."""
    times = histories.times
    newest = np.zeros(len(histories), dtype=np.int64)
    if times is None:
        return newest, newest, newest
    begun = histories.lengths > 0
    newest[begun] = times[histories.indptr[1:][begun] - 1] // DAY
    day = newest if histories.request_times is None else histories.request_times // DAY
    owners = np.repeat(np.arange(len(histories)), histories.lengths)
    on_day = times // DAY == day[owners]
    return day, np.bincount(owners[on_day], minlength=len(histories)), day - newest
