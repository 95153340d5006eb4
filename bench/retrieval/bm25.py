"""BM25 retrieval of catalogue rows for many queries at once.

bm25s builds the index with its defaults: the Lucene variant of BM25, k1 = 1.5, b = 0.75, words of two
or more characters in lower case, English stop words dropped, no stemming. A query's scores are one row of
a sparse product: (queries x tokens, how often each token stands in the query) times (tokens x documents,
the index's float32 entries).

- Scores are summed in float64, which is exact for float32 entries of this size, and rounded to float32
  once, so that they do not depend on the order of words; equal scores are ranked by lower row.
- A document that shares no token with the query has score 0 and is never returned: a list may be short.
  Item lines all hold the word "title", so for them this never happens.
- A few queries, as one user's request makes them, are answered one by one, from the postings of their
  words: for them, setting up sparse matrices would take longer than all the work.
- A word that most documents hold ("title") would make every row of the product dense. Such common tokens
  are kept apart: queries with the same common tokens share one dense background score, which is added to
  the documents that the rarer tokens find; of the others only the best `depth` can enter a list.
- That scores all documents that share a word with the query: on ten times the items it is a hundred times the
  work. Where there is much of it, `bench.retrieval.pruned` leaves out what cannot enter a list (needs numba).
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from itertools import chain
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bench.arrays import cut
from bench.retrieval.keys import best_of, packed, rows_of, scores_of
from bench.schema import BoolArray, FloatArray, Int32Array, Int64Array

if TYPE_CHECKING:
    from bench.retrieval.pruned import PrunedSearch


def _import_bm25s() -> ModuleType:
    """Import bm25s without what it starts wherever it is installed, and what is not used here.

    JAX takes three quarters of a GPU's memory when it starts: 60 GB of an H100's 80 were gone before a model
    was loaded. numba takes a second.
    """
    hidden = [name for name in ("jax", "numba") if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        return importlib.import_module("bm25s")
    finally:
        for name in hidden:
            del sys.modules[name]


bm25s = _import_bm25s()

SETTINGS = {"method": "lucene", "k1": 1.5, "b": 0.75}
"""The variant and constants, which are bm25s's defaults, named so that a record can state them."""

CELLS_PER_CHUNK = 1 << 16
"""Scores held at a time. Larger arrays go back to the system when freed, and fetching their pages anew takes
as long as the rest of the work."""

FEW_QUERIES = 4
"""So many queries are answered one by one."""

MANY_POSTINGS = 1 << 28
"""More entries than this to add up, some seconds of work, are worth the start of numba."""

USUAL_SHARE = 0.5
"""A word in more than this share of the documents tells nothing about any of them."""

