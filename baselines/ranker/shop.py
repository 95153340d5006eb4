"""What the ranker counts in one set of training sequences: links between items, attributes, popularity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from baselines.co_visit import co_visit_links
from baselines.item_knn import cosine_links
from baselines.neighbours.history_ranker import HistoryRanker, Table
from baselines.neighbours.pairs import following, purchases
from baselines.neighbours.texts import text_links
from baselines.ranker.calendar import Calendar
from baselines.text_co_visit import TextCoVisitSettings
from baselines.text_co_visit_times import TimedSettings, timed_links, timed_tables
from baselines.text_history import weighted_texts
from bench.schema import Catalogue, FloatArray, Histories, Int64Array

CATEGORY_LEVELS = (1, 2, 3)
"""Of a category path; level 0 is the department, which all items of one data set share."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Links:
    """A sparse matrix that answers for many single entries at once."""

    keys: Int64Array
    """row * items + column of each stored entry, rising."""
    values: NDArray[np.float32]
    items: int

    @classmethod
    def of(cls, matrix: Any) -> Links:
        """Take the entries of a sparse (items, items) array."""
        entries = sparse.csr_array(matrix)
        entries.sort_indices()
        rows = np.repeat(np.arange(entries.shape[0]), np.diff(entries.indptr))
        keys = rows * entries.shape[1] + entries.indices
        return cls(keys=keys, values=entries.data.astype(np.float32), items=entries.shape[1])

    def at(self, rows: NDArray[Any], columns: NDArray[Any]) -> NDArray[np.float32]:
        """Give the entries at these places, 0 where none is stored; negative ones have none."""
        keys = rows.astype(np.int64) * self.items + columns
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        if not len(self.keys):
            return np.zeros(keys.shape, dtype=np.float32)
        found = (self.keys[places] == keys) & (rows >= 0) & (columns >= 0)
        return np.where(found, self.values[places], np.float32(0))


@dataclass(frozen=True, kw_only=True, eq=False)
class Shop:
    """The counts of one set of sequences. What is asked of the users must not be among them."""

    candidates: HistoryRanker
    """The row whose best items are put in order."""
    after: Links
    """Purchases of the column's item some places after the row's."""
    before: Links
    follows: Links
    """Purchases right after."""
    cosine: Links
    titles: Links
    texts: Links
    counts: Int64Array
    attributes: NDArray[np.int32]
    """(attributes, items) code of brand and category levels, -1 where an item has none."""
    prices: FloatArray
    """(items,) natural log, NaN where not known."""
    basket: Links | None = None
    """Purchases of one day; None, like the next, where times are not used."""
    later: Links | None = None
    calendar: Calendar | None = None

    @classmethod
    def count(cls, sequences: Histories, catalogue: Catalogue, settings: TextCoVisitSettings) -> Shop:
        """Count everything in these sequences; with settings of times, what needs times too."""
        items = len(catalogue)
        after = following(
            sequences,
            items,
            window=settings.window,
            decay=settings.decay,
            activity_power=settings.activity_power,
        )
        texts = weighted_texts(catalogue, settings)
        timed: dict[str, Any] = {}
        if isinstance(settings, TimedSettings):
            basket, later = timed_links(sequences, items, settings)
            tables = timed_tables(basket, later, texts, settings)
            timed = {"basket": Links.of(basket), "later": Links.of(later)}
            timed["calendar"] = Calendar.of(sequences, items)
        else:
            tables = [
                Table(links=co_visit_links(sequences, items, settings), decay=settings.history_decay),
                Table(links=texts, decay=settings.text_decay),
            ]
        return cls(
            candidates=HistoryRanker(tables),
            after=Links.of(after),
            before=Links.of(after.T),
            follows=Links.of(following(sequences, items, window=1, decay=1.0, activity_power=0.0)),
            cosine=Links.of(cosine_links(sequences, items, shrink=10.0)),
            titles=Links.of(text_links(catalogue, "title", settings.neighbours)),
            texts=Links.of(text_links(catalogue, "title+category+brand", settings.neighbours)),
            counts=purchases(sequences, items),
            attributes=attribute_codes(catalogue),
            prices=np.log([np.nan if not price or price <= 0 else price for price in catalogue.prices]),
            **timed,
        )


def attribute_codes(catalogue: Catalogue) -> NDArray[np.int32]:
    """(1 + category levels, items) brand and the category path down to each level, as codes."""
    columns: list[list[Any]] = [list(catalogue.brands)]
    for level in CATEGORY_LEVELS:
        columns.append([path[: level + 1] if len(path) > level else None for path in catalogue.categories])
    return np.array([_codes(column) for column in columns], dtype=np.int32)


def _codes(values: list[Any]) -> list[int]:
    known: dict[Any, int] = {}
    return [-1 if value is None else known.setdefault(value, len(known)) for value in values]
