"""Groups of test users within which quality is reported apart. They depend on the split alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.schema import BoolArray, Int64Array, Split

POPULARITY_BANDS = 4
SLICES = {"history_length": 1, "target_popularity": 1, "same_day": 1, "shared_title": 1}
"""Each kind of slice, and the schema version from which on every record has it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class UserGroup:
    """A group of test users; it may be empty."""

    label: str
    members: BoolArray
    """(users,)"""


def training_popularity(split: Split) -> Int64Array:
    """Count each item's purchases in the training sequences: (items,)."""
    return np.bincount(split.train.items, minlength=len(split.catalogue))


def user_groups(split: Split) -> dict[str, list[UserGroup]]:
    """Give the kinds of slice, each a partition of the test users into groups."""
    shared = _shared_titles(split)[split.test.targets]
    return {
        "history_length": _by_length(split),
        "target_popularity": _by_popularity(split),
        "same_day": [
            UserGroup(label="same day", members=split.same_day),
            UserGroup(label="later day", members=~split.same_day),
        ],
        "shared_title": [
            UserGroup(label="shared title", members=shared),
            UserGroup(label="title of its own", members=~shared),
        ],
    }


def _by_length(split: Split) -> list[UserGroup]:
    """Count all of a user's purchases, the target among them, in the bands of Acharya (2025)."""
    purchases = split.test.histories.lengths + 1
    return [
        UserGroup(label="<=5", members=purchases <= 5),
        UserGroup(label="6-14", members=(purchases >= 6) & (purchases <= 14)),
        UserGroup(label=">14", members=purchases > 14),
    ]


def _by_popularity(split: Split) -> list[UserGroup]:
    """Cold targets (never in training), then bands of training count that hold about as many users each."""
    counts = training_popularity(split)[split.test.targets]
    groups = [UserGroup(label="cold (0)", members=counts == 0)]
    known = np.sort(counts[counts > 0])
    quantiles = [len(known) * band // POPULARITY_BANDS for band in range(1, POPULARITY_BANDS)]
    edges = sorted({1, *(int(known[place]) for place in quantiles if len(known))})
    for low, high in zip(edges, [*edges[1:], None], strict=True):
        if high is None:
            groups.append(UserGroup(label=f">={low}", members=counts >= low))
        else:
            label = str(low) if high == low + 1 else f"{low}-{high - 1}"
            groups.append(UserGroup(label=label, members=(counts >= low) & (counts < high)))
    return groups


def _shared_titles(split: Split) -> BoolArray:
    """Whether an item has the title of another: (items,)."""
    _, inverse, counts = np.unique(
        np.array(split.catalogue.titles, dtype=object), return_inverse=True, return_counts=True
    )
    shared: BoolArray = counts[inverse] > 1
    return shared
