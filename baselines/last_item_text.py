"""Last item's text: the items whose text is nearest, by BM25, to that of the user's last purchase."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.retrieval import bm25
from bench.retrieval.item_text import item_texts
from bench.schema import NO_ITEM, Histories, Rankings, TrainingData

QUERIES_PER_CHUNK = 1 << 16
"""Searched at a time, so that scores and ranking keys are held for these alone."""


class LastItemText:
    """Searches with the last item's line, the one the language models read, in an index of all lines.

    The last item itself stays in the list, as in the published protocol, and mostly stands first. An
    empty history gets an empty list. Nothing is drawn; `seed` is there because every model takes it.
    """

    kind = "baseline"
    display_name = "Last item's text (BM25)"

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed
        self.parameters: Mapping[str, Any] = {"item_format": "title", "bm25": dict(bm25.SETTINGS)}

    def fit(self, data: TrainingData) -> None:
        """Index the catalogue's lines."""
        self._texts = item_texts(data.catalogue)
        self._index = bm25.BM25Index.build(self._texts)

    def recommend(self, histories: Histories, depth: int) -> Rankings:
        """Search once for each distinct last item."""
        lists = np.full((len(histories), depth), NO_ITEM, dtype=np.int32)
        begun = np.flatnonzero(histories.lengths)
        last_items = histories.items[histories.indptr[1:][begun] - 1]
        queries, place = np.unique(last_items, return_inverse=True)
        found = np.empty((len(queries), depth), dtype=np.int32)
        for start in range(0, len(queries), QUERIES_PER_CHUNK):
            texts = [self._texts[item] for item in queries[start : start + QUERIES_PER_CHUNK]]
            found[start : start + QUERIES_PER_CHUNK] = self._index.top_k(texts, depth).items
        lists[begun] = found[place]
        return lists
