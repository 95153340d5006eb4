"""Which items have like texts: the best BM25 hits of each item's text among all others."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import numpy as np
from scipy import sparse

from bench.retrieval.bm25 import BM25Index
from bench.schema import NO_ITEM, Catalogue

Fields = Literal["title", "title+category+brand"]


@lru_cache(maxsize=4)  # a tuner fits the same catalogue hundreds of times
def text_links(catalogue: Catalogue, fields: Fields, neighbours: int) -> Any:
    """Sparse (items, items): the BM25 scores of each item's `neighbours` best others, the best of a row 1.

    Lucene BM25 (Robertson & Zaragoza 2009) of whole item texts, the row's item being the query.
    """
    texts = link_texts(catalogue, fields)
    found = BM25Index.build(texts).top_k(texts, min(neighbours + 1, len(texts)))
    others = (found.items != NO_ITEM) & (found.items != np.arange(len(texts))[:, None])
    others &= np.cumsum(others, axis=1) <= neighbours  # the item itself may be missing from its own hits
    scores = np.where(others, found.scores, 0).astype(np.float64)
    scores /= np.maximum(scores.max(axis=1, keepdims=True, initial=0), np.finfo(np.float32).tiny)
    indptr = np.concatenate([[0], np.cumsum(others.sum(axis=1))])
    links = sparse.csr_array((scores[others], found.items[others], indptr), shape=(len(texts), len(texts)))
    links.sort_indices()
    return links


def link_texts(catalogue: Catalogue, fields: Fields) -> list[str]:
    """Give each item's text: its title, or title, categories and brand, as one line."""
    if fields == "title":
        return list(catalogue.titles)
    columns = zip(catalogue.titles, catalogue.categories, catalogue.brands, strict=True)
    return [" ".join([title, *categories, brand or ""]) for title, categories, brand in columns]
