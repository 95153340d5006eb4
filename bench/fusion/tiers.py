"""Tiered serving: a cheap row for everybody, a costly one where it is expected to pay.

The rule is fitted on validation users: users are grouped by the length of their history and by how often
their last item was bought, and a group's expected gain is the mean difference of the two rows' metric in it,
drawn towards the mean of all users as if PRIOR users more had shown that mean. Users are served by the costly
row in the order of their group's expected gain. Neither target nor the costly row's answer is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.schema import FloatArray, Histories, Int64Array

LENGTHS = (2, 4, 6, 10, 20)
"""Upper ends of the groups by history length."""
PURCHASES = (0, 5, 15, 50)
"""Upper ends of the groups by training purchases of the last item."""
PRIOR = 50.0
SHARES = tuple(step / 10 for step in range(11))


@dataclass(frozen=True, kw_only=True, eq=False)
class Rule:
    """The expected gain of each group."""

    gains: FloatArray
    """(groups,)."""

    def order(self, groups: Int64Array) -> Int64Array:
        """Give the users, those with the most to gain first, equal ones by row."""
        return np.argsort(-self.gains[groups], kind="stable")


def groups(histories: Histories, popularity: Int64Array) -> Int64Array:
    """(users,) the group of each; `popularity` is (items,) training purchases."""
    last = np.zeros(len(histories), dtype=np.int64)
    begun = histories.lengths > 0
    last[begun] = popularity[histories.items[histories.indptr[1:][begun] - 1]]
    by_length = np.searchsorted(LENGTHS, histories.lengths)
    return by_length * (len(PURCHASES) + 1) + np.searchsorted(PURCHASES, last)


def fit(groups_of_users: Int64Array, cheap: FloatArray, costly: FloatArray) -> Rule:
    """Fit the rule on users whose outcomes, (users,), under both rows are known."""
    count = (len(LENGTHS) + 1) * (len(PURCHASES) + 1)
    gain = costly - cheap
    sums = np.bincount(groups_of_users, gain, minlength=count)
    sizes = np.bincount(groups_of_users, minlength=count)
    return Rule(gains=(sums + PRIOR * gain.mean()) / (sizes + PRIOR))


def curve(order: Int64Array, cheap: FloatArray, costly: FloatArray) -> list[float]:
    """Give the mean outcome where each of SHARES of the users, from the first, gets the costly row."""
    served = np.concatenate([[0.0], np.cumsum((costly - cheap)[order])])
    total = float(cheap.sum())
    return [(total + float(served[round(share * len(order))])) / len(order) for share in SHARES]


def best_share(values: list[float]) -> float:
    """Give the smallest share at which the curve is at its highest."""
    return SHARES[int(np.argmax(values))]
