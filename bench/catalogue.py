"""What a source of data gives: its items, how they are put in words, and who bought them when."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bench.arrays import Int32Array, Int64Array, freeze


@dataclass(frozen=True, kw_only=True)
class Wording:
    """How a data set's items and histories are put in words; by default as published for Amazon."""

    item: str = "Title: {title}"
    """An item's line; {title} and {categories}, with commas between, stand for what the item has."""
    layout: str = "Title: <item title>"
    """That line as it is described to a language model."""
    introduction: str = (
        "Below is a customer's purchase history on Amazon, listed in chronological order "
        "(earliest to latest)."
    )
    request: str = (
        "Based on this history, predict only one item the customer is most likely to purchase next in the "
        "same format."
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Catalogue:
    """The items, one row each, in the order of the metadata file; that order breaks score ties."""

    item_ids: tuple[str, ...]
    titles: tuple[str, ...]
    brands: tuple[str | None, ...]
    categories: tuple[tuple[str, ...], ...]
    prices: tuple[float | None, ...]
    wording: Wording = Wording()

    def __post_init__(self) -> None:
        lengths = {
            len(self.item_ids),
            len(self.titles),
            len(self.brands),
            len(self.categories),
            len(self.prices),
        }
        if len(lengths) != 1:
            raise ValueError(f"catalogue columns have different lengths: {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.item_ids)

    @cached_property
    def rows(self) -> dict[str, int]:
        """Item id -> row number."""
        return {item_id: row for row, item_id in enumerate(self.item_ids)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Interactions:
    """Purchases in file order, as codes into `user_ids` (sorted) and `catalogue`."""

    user_ids: tuple[str, ...]
    catalogue: Catalogue
    users: Int32Array
    items: Int32Array
    timestamps: Int64Array
    """Unix seconds."""
    parts: NDArray[np.int8] | None = None
    """Where the source splits its data itself: 0 learned from, 1 for validation, 2 for test; else None."""
    edition: str = ""
    """Which of several editions of its source the data are of, where that can be told."""
    estimated_times: int = 0
    """Rows whose time is marked as estimated."""
    duplicates_dropped: int = 0
    """Rows that repeated an earlier (user, item, timestamp, rating)."""
    untitled_items: int = 0
    """Items bought and described, but left out of the catalogue for want of a title."""
    untitled_interactions: int = 0
    """Purchases of those items, left out too."""
    undescribed_items: int = 0
    """Items bought of which the metadata say nothing at all, left out of the catalogue."""
    undescribed_interactions: int = 0
    """Purchases of those items, left out too."""

    def __post_init__(self) -> None:
        freeze(self)

    def __len__(self) -> int:
        return len(self.users)
