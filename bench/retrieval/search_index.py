"""How the items of a generated text are found: by BM25, by sentence embeddings, or by both.

hybrid   reciprocal rank fusion: a document has the score 1 / (60 + place in BM25's list) + 1 / (60 + place
         in the dense list), places up to `FUSED` (Cormack, Clarke & Buettcher, SIGIR 2009)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bench.retrieval.bm25 import BM25Index, TopK
from bench.retrieval.dense import DenseIndex
from bench.retrieval.settings import RetrieveSettings
from bench.schema import NO_ITEM

FUSED = 100
_CONSTANT = 60.0


class SearchIndex(Protocol):
    """Finds documents, named by row, for many queries at once."""

    def top_k(self, queries: Sequence[str], depth: int) -> TopK:
        """Find the `depth` best documents of each query, by score, then by lower row."""
        ...


def build_index(texts: Sequence[str], settings: RetrieveSettings) -> SearchIndex:
    """Index the texts as the settings say; raises ValueError without texts, Unavailable without encoder."""
    if settings.kind == "bm25":
        return BM25Index.build(texts)
    dense = DenseIndex.build(texts, settings.encoder)
    if settings.kind == "dense":
        return dense
    return HybridIndex(parts=(BM25Index.build(texts), dense))


@dataclass(frozen=True, kw_only=True, eq=False)
class HybridIndex:
    """Reciprocal rank fusion of several indexes over the same documents."""

    parts: tuple[SearchIndex, ...]

    def top_k(self, queries: Sequence[str], depth: int) -> TopK:
        """Find the `depth` best documents of each query, by fused score, then by lower row."""
        if not queries:
            nothing = np.empty((0, depth))
            return TopK(items=nothing.astype(np.int32), scores=nothing.astype(np.float32))
        places = max(depth, FUSED)
        found = np.hstack([part.top_k(queries, places).items for part in self.parts])
        gains = np.tile(1.0 / (_CONSTANT + 1 + np.arange(places)), len(self.parts))
        items = np.full((len(queries), depth), NO_ITEM, dtype=np.int32)
        scores = np.zeros((len(queries), depth), dtype=np.float32)
        for query, row in enumerate(found):
            rows, place = np.unique(row[row != NO_ITEM], return_inverse=True)
            total = np.bincount(place, weights=gains[row != NO_ITEM], minlength=len(rows))
            best = np.argsort(-total, kind="stable")[:depth]
            items[query, : len(best)], scores[query, : len(best)] = rows[best], total[best]
        return TopK(items=items, scores=scores)
