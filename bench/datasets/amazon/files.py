"""Amazon review data, 2014 edition: the two raw files of a category, as published -> Interactions.

Fields and items that the interactions do not need are passed over.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.datasets.amazon.metadata import Item, read_items
from bench.datasets.amazon.reviews import Codes, Reviews, read_reviews
from bench.errors import DataError
from bench.schema import BoolArray, Catalogue, Int32Array, Interactions


def read_amazon(reviews_path: Path, metadata_path: Path, *, keep_untitled: bool = False) -> Interactions:
    """Read one category; raises DataError naming the file and line that cannot be used.

    The catalogue holds the bought items that have a title, in the order of the metadata file.
    Exact repeats of (user, item, timestamp, rating) and purchases of untitled items are left out
    and counted. `keep_untitled` keeps the latter, as papers that rank 12,101 Beauty items do; their
    numbers can then be repeated.
    """
    reviews = read_reviews(reviews_path)
    items = read_items(metadata_path, reviews.item_codes)
    if 2 * len(items) < len(reviews.item_codes):
        raise DataError(
            f"{metadata_path} describes {len(items):,} of the {len(reviews.item_codes):,} items in "
            f"{reviews_path}: the two files are not of one category"
        )
    titled = [item for item in items if keep_untitled or item.title is not None]
    row_of_code = np.full(len(reviews.item_codes), -1, dtype=np.int32)
    row_of_code[[reviews.item_codes[item.item_id] for item in titled]] = np.arange(len(titled))
    described = np.zeros(len(reviews.item_codes), dtype=np.bool_)
    described[[reviews.item_codes[item.item_id] for item in items]] = True
    user_ids, user_of_code = _sorted_ids(reviews.user_codes)

    first = ~_repeats(reviews)
    rows = row_of_code[reviews.items]
    kept = first & (rows >= 0)
    return Interactions(
        user_ids=user_ids,
        catalogue=_catalogue(titled),
        users=user_of_code[reviews.users[kept]],
        items=rows[kept],
        timestamps=reviews.timestamps[kept],
        estimated_times=reviews.estimated_times,
        duplicates_dropped=int(len(first) - first.sum()),
        untitled_items=len(items) - len(titled),
        untitled_interactions=int((first & (rows < 0) & described[reviews.items]).sum()),
        undescribed_items=len(reviews.item_codes) - len(items),
        undescribed_interactions=int((first & ~described[reviews.items]).sum()),
    )


def _sorted_ids(codes: Codes) -> tuple[tuple[str, ...], Int32Array]:
    """Give the ids in order and, for each code, the place of its id."""
    ids = tuple(sorted(codes))
    place = np.empty(len(ids), dtype=np.int32)
    place[[codes[name] for name in ids]] = np.arange(len(ids), dtype=np.int32)
    return ids, place


def _repeats(reviews: Reviews) -> BoolArray:
    """Mark the rows that repeat an earlier row in all of user, item, timestamp and rating."""
    repeated = np.zeros(len(reviews.users), dtype=np.bool_)
    pairs = reviews.users.astype(np.int64) * len(reviews.item_codes) + reviews.items
    in_order = np.sort(pairs)
    twice = np.unique(in_order[1:][in_order[1:] == in_order[:-1]])
    if len(twice) == 0:
        return repeated
    rows = np.flatnonzero(np.isin(pairs, twice))
    columns = (reviews.ratings.view(np.int64)[rows], reviews.timestamps[rows], pairs[rows])
    order = np.lexsort(columns)  # stable: rows that agree stay in file order
    same = np.ones(len(rows) - 1, dtype=np.bool_)
    for column in columns:
        same &= column[order][1:] == column[order][:-1]
    repeated[rows[order][1:][same]] = True
    return repeated


def _catalogue(items: list[Item]) -> Catalogue:
    return Catalogue(
        item_ids=tuple(item.item_id for item in items),
        titles=tuple(item.title or "" for item in items),
        brands=tuple(item.brand for item in items),
        categories=tuple(item.categories for item in items),
        prices=tuple(item.price for item in items),
    )
