"""What a data set holds, in figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bench.schema import Interactions, Split

QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The figures of `genrec-bench data stats`."""

    users: int
    items: int
    interactions: int
    density: float
    """interactions / (users * items)"""
    duplicates_dropped: int
    untitled_items: int
    untitled_interactions: int
    undescribed_items: int
    """Items bought of which the metadata say nothing."""
    undescribed_interactions: int
    users_dropped: int
    same_day_targets: int
    """Users whose last two purchases share a day."""
    test_users: int
    validation_users: int
    unseen_users: int
    """Under a split by time: users without a purchase before the cut."""
    unseen_targets: int
    """Test targets that are in no training sequence."""
    history_quantiles: Mapping[float, int]
    """Quantile -> length of the test history (items before the target)."""
    shared_titles: int
    """Titles that several items bear."""
    items_with_shared_title: int
    first_day: np.datetime64
    last_day: np.datetime64
    fingerprint: str


def summarise(interactions: Interactions, split: Split) -> Summary:
    """Count what a user of the data should know before trusting a number on it."""
    lengths = np.quantile(split.test.histories.lengths, QUANTILES, method="nearest").astype(int)
    bearers = Counter(split.catalogue.titles)
    shared = [count for count in bearers.values() if count > 1]
    days = interactions.timestamps.astype("datetime64[s]").astype("datetime64[D]")
    users, items = len(split.user_ids) + len(split.other_user_ids), len(split.catalogue)
    return Summary(
        users=users,
        items=items,
        interactions=split.interactions,
        density=split.interactions / (users * items),
        duplicates_dropped=interactions.duplicates_dropped,
        untitled_items=interactions.untitled_items,
        untitled_interactions=interactions.untitled_interactions,
        undescribed_items=interactions.undescribed_items,
        undescribed_interactions=interactions.undescribed_interactions,
        users_dropped=split.users_dropped,
        same_day_targets=int(split.same_day.sum()),
        test_users=len(split.test),
        validation_users=len(split.validation),
        unseen_users=split.unseen_users,
        unseen_targets=split.unseen_targets,
        history_quantiles=dict(zip(QUANTILES, lengths.tolist(), strict=True)),
        shared_titles=len(shared),
        items_with_shared_title=sum(shared),
        first_day=days.min(),
        last_day=days.max(),
        fingerprint=split.fingerprint,
    )
