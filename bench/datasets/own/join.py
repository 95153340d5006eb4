"""Purchases and described items -> Interactions: what is left out is counted, and said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.datasets.own.codes import IdCodes
from bench.datasets.own.faults import Faults
from bench.schema import BoolArray, Catalogue, Int32Array, Int64Array, Interactions

_MANY = 0.5
"""Share of purchases without an item's title above which the two tables do not belong together."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the user said of the tables."""

    interactions: tuple[Path, ...]
    """One table, or three of a split made elsewhere: train, valid and test."""
    items: Path | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    """Role -> column, where the guess is not right."""
    text: str | None = None
    """Template of a title out of several columns."""
    core: int = 0
    """Users and items with fewer purchases are left out, until none is left."""
    min_history: int = 0
    """Users with fewer items before their last are left out."""
    dedupe: bool = False
    """Keep the first purchase of an item by a user and leave out the later ones."""
    zone: str = "UTC"
    """Of times that name none."""
    literals: bool = False
    """Whether lines of the tables may be Python literals; a source says so, users are not asked."""

    def as_given(self) -> dict[str, Any]:
        """Give what was said, for the record; files by their names."""
        given = {"columns": dict(self.columns), "text": self.text, "core": self.core, "zone": self.zone,
                 "min_history": self.min_history, "dedupe": self.dedupe}  # fmt: skip
        return {name: value for name, value in given.items() if value}


@dataclass(kw_only=True, eq=False)
class Purchases:
    """The rows of the interactions, all of them, in file order."""

    user_codes: IdCodes
    item_codes: IdCodes
    users: Int32Array
    items: Int32Array
    times: Int64Array
    parts: NDArray[np.int8]


@dataclass(kw_only=True)
class Items:
    """The described items that somebody bought and that have a title, in the order of their table."""

    ids: list[str] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    brands: list[str | None] = field(default_factory=list)
    categories: list[tuple[str, ...]] = field(default_factory=list)
    prices: list[float | None] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    """Items described, with or without a title."""


def join(purchases: Purchases, items: Items, options: Options, faults: Faults) -> Interactions:
    """Leave out what cannot be used, in this order: items without title, repeats, too few purchases."""
    met = purchases.item_codes
    row_of_code = np.full(len(met), -1, dtype=np.int32)
    row_of_code[met.of(items.ids)] = np.arange(len(items.ids), dtype=np.int32)
    described = np.zeros(len(met), dtype=np.bool_)
    described[met.of(items.known)] = True
    rows = row_of_code[purchases.items]
    _report_items(purchases, items, rows, described, faults)
    faults.stop_if_any()

    ids = purchases.user_codes.ids
    order = sorted(range(len(ids)), key=ids.__getitem__)
    place = np.empty(len(ids), dtype=np.int32)
    place[order] = np.arange(len(ids), dtype=np.int32)
    users, times = place[purchases.users], purchases.times
    repeats = _repeats(users, purchases.items, times, whatever_time=options.dedupe)
    what = "of an item that the user bought before" if options.dedupe else "of user, item and time"
    faults.note(f"rows that repeat an earlier row {what}, left out", int(repeats.sum()))
    kept = ~repeats & (rows >= 0)
    before = int(kept.sum())
    kept = _core(kept, users, rows, options, len(ids), len(items.ids))
    faults.note("purchases left out by --core and --min-history", before - int(kept.sum()))
    if not kept.any():
        faults.error("no purchase is left; use a lower --core or --min-history, or look at the notes")
        faults.stop_if_any()
    used = np.bincount(rows[kept], minlength=len(items.ids)) > 0
    new_row = np.cumsum(used, dtype=np.int32) - 1
    buyers = np.bincount(users[kept], minlength=len(ids)) > 0
    new_user = np.cumsum(buyers, dtype=np.int32) - 1
    lost = rows < 0
    undescribed = lost & ~described[purchases.items] & ~repeats
    interactions = Interactions(
        user_ids=tuple(ids[order[user]] for user in np.flatnonzero(buyers).tolist()),
        catalogue=_catalogue(items, used),
        users=new_user[users[kept]],
        items=new_row[rows[kept]],
        timestamps=times[kept],
        parts=purchases.parts[kept] if len(options.interactions) > 1 else None,
        duplicates_dropped=int(repeats.sum()),
        untitled_items=int((described & (row_of_code < 0)).sum()),
        untitled_interactions=int((lost & ~repeats & ~undescribed).sum()),
        undescribed_items=int((~described).sum()),
        undescribed_interactions=int(undescribed.sum()),
    )
    _report_sequences(interactions, faults)
    return interactions


