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

CELLS = 2_000_000
"""Largest scratch table, in cells, that a step works on at once."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Attributes:
    """The attributes of each item; the row after the last stands for NO_ITEM and has none."""

    category_bits: NDArray[np.uint64]
    """(words, items + 1) categories as bits."""
    brands: Int32Array
    """(items + 1,) brand numbers; items without a brand have negative ones, all different."""
    brand_total: int
    sizes: NDArray[np.int16]
    """(items + 1,) how many attributes an item has."""


def item_attributes(catalogue: Catalogue) -> Attributes:
    """Number the categories and brands of a catalogue."""
    category_numbers: dict[str, int] = {}
    brand_numbers: dict[str, int] = {}
    items, categories = [], []
    brands = -1 - np.arange(len(catalogue) + 1, dtype=np.int32)
    for item, names in enumerate(catalogue.categories):
        for name in set(names):
            items.append(item)
            categories.append(category_numbers.setdefault(name, len(category_numbers)))
    for item, brand in enumerate(catalogue.brands):
        if brand is not None:
            brands[item] = brand_numbers.setdefault(brand, len(brand_numbers))
    bits = np.zeros((len(category_numbers) // 64 + 1, len(catalogue) + 1), dtype=np.uint64)
    words, places = np.divmod(np.array(categories, dtype=np.int64), 64)
    np.bitwise_or.at(bits, (words, np.array(items, dtype=np.int64)), np.uint64(1) << places.astype(np.uint64))
    return Attributes(
        category_bits=bits,
        brands=brands,
        brand_total=len(brand_numbers),
        sizes=np.bitwise_count(bits).sum(axis=0, dtype=np.int16) + (brands >= 0),
    )


def list_diversity(rankings: Rankings, attributes: Attributes, cutoffs: Sequence[int]) -> list[FloatArray]:
    """Diversity of each user's first k items, for each cut-off: 1 - mean pairwise Jaccard similarity.

    Diversity@k(u) = 1 - 2 / (m (m - 1)) sum_{i < j} |A_i & A_j| / |A_i | A_j|, over the m <= k listed
    items with attribute sets A; two items without attributes have similarity 0. NaN where m < 2.
    """
    top = min(max(cutoffs), rankings.shape[1])
    results = [np.full(len(rankings), np.nan) for _ in cutoffs]
    for rows in _chunks(len(rankings), top * len(attributes.category_bits)):
        items = np.ascontiguousarray(rankings[rows, :top].T)
        bits, brands, sizes = (
            attributes.category_bits[:, items],
            attributes.brands[items],
            attributes.sizes[items],
        )
        listed = np.cumsum(items != NO_ITEM, axis=0)
        similarity = np.zeros(items.shape[1])
        for place in range(top):
            shared = (brands[:place] == brands[place]).astype(np.int16)
            for word in bits:
                shared += np.bitwise_count(word[:place] & word[place])
            union = sizes[:place] + sizes[place] - shared
            similarities = np.divide(shared, np.maximum(union, 1), dtype=np.float64).sum(axis=0)
            similarity += np.where(items[place] == NO_ITEM, 0.0, similarities)
            for result, cutoff in zip(results, cutoffs, strict=True):
                if place + 1 == min(cutoff, top):
                    pairs = listed[place] * (listed[place] - 1) / 2
                    np.divide(similarity, pairs, out=result[rows], where=pairs > 0)
    return [1.0 - result for result in results]


def interest_coverage(
    rankings: Rankings, histories: Histories, attributes: Attributes, cutoffs: Sequence[int]
) -> list[FloatArray]:
    """Share of the attributes in a user's history that the first k items cover, for each cut-off.

    Coverage@k(u) = |B_u & L_u,k| / |B_u|, B_u the attributes of the items in the history, L_u,k
    those of the first k listed items. NaN where the history has no attributes.
    """
    items = np.ascontiguousarray(rankings[:, : max(cutoffs)].T)
    top = len(items)
    wanted = np.zeros(len(rankings), dtype=np.int64)
    # Attributes of the history that are covered by the list up to each place.
    found = np.zeros((top, len(rankings)), dtype=np.int64)
    for word in attributes.category_bits:
        own = _union_over(histories, word)
        wanted += np.bitwise_count(own)
        covered = np.zeros_like(own)
        for place in range(top):
            covered |= word[items[place]]
            found[place] += np.bitwise_count(own & covered)
    brands = np.where(attributes.brands < 0, attributes.brand_total, attributes.brands)
    for rows in _chunks(len(rankings), attributes.brand_total + 1):
        users = np.arange(rows.stop - rows.start)
        span = slice(histories.indptr[rows.start], histories.indptr[rows.stop])
        owners = np.repeat(users, histories.lengths[rows])
        missing = np.zeros((len(users), attributes.brand_total + 1), dtype=np.bool_)
        missing[owners, brands[histories.items[span]]] = True
        missing[:, -1] = False  # stands for "no brand"
        wanted[rows] += missing.sum(axis=1)
        listed = brands[items[:, rows]]
        new = np.zeros((top, len(users)), dtype=np.int64)
        for place in range(top):
            new[place] = missing[users, listed[place]]
            missing[users, listed[place]] = False
        found[:, rows] += np.cumsum(new, axis=0)
    return [_mean_of(found[min(cutoff, top) - 1], wanted) for cutoff in cutoffs]


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
    top = rankings[:, : max(cutoffs)]
    listed = top != NO_ITEM
    sums = np.cumsum(np.where(listed, popularity[top], 0), axis=1)
    sizes = np.cumsum(listed, axis=1)
    results = []
    for cutoff in cutoffs:
        last = min(cutoff, top.shape[1]) - 1
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


def _union_over(histories: Histories, word: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Unite the bits of the items in each history: (users,)."""
    # The closing zero keeps the start of an empty last history inside the array.
    bits = np.append(word[histories.items], np.uint64(0))
    united = np.bitwise_or.reduceat(bits, histories.indptr[:-1])
    return np.where(histories.lengths > 0, united, np.uint64(0))


def _mean_of(sums: NDArray[Any], sizes: NDArray[Any]) -> FloatArray:
    return np.where(sizes > 0, sums / np.maximum(sizes, 1), np.nan)


def _chunks(users: int, cells_per_user: int) -> list[slice]:
    step = max(1, CELLS // max(1, cells_per_user))
    return [slice(start, min(start + step, users)) for start in range(0, users, step)]
