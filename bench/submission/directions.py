"""Which way the lists of a file run: against their scores, or by the ids of their items.

Both point to an order that is not the one meant: distances that are called scores, sets and sorted tables.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.schema import BoolArray, Int64Array, Rankings, Split
from bench.submission.columns.ordering import Order
from bench.submission.report import Report, shown

MIN_USERS = 20
MIN_ITEMS = 5
"""Sorted lists of fewer users, or shorter ones, may be chance."""


class Directions:
    """Notes for each user whether the rows go up and down, as they stand in the file."""

    def __init__(self, split: Split, order: Order) -> None:
        self._split, self._order = split, order
        users = len(split.user_ids)
        self._up = np.zeros(users, dtype=bool)
        self._down = np.zeros(users, dtype=bool)
        self._steps = np.zeros(users, dtype=np.int64)
        self._falls = [np.zeros(users, dtype=bool) for _ in self._id_orders] if self._may_be_sorted else []

    @property
    def _may_be_sorted(self) -> bool:
        return self._order.kind == "file" and not self._order.chosen and self._order.check is None

    @cached_property
    def _id_orders(self) -> list[Int64Array]:
        """Places of the items among all, by their ids as text, as numbers, and in the catalogue's order."""
        ids = self._split.catalogue.item_ids
        orders = [np.array(ids), np.arange(len(ids))]
        if all(one.isdigit() and len(one) < 18 for one in ids):
            orders.append(np.array(ids, dtype=np.int64))
        return [np.argsort(np.argsort(one, kind="stable"), kind="stable") for one in orders]

    def add(self, rows: NDArray[Any]) -> None:
        """Take rows in the order of the file."""
        follows = rows["user"][1:] == rows["user"][:-1]
        users = rows["user"][1:]
        if self._order.kind == "score":
            score = rows["score"]
            self._up[users[follows & (score[1:] > score[:-1])]] = True
            self._down[users[follows & (score[1:] < score[:-1])]] = True
        if self._falls:
            self._steps += np.bincount(users[follows], minlength=len(self._steps))
        for place, falls in zip(self._id_orders if self._falls else [], self._falls, strict=True):
            step = np.diff(place[rows["item"]])
            falls[users[follows & (step < 0)]] = True

    def report(self, report: Report, rankings: Rankings) -> None:
        """Say what was found of the whole file."""
        against = self._up & ~self._down
        if 2 * against.sum() > (self._up | self._down).sum():
            what = "users whose scores run against the order of the file: the last row was taken as best"
            hint = f"Where the smallest is the best, as for distances, say {report.controls.ascending}"
            self._tell(report.warn, "against", what, against, hint)
        judged = self._steps >= MIN_ITEMS - 1
        if judged.sum() < MIN_USERS or not (rankings[judged] != rankings[judged][0]).any():
            return
        for falls in self._falls:
            if np.mean(~falls[judged]) >= 0.9:
                what = "lists whose items stand in the order of their ids, as in a set or a sorted table"
                hint = (
                    f"Say {report.controls.order} for a column that has the order of preference, "
                    f"or {report.controls.by_file} if this order is meant"
                )
                self._tell(report.error, "sorted", what, judged & ~falls, hint)
                return

    def _tell(self, add: Callable[..., None], kind: str, what: str, users: BoolArray, hint: str) -> None:
        at = np.flatnonzero(users)
        add(kind, what, (f"user {shown(self._split.user_ids[user])}" for user in at), len(at), hint)