def _report_items(
    purchases: Purchases, items: Items, rows: Int32Array, described: BoolArray, faults: Faults
) -> None:
    """Say which bought items have no title, and whether ids of the two tables differ by leading zeros."""
    ids = purchases.item_codes.ids
    titled = set(items.ids)
    unknown = [id_ for code, id_ in enumerate(ids) if not described[code]]
    untitled = [id_ for code, id_ in enumerate(ids) if described[code] and id_ not in titled]
    faults.note("items without a title, left out with their purchases", len(untitled), untitled)
    faults.note("bought items that are not in the table of items, left out", len(unknown), unknown)
    if (rows < 0).mean() <= _MANY:
        return
    faults.error(
        "the table of items describes too few of the bought items: are the ids of one kind "
        "(leading zeros, asin or parent_asin)? Purchases that would be lost",
        int((rows < 0).sum()),
        unknown or untitled,
    )


def _report_sequences(interactions: Interactions, faults: Faults) -> None:
    lengths = np.bincount(interactions.users)
    faults.note("users with fewer than 3 purchases, whom every split leaves out", int((lengths < 3).sum()))
    order = np.lexsort((interactions.timestamps, interactions.users))
    users, times = interactions.users[order], interactions.timestamps[order]
    tied = (users[1:] == users[:-1]) & (times[1:] == times[:-1])
    faults.note("purchases at the very time of the user's purchase before (ties)", int(tied.sum()))
    if interactions.timestamps.max() < 631_152_000:  # 1990
        faults.note("all times lie before 1990: are they times since 1970?")


def _repeats(users: Int32Array, items: Int32Array, times: Int64Array, *, whatever_time: bool) -> BoolArray:
    """Mark the rows that repeat an earlier row; with `whatever_time`, the earliest purchase stays."""
    order = np.lexsort((times, items, users))  # stable: equal rows stay in file order
    same = (users[order][1:] == users[order][:-1]) & (items[order][1:] == items[order][:-1])
    if not whatever_time:
        same &= times[order][1:] == times[order][:-1]
    repeated = np.zeros(len(users), dtype=np.bool_)
    repeated[order[1:][same]] = True
    return repeated


def _core(
    kept: BoolArray, users: Int32Array, items: Int32Array, options: Options, user_count: int, item_count: int
) -> BoolArray:
    """Leave out users and items with too few purchases, again and again until none is left."""
    least_user, least_item = max(options.core, options.min_history + 1), options.core
    if max(least_user, least_item) <= 1:
        return kept
    while True:
        by_user = np.bincount(users[kept], minlength=user_count)
        by_item = np.bincount(items[kept], minlength=item_count)
        going = kept & (by_user[users] >= least_user)
        going &= by_item[np.maximum(items, 0)] >= least_item
        if int(going.sum()) == int(kept.sum()):
            return kept
        kept = going


def _catalogue(items: Items, used: BoolArray) -> Catalogue:
    rows = np.flatnonzero(used).tolist()
    return Catalogue(
        item_ids=tuple(items.ids[row] for row in rows),
        titles=tuple(items.titles[row] for row in rows),
        brands=tuple(items.brands[row] for row in rows),
        categories=tuple(items.categories[row] for row in rows),
        prices=tuple(items.prices[row] for row in rows),
    )
