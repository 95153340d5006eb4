"""The embedded shop cut down to its first users: small, but with more of them than chance explains."""

from __future__ import annotations

import dataclasses

from bench.schema import Examples, Histories, Split


def first_users(split: Split, count: int) -> Split:
    """Keep the first users of a split, with the whole catalogue."""
    histories = Histories.from_lists([split.test.histories[row] for row in range(count)])
    test = Examples(histories=histories, targets=split.test.targets[:count])
    return dataclasses.replace(
        split, user_ids=split.user_ids[:count], test=test, same_day=split.same_day[:count]
    )


def whole_numbers(split: Split) -> Split:
    """The same data with whole numbers as ids: users 1, 2, 3, ... and items 1, 2, 3, ..."""
    items = tuple(str(row + 1) for row in range(len(split.catalogue)))
    users = tuple(str(row + 1) for row in range(len(split.user_ids)))
    catalogue = dataclasses.replace(split.catalogue, item_ids=items)
    return dataclasses.replace(split, catalogue=catalogue, user_ids=users)
