"""The best documents of many queries in a large index, without scoring what cannot enter a list; needs numba.

A query is a few tokens with weights; a document's score is the sum of weight times the token's score for it.
BM25 is one such search; what the items of a history say through item-to-item tables is another.

MaxScore (Turtle & Flood, "Query evaluation: strategies and optimizations", IP&M 1995): tokens are taken by
the most that they can add, the largest first. As soon as all tokens left add up to less than the `depth`-th
best score so far, no document that was not met can enter the list, and the tokens left are looked up for
those alone that still can. Bounds are compared as scores are ranked, rounded to float32, so no list changes.

A token that most documents hold ("title") mostly comes last. Documents that hold nothing else are taken in
the order of their scores for it, as many as a list is long.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from bench.retrieval.keys import LOW_BITS
from bench.schema import FloatArray, Histories, Int32Array, Int64Array

BINS = 1024
"""Steps of the table in which the `depth`-th best score is looked for."""
LOOK_UP = 16
"""Going through one posting costs so many times less than looking one document up."""
QUERIES_PER_TASK = 512
"""Queries that a thread takes at a time."""
SLACK = 1 + 1e-12
"""Bounds are so much too high: more than sums of floats can be off by."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PrunedSearch:
    """An index as the search needs it."""

    postings: Any
    """Sparse CSR (tokens, documents) scores, all positive, documents ascending."""
    starts: Int64Array
    """(tokens + 1,) its row pointer."""
    highest: FloatArray
    """(tokens,) the highest score of each."""
    place: Int64Array
    """(tokens,) row of a token in the next two tables, -1 for all that are not common."""
    common: FloatArray
    """(common tokens, documents) their scores."""
    common_order: Int32Array
    """(common tokens, documents) documents by falling score, then by row."""

    @classmethod
    def over(
        cls, postings: Any, common_tokens: Int64Array | None = None, common: FloatArray | None = None
    ) -> PrunedSearch:
        """Prepare an index; common tokens are those that many documents hold, `common` holds their scores."""
        if common_tokens is None or common is None:
            common_tokens, common = np.empty(0, dtype=np.int64), np.empty((0, postings.shape[1]))
        highest = np.zeros(postings.shape[0])
        held = np.flatnonzero(np.diff(postings.indptr))
        highest[held] = np.maximum.reduceat(postings.data, postings.indptr[held])
        place = np.full(postings.shape[0], -1)
        place[common_tokens] = np.arange(len(common_tokens))
        return cls(
            postings=postings,
            starts=postings.indptr.astype(np.int64),
            highest=highest,
            place=place,
            common=common,
            common_order=np.argsort(-common, axis=1, kind="stable").astype(np.int32),
        )

    def best_keys(self, queries: Any, depth: int, barred: Histories | None = None) -> Int64Array:
        """Give the (queries, depth) best keys (`bench.retrieval.keys`), 0 where there is none.

        `queries` is sparse CSR (queries, tokens), positive weights without duplicates; `barred` names
        documents that a query must not find, one row a query.
        """
        bounds = queries.data * self.highest[queries.indices] * SLACK
        owners = np.repeat(np.arange(queries.shape[0]), np.diff(queries.indptr))
        order = np.lexsort((-bounds, owners))
        order = order[bounds[order] > 0]  # without tokens that no document holds
        tokens, weights, bounds = queries.indices[order], queries.data[order], bounds[order]
        query_starts = np.searchsorted(owners[order], np.arange(queries.shape[0] + 1))
        keys = np.zeros((queries.shape[0], depth), dtype=np.int64)
        if barred is None:
            barred = Histories.from_lists([[]] * len(keys))

        def search(start: int) -> None:
            _search(
                start, min(start + QUERIES_PER_TASK, len(keys)),
                query_starts, tokens, weights, bounds, barred.indptr, barred.items,
                self.starts, self.postings.indices, self.postings.data,
                self.place, self.common, self.common_order, LOOK_UP, keys,
            )  # fmt: skip

        starts = range(0, len(keys), QUERIES_PER_TASK)
        with ThreadPoolExecutor(_cores()) as pool:
            list(pool.map(search, starts))  # the search lets go of the interpreter lock
        return keys


