"""Lists that do not starve when a user's own items are removed from them: how deep to ask, what to keep.

A model may list what the user has. Where histories are longer than lists, nothing is left of some lists
once that is removed, and the view that removes them would be scored on less than the other.
"""

from __future__ import annotations

import numpy as np

from bench.metrics.ranking import remove_seen
from bench.schema import NO_ITEM, Histories, Rankings

STARVED_SHARE = 0.05
"""Share of users whose list can starve, above which a model is asked deeper; Amazon's data stay below."""
NEEDED = 10
"""Items that a list must hold once seen items are removed: the deepest cut-off that tables show."""
MOST = 1_000
"""Items asked for beyond the list, at most."""


def room_for_removal(histories: Histories, depth: int) -> int:
    """Give how many more items to ask for: as many as the longest history holds, or 0 where few starve.

    A list can starve if its user's history leaves fewer than ten items of it. Lists that are asked for
    shorter than twice that are short by choice, and asked for as they are.
    """
    if not len(histories) or depth < 2 * NEEDED:
        return 0
    can_starve = histories.lengths > depth - NEEDED
    if can_starve.mean() <= STARVED_SHARE:
        return 0
    return min(int(histories.lengths.max()), MOST)


def trimmed(rankings: Rankings, histories: Histories, depth: int) -> Rankings:
    """Keep of each list its first `depth` items, and what holds as many that the user does not have."""
    width = rankings.shape[1]
    if width <= depth:
        return rankings
    last = remove_seen(rankings, histories)[:, depth - 1]
    ends = np.where(last == NO_ITEM, width, (rankings == last[:, None]).argmax(axis=1) + 1)
    ends = np.maximum(ends, depth)
    kept = np.where(np.arange(width) < ends[:, None], rankings, NO_ITEM).astype(np.int32)
    return kept[:, : max(depth, int((kept != NO_ITEM).sum(axis=1).max(initial=0)))]