COMMON_SHARE = 0.25
"""Tokens in more than this share of the documents are common. More would mean more groups of queries."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TopK:
    """The best documents of each query."""

    items: Int32Array
    """(queries, depth) rows, best first, padded with NO_ITEM."""
    scores: NDArray[np.float32]
    """(queries, depth) BM25 scores, padded with 0."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BM25Index:
    """An index over texts; documents are named by their row."""

    vocabulary: Mapping[str, int]
    postings: Any
    """Sparse CSR (tokens, documents) score matrix, float32, documents ascending."""

    @classmethod
    def build(cls, texts: Sequence[str]) -> Self:
        """Index the texts; raises ValueError where there is none."""
        if not texts:
            raise ValueError("a BM25 index needs at least one text")
        tokens = bm25s.tokenize(list(texts), stopwords="english", show_progress=False)
        vocabulary = dict(tokens.vocab)
        if vocabulary:
            model = bm25s.BM25(**SETTINGS)
            model.index(tokens, show_progress=False)
            data, documents, indptr = (model.scores[part] for part in ("data", "indices", "indptr"))
        else:
            data, documents, indptr = np.empty(0), np.empty(0), np.zeros(1)
        columns = (data.astype(np.float32), documents.astype(np.int32), indptr.astype(np.int32))
        postings = sparse.csr_array(columns, shape=(len(vocabulary), len(texts)))
        postings.sort_indices()
        return cls(vocabulary=vocabulary, postings=postings)

    @cached_property
    def common_tokens(self) -> Int64Array:
        """Tokens that more than COMMON_SHARE of the documents hold."""
        return np.flatnonzero(np.diff(self.postings.indptr) > COMMON_SHARE * self.postings.shape[1])

    @cached_property
    def common(self) -> FloatArray:
        """(common tokens, documents) their scores."""
        scores: FloatArray = self.postings[self.common_tokens].toarray().astype(np.float64)
        return scores

    @cached_property
    def rare(self) -> Any:
        """Sparse (tokens, documents) score matrix, float64, without the common tokens."""
        matrix = self.postings.astype(np.float64)
        is_common = np.isin(np.arange(matrix.shape[0]), self.common_tokens)
        matrix.data[np.repeat(is_common, np.diff(matrix.indptr))] = 0
        matrix.eliminate_zeros()
        return matrix

    @cached_property
    def _pruned(self) -> PrunedSearch:
        from bench.retrieval.pruned import PrunedSearch

        return PrunedSearch.over(self.postings, self.common_tokens, self.common)

    def top_k(self, queries: Sequence[str], depth: int) -> TopK:
        """Find the `depth` best documents of each query, by score, then by lower row."""
        if depth < 1:
            raise ValueError(f"depth must be at least 1, got {depth}")
        position: dict[str, int] = {}
        for query in queries:
            position.setdefault(query, len(position))
        keys = np.zeros((len(position), depth), dtype=np.int64)
        lengths, tokens = self._known_tokens(list(position))
        if len(position) <= FEW_QUERIES:
            for row, stop in enumerate(np.cumsum(lengths)):
                keys[row] = self._best_keys_of_one(tokens[stop - lengths[row] : stop], depth)
        elif np.diff(self.postings.indptr)[tokens].sum() > MANY_POSTINGS and find_spec("numba"):
            keys = self._pruned.best_keys(self._token_counts(lengths, tokens), depth)
        else:
            counts = self._token_counts(lengths, tokens)
            for rows, background in self._backgrounds(counts):
                keys[rows] = self._best_keys(counts[rows], background, depth)
        keys = keys[[position[query] for query in queries]]
        return TopK(items=rows_of(keys), scores=scores_of(keys))

    def tells(self, queries: Sequence[str]) -> BoolArray:
        """Say which queries, (queries,), hold a word that some documents have and most do not."""
        distinct = list(dict.fromkeys(queries))
        lengths, tokens = self._known_tokens(distinct)
        usual = self.common_tokens[(self.common != 0).mean(axis=1) > USUAL_SHARE]
        telling = np.zeros(len(distinct), dtype=bool)
        telling[np.repeat(np.arange(len(distinct)), lengths)[~np.isin(tokens, usual)]] = True
        is_telling = dict(zip(distinct, telling.tolist(), strict=True))
        return np.fromiter((is_telling[query] for query in queries), dtype=bool, count=len(queries))

    def _known_tokens(self, queries: list[str]) -> tuple[Int64Array, Int32Array]:
        """Give the tokens of the index in each query, one query after the other, and how many each holds."""
        tokens = bm25s.tokenize(queries, stopwords="english", show_progress=False)
        known = np.array([self.vocabulary.get(token, -1) for token in tokens.vocab], dtype=np.int32)
        found = known[np.fromiter(chain.from_iterable(tokens.ids), dtype=np.int64)]
        owners = np.repeat(np.arange(len(queries)), [len(ids) for ids in tokens.ids])
        return np.bincount(owners[found >= 0], minlength=len(queries)), found[found >= 0]

    def _best_keys_of_one(self, tokens: Int32Array, depth: int) -> Int64Array:
        """Give the (depth,) best keys of one query with these tokens."""
        held, times = np.unique(tokens, return_counts=True)
        starts = self.rare.indptr[held]
        lengths = self.rare.indptr[held + 1] - starts
        _, postings = cut(starts, lengths)
        weights = self.rare.data[postings] * np.repeat(times, lengths)
        scores: FloatArray = (self.common_tokens[:, None] == tokens).sum(axis=1) @ self.common
        scores += np.bincount(self.rare.indices[postings], weights, minlength=len(scores))
        documents = np.flatnonzero(scores)
        best: Int64Array = best_of(packed(scores[documents], documents)[None, :], depth)[0]
        return best

    def _token_counts(self, lengths: Int64Array, tokens: Int32Array) -> Any:
        """Sparse (queries, tokens): how often each token stands in each query."""
        rows = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
        entries = (np.ones(len(tokens)), (rows, tokens))
        counts = sparse.csr_array(entries, shape=(len(lengths), len(self.vocabulary)))
        counts.sum_duplicates()
        return counts

    def _backgrounds(self, counts: Any) -> Iterator[tuple[Int64Array, FloatArray]]:
        """Group queries by their common tokens; give each group's rows and (documents,) background."""
        held = counts[:, self.common_tokens].toarray()
        profiles, group = np.unique(held, axis=0, return_inverse=True)
        order = np.argsort(group, kind="stable")
        sizes = np.bincount(group, minlength=len(profiles))
        for profile, stop, size in zip(profiles, np.cumsum(sizes), sizes, strict=True):
            yield order[stop - size : stop], profile @ self.common

    def _best_keys(self, counts: Any, background: FloatArray, depth: int) -> Int64Array:
        """Give the (queries, depth) best keys of queries that share one background."""
        documents = np.flatnonzero(background)
        fill = best_of(packed(background[documents], documents)[None, :], depth)[0]
        postings = np.diff(self.rare.indptr)
        widths = np.minimum((counts != 0) @ postings, len(background)).astype(np.int64) + len(fill)
        keys = np.zeros((counts.shape[0], depth), dtype=np.int64)
        widest_first = np.argsort(-widths, kind="stable")
        start = 0
        while start < len(widths):
            size = max(1, CELLS_PER_CHUNK // max(1, int(widths[widest_first[start]])))
            rows = widest_first[start : start + size]
            keys[rows] = best_of(self._candidates(counts[rows], background, fill), depth)
            start += size
        return keys

    def _candidates(self, counts: Any, background: FloatArray, fill: Int64Array) -> Int64Array:
        """Give (queries, any width) the keys of all documents that can enter a list; 0 is no document.

        They are the documents that a rare token finds and, of all others, those in `fill`: a document
        behind it is beaten by each of its `depth` documents, whose scores are at least the background's.
        """
        found = counts @ self.rare
        lengths = np.diff(found.indptr)
        width = int(lengths.max(initial=0))
        table = np.zeros((len(lengths), width + len(fill)), dtype=np.int64)
        table[:, :width][np.arange(width) < lengths[:, None]] = packed(
            found.data + background[found.indices], found.indices
        )
        slots = np.full(len(background), -1)
        slots[rows_of(fill[fill != 0])] = np.arange(np.count_nonzero(fill))
        entries = np.flatnonzero(slots[found.indices] >= 0)
        queries = np.searchsorted(found.indptr, entries, side="right") - 1
        table[:, width:] = fill
        table[queries, width + slots[found.indices[entries]]] = 0
        return table