def _cores() -> int:
    """Count the cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]
def _search(
    first: int, last: int,
    query_starts: Any, tokens: Any, weights: Any, bounds: Any, barred_starts: Any, barred: Any,
    starts: Any, documents: Any, scores: Any,
    place: Any, common: Any, common_order: Any, look_up: int, keys: Any,
) -> None:  # fmt: skip
    """Fill keys[first:last]; the tokens of a query stand in falling order of `bounds`, the most they add."""
    depth, size = keys.shape[1], common.shape[1]
    sums = np.zeros(size)
    touched, kept = np.empty(size, np.int32), np.empty(size, np.int32)
    held, least = np.empty(BINS + 1, np.int32), np.empty(BINS + 1)
    for query in range(first, last):
        begin, end = query_starts[query], query_starts[query + 1]
        for i in range(barred_starts[query], barred_starts[query + 1]):
            sums[barred[i]] = -np.inf
        total = 0.0
        for token in range(begin, end):
            total += bounds[token]
        rest, scale = total, BINS / total if total > 0 else 0.0
        count, floor, token = 0, np.float32(0), begin
        while token < end and np.float32(rest) >= floor:  # documents that no token before it holds may enter
            at, weight = place[tokens[token]], weights[token]
            if at >= 0 and token == end - 1:
                before = count
                for i in range(before):
                    sums[touched[i]] += weight * common[at, touched[i]]
                for i in range(size):
                    document = common_order[at, i]
                    if count == before + depth or common[at, document] == 0:
                        break
                    if sums[document] == 0:
                        sums[document] = weight * common[at, document]
                        touched[count] = document
                        count += 1
            else:
                for posting in range(starts[tokens[token]], starts[tokens[token] + 1]):
                    document = documents[posting]
                    if sums[document] == 0:
                        touched[count] = document
                        count += 1
                    sums[document] += weight * scores[posting]
            rest -= bounds[token]
            token += 1
            if token < end and rest <= total - rest:  # else no sum so far can be above what is left
                floor = max(floor, floor_of(sums, touched, count, depth, scale, held, least))
        for i in range(count):
            kept[i] = touched[i]
        left = count
        while token < end:
            left = _keep(sums, kept, left, rest, floor)
            at, weight = place[tokens[token]], weights[token]
            start, stop = starts[tokens[token]], starts[tokens[token] + 1]
            if at >= 0:
                for i in range(left):
                    sums[kept[i]] += weight * common[at, kept[i]]
            elif stop - start < look_up * left:
                for posting in range(start, stop):
                    if sums[documents[posting]] > 0:
                        sums[documents[posting]] += weight * scores[posting]
            else:
                for i in range(left):
                    posting = _find(documents, start, stop, kept[i])
                    if posting >= 0:
                        sums[kept[i]] += weight * scores[posting]
            rest -= bounds[token]
            token += 1
            floor = max(floor, floor_of(sums, kept, left, depth, scale, held, least))
        if left > depth:
            floor = max(floor, floor_of(sums, kept, left, depth, scale, held, least))
        for i in range(left):
            if np.float32(sums[kept[i]]) >= floor:
                _insert(keys[query], np.float32(sums[kept[i]]), kept[i])
        for i in range(count):
            sums[touched[i]] = 0
        for i in range(barred_starts[query], barred_starts[query + 1]):
            sums[barred[i]] = 0


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]
def floor_of(sums: Any, rows: Any, count: int, depth: int, scale: float, held: Any, least: Any) -> Any:
    """Give a score that at least `depth` of these documents reach, near the `depth`-th best; 0 if fewer."""
    if count < depth:
        return np.float32(0)
    for step in range(BINS + 1):
        held[step] = 0
        least[step] = np.inf
    for i in range(count):
        score = sums[rows[i]]
        step = min(BINS, int(score * scale))
        held[step] += 1
        least[step] = min(least[step], score)
    found, lowest, step = 0, np.inf, BINS
    while found < depth:
        found += held[step]
        lowest = min(lowest, least[step])
        step -= 1
    return np.float32(lowest)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]
def _keep(sums: Any, rows: Any, count: int, rest: float, floor: Any) -> int:
    """Move the documents that can still reach `floor` to the front; give their number."""
    kept = 0
    for i in range(count):
        if np.float32(sums[rows[i]] + rest) >= floor:
            rows[kept] = rows[i]
            kept += 1
    return kept


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]
def _find(documents: Any, start: int, stop: int, document: int) -> int:
    """Give the place of a document in documents[start:stop], which ascend, or -1."""
    low, high = start, stop
    while low < high:
        middle = (low + high) // 2
        if documents[middle] < document:
            low = middle + 1
        else:
            high = middle
    return low if low < stop and documents[low] == document else -1


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]
def _insert(keys: Any, score: Any, document: int) -> None:
    """Put a document in its place among the best keys."""
    rounded = np.empty(1, np.float32)
    rounded[0] = score
    bits = rounded.view(np.uint32)
    key = (np.int64(bits[0]) << 32) | (LOW_BITS - np.int64(document))
    last = len(keys) - 1
    if key > keys[last]:
        while last > 0 and keys[last - 1] < key:
            keys[last] = keys[last - 1]
            last -= 1
        keys[last] = key
