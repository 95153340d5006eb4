"""Every metric of a record, registered once: name, label, cut-offs, and the function that gives it.

Scoring, `results check`, tables, charts and pages go through METRICS; to add a metric is to add it
here. A metric is one of three kinds: a function of the place of the user's one relevant item
(`gain`), of a user's whole list (`of_user`), or of all lists together (`of_lists`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bench.metrics import diversity
from bench.metrics.slices import training_popularity
from bench.schema import NO_ITEM, FloatArray, Rankings, Split

CUTOFFS = (1, 5, 10, 20)
SLICE_CUTOFFS = (5, 10)


@dataclass(frozen=True, kw_only=True, eq=False)
class Lists:
    """What a metric of whole lists may look at."""

    split: Split
    rankings: Rankings
    """(users, depth) as one of the two views sees them."""
    attributes: diversity.Attributes

    @cached_property
    def lengths(self) -> FloatArray:
        """Items in each list: (users,)."""
        lengths: FloatArray = (self.rankings != NO_ITEM).sum(axis=1).astype(np.float64)
        return lengths


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric at all its cut-offs; exactly one of the last three fields is given."""

    name: str
    """As in a record, before '@'."""
    label: str
    """In a table's head."""
    share: bool = True
    """Whether it lies between 0 and 1."""
    schema: int | None = None
    """Version of the record from which on every record has it; null: a record may lack it."""
    gain: Callable[[int], float] | None = None
    """What a user adds whose target is found at this place, from 1, up to the cut-off."""
    of_user: Callable[[Lists, Sequence[int]], list[FloatArray]] | None = None
    """For each cut-off the value of every user, (users,); NaN where it is not defined."""
    of_lists: Callable[[Lists, Sequence[int]], list[float]] | None = None
    """For each cut-off one value; it has no interval."""


def _full_lists(lists: Lists, cutoffs: Sequence[int]) -> list[FloatArray]:
    return [(lists.lengths >= cutoff).astype(np.float64) for cutoff in cutoffs]


def _catalogue_coverage(lists: Lists, cutoffs: Sequence[int]) -> list[float]:
    # resampling users can only lower the number of distinct items, so there is no interval
    return diversity.catalogue_coverage(lists.rankings, len(lists.split.catalogue), cutoffs)


def _popularity_bias(lists: Lists, cutoffs: Sequence[int]) -> list[FloatArray]:
    counts = training_popularity(lists.split)
    return diversity.popularity_bias(lists.rankings, lists.split.test.histories, counts, cutoffs)


def _diversity(lists: Lists, cutoffs: Sequence[int]) -> list[FloatArray]:
    return diversity.list_diversity(lists.rankings, lists.attributes, cutoffs)


def _interest_coverage(lists: Lists, cutoffs: Sequence[int]) -> list[FloatArray]:
    return diversity.interest_coverage(lists.rankings, lists.split.test.histories, lists.attributes, cutoffs)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(name="recall", label="Recall", schema=1, gain=lambda rank: 1.0),
        Metric(name="ndcg", label="nDCG", schema=1, gain=lambda rank: 1.0 / math.log2(1 + rank)),
        Metric(name="mrr", label="MRR", schema=1, gain=lambda rank: 1.0 / rank),
        Metric(name="full_lists", label="Users with a full list", schema=1, of_user=_full_lists),
        Metric(name="catalogue_coverage", label="Catalogue coverage", schema=1, of_lists=_catalogue_coverage),
        Metric(
            name="popularity_bias",
            label="Popularity bias",
            share=False,
            schema=1,
            of_user=_popularity_bias,
        ),
        Metric(name="diversity", label="Diversity", schema=1, of_user=_diversity),
        Metric(name="interest_coverage", label="Coverage of interests", schema=1, of_user=_interest_coverage),
    )
}
QUALITY = tuple(name for name, metric in METRICS.items() if metric.gain is not None)
"""The metrics that models are ranked by."""
