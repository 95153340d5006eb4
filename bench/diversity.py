"""What a list holds beyond the one relevant item: diversity, coverage of interests, popularity.

An item's attributes are its categories and its brand, as in GPT4Rec (Li et al. 2023, arXiv
2304.03879, "Diversity@K" and "Coverage@K"); a brand and a category of the same name are two
attributes. All functions take rankings (users, depth) padded with NO_ITEM and look at the first k.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.schema import NO_ITEM, Catalogue, FloatArray, Histories, Int32Array, Int64Array, Rankings

CELLS = 4_000_000
"""Largest scratch table, in cells, that a step works on at once."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Attributes:
    """The attributes of each item; the row after the last stands for NO_ITEM and has none."""

    total: int
    """Distinct attributes in the catalogue."""
    table: Int32Array
    """(items + 1, widest) attribute numbers, padded with `total`."""
    sizes: Int32Array
    """(items + 1,) attributes of each item."""
    brands: Int32Array
    """(items + 1,) brand of each item; items without one have negative numbers, all different."""
    category_bits: NDArray[np.uint64]
    """(words, items + 1) categories of each item as bits."""


def item_attributes(catalogue: Catalogue) -> Attributes:
    """Number the categories and brands of a catalogue."""
    numbers: dict[tuple[str, str], int] = {}
    rows: list[list[int]] = []
    brands = -1 - np.arange(len(catalogue) + 1, dtype=np.int32)
    for categories in catalogue.categories:
        rows.append(
            [numbers.setdefault(("category", name), len(numbers)) for name in dict.fromkeys(categories)]
        )
    category_total = len(numbers)
    for item, brand in enumerate(catalogue.brands):
        if brand is not None:
            brands[item] = numbers.setdefault(("brand", brand), len(numbers))
            rows[item].append(int(brands[item]))
    sizes = np.array([len(row) for row in rows] + [0], dtype=np.int32)
    table = np.full((len(rows) + 1, max(1, int(sizes.max()))), len(numbers), dtype=np.int32)
    table[np.arange(table.shape[1]) < sizes[:, None]] = [number for row in rows for number in row]
    return Attributes(
        total=len(numbers),
        table=table,
        sizes=sizes,
        brands=brands,
        category_bits=_category_bits(table, category_total),
    )


def list_diversity(rankings: Rankings, attributes: Attributes, cutoffs: Sequence[int]) -> list[FloatArray]:
    """Diversity of each user's first k items, for each cut-off: 1 - mean pairwise Jaccard similarity.

    Diversity@k(u) = 1 - 2 / (m (m - 1)) sum_{i < j} |A_i & A_j| / |A_i | A_j|, over the m <= k listed
    items with attribute sets A; two items without attributes have similarity 0. NaN where m < 2.
    """
    top = max(cutoffs)
    results = [np.full(len(rankings), np.nan) for _ in cutoffs]
    words = len(attributes.category_bits)
    for rows in _chunks(len(rankings), top * words):
        items = np.ascontiguousarray(rankings[rows, :top].T)
        similarity = np.zeros(items.shape[1])
        for place in range(len(items)):
            if place:
                similarity += _similarities(items, place, attributes)
            for result, cutoff in zip(results, cutoffs, strict=True):
                if place + 1 == min(cutoff, len(items)):
                    listed = (items[: place + 1] != NO_ITEM).sum(axis=0)
                    pairs = listed * (listed - 1) / 2
                    np.divide(similarity, pairs, out=result[rows], where=pairs > 0)
    return [1.0 - result for result in results]


