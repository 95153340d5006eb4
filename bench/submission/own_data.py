"""Files that hold the data and no recommendations: the users' own histories, or the test targets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.schema import NO_ITEM, Int32Array, Rankings, Split
from bench.submission.columns.content import id_text
from bench.submission.reading.table import Known

SHARE = 0.9
"""So many of the users must have their own data as their list."""
MIN_USERS = 5
HISTORIES = "the users' own histories"
TARGETS = "the test targets"


def what_lists_are(known: Known, users: Sequence[object], lists: Sequence[Sequence[str]]) -> str | None:
    """Recognise lists of item ids, one entry a row of a table; entries of one user are joined."""
    joined: dict[int, list[int]] = {}
    for user, items in zip(users, lists, strict=True):
        row = known.users.get(id_text(user))
        if row is not None:
            held = joined.setdefault(row, [])
            held += [
                known.items[item] for item in items if item in known.items and known.items[item] not in held
            ]
    width = max((len(items) for items in joined.values()), default=0)
    if not width:
        return None
    rankings = np.full((len(joined), width), NO_ITEM, dtype=np.int32)
    for at, rows in enumerate(joined.values()):
        rankings[at, : len(rows)] = rows
    return recognise(known.split, np.array(list(joined), dtype=np.int32), rankings)


def recognise(split: Split, users: Int32Array, rankings: Rankings) -> str | None:
    """Say what lists (users, depth) are if they are the data of these users; None if they are not.

    A list is its user's history if it holds nothing else than the history and the target, and all of it but
    one item, in whatever order.
    """
    counts = (rankings != NO_ITEM).sum(axis=1)
    users, rankings, counts = users[counts > 0], rankings[counts > 0], counts[counts > 0]
    if len(users) < MIN_USERS:
        return None
    targets = split.test.targets[users]
    if np.mean((counts == 1) & (rankings[:, 0] == targets)) >= SHARE:
        return TARGETS
    items = len(split.catalogue)
    owners = np.repeat(np.arange(len(split.user_ids)), split.test.histories.lengths)
    keys = np.unique(owners * items + split.test.histories.items)
    own = np.minimum(np.bincount(keys // items, minlength=len(split.user_ids))[users], rankings.shape[1])
    alike = (counts >= own - 1) & (counts <= own + 1) & (own > 1)
    if np.mean(alike) < SHARE:
        return None
    places = users[:, None].astype(np.int64) * items + rankings
    inside = np.isin(places, keys) | (rankings == targets[:, None]) | (rankings == NO_ITEM)
    return HISTORIES if np.mean(alike & inside.all(axis=1)) >= SHARE else None