def interest_coverage(
    rankings: Rankings, histories: Histories, attributes: Attributes, cutoffs: Sequence[int]
) -> list[FloatArray]:
    """Share of the attributes in a user's history that the first k items cover, for each cut-off.

    Coverage@k(u) = |B_u & L_u,k| / |B_u|, B_u the attributes of the items in the history, L_u,k
    those of the first k listed items. NaN where the history has no attributes.
    """
    top = min(max(cutoffs), rankings.shape[1])
    width = attributes.total + 1
    covered = [np.zeros(len(rankings), dtype=np.int64) for _ in cutoffs]
    wanted = np.zeros(len(rankings), dtype=np.int64)
    owners = np.repeat(np.arange(len(histories)), histories.lengths)
    for rows in _chunks(len(rankings), width):
        size = rows.stop - rows.start
        span = slice(histories.indptr[rows.start], histories.indptr[rows.stop])
        own = np.zeros((size, width), dtype=np.bool_)
        own[(owners[span] - rows.start)[:, None], attributes.table[histories.items[span]]] = True
        own[:, -1] = False
        wanted[rows] = own.sum(axis=1)
        # The best place at which each attribute is listed: written from the last place to the first.
        first = np.full((size, width), top, dtype=np.int32)
        for place in range(top - 1, -1, -1):
            first[np.arange(size)[:, None], attributes.table[rankings[rows, place]]] = place
        users, names = np.nonzero(own)
        places = first[users, names]
        for cutoff, count in zip(cutoffs, covered, strict=True):
            count[rows] = np.bincount(users[places < min(cutoff, top)], minlength=size)
    return [np.where(wanted > 0, count / np.maximum(wanted, 1), np.nan) for count in covered]


def popularity_bias(
    rankings: Rankings, histories: Histories, popularity: Int64Array, cutoffs: Sequence[int]
) -> list[FloatArray]:
    """How popular the first k items are against what users bought themselves, for each cut-off.

    ARP_u@k / GAP: the average recommendation popularity of the user's list (Yin et al. 2012;
    Abdollahpouri et al. 2019) over the group average popularity of all profiles, so that the mean
    over users is 1 + popularity lift (Abdollahpouri et al. 2020, arXiv 2008.09273): 1 recommends items
    as popular as those in the histories, above 1 leans to popular items. `popularity` (items,) counts
    training purchases. NaN for an empty list, and everywhere if no history holds a known item.
    """
    totals = np.concatenate([[0], np.cumsum(popularity[histories.items])])[histories.indptr]
    profiles = _mean_of(np.diff(totals), histories.lengths)
    profiles = profiles[~np.isnan(profiles)]
    reference = math.fsum(profiles.tolist()) / max(1, len(profiles))
    listed = rankings != NO_ITEM
    sums = np.cumsum(np.where(listed, popularity[rankings], 0), axis=1)
    sizes = np.cumsum(listed, axis=1)
    results = []
    for cutoff in cutoffs:
        last = min(cutoff, rankings.shape[1]) - 1
        results.append(_mean_of(sums[:, last], sizes[:, last]) / (reference or math.nan))
    return results


def catalogue_coverage(rankings: Rankings, catalogue_size: int, cutoffs: Sequence[int]) -> list[float]:
    """Share of the catalogue that is among the first k items of at least one list, for each cut-off."""
    shares = []
    for cutoff in cutoffs:
        found = np.zeros(catalogue_size + 1, dtype=np.bool_)
        found[rankings[:, :cutoff]] = True
        shares.append(int(found[:-1].sum()) / catalogue_size)
    return shares


def _similarities(items: Int32Array, place: int, attributes: Attributes) -> FloatArray:
    """Sum of the Jaccard similarities of the item at `place` to each item above it: (users,)."""
    above, here = items[:place], items[place]
    shared = (attributes.brands[above] == attributes.brands[here]).astype(np.int32)
    for word in attributes.category_bits:
        shared += np.bitwise_count(word[above] & word[here])
    union = attributes.sizes[above] + attributes.sizes[here] - shared
    similarity = (shared / np.maximum(union, 1)).sum(axis=0)
    return np.where(here == NO_ITEM, 0.0, similarity)


def _category_bits(table: Int32Array, categories: int) -> NDArray[np.uint64]:
    words = np.zeros((max(1, -(-categories // 64)), len(table)), dtype=np.uint64)
    for column in table.T:
        rows = np.flatnonzero(column < categories)
        bits = np.uint64(1) << (column[rows] % 64).astype(np.uint64)
        words[column[rows] // 64, rows] |= bits
    return words


def _mean_of(sums: NDArray[Any], sizes: NDArray[Any]) -> FloatArray:
    return np.where(sizes > 0, sums / np.maximum(sizes, 1), np.nan)


def _chunks(users: int, cells_per_user: int) -> list[slice]:
    step = max(1, CELLS // max(1, cells_per_user))
    return [slice(start, min(start + step, users)) for start in range(0, users, step)]
