"""The best documents of many queries in a large index, without scoring what cannot enter a list; needs numba.

MaxScore (Turtle & Flood, "Query evaluation: strategies and optimizations", IP&M 1995): the tokens of a query
are taken by the most that they can add, the largest first, and a document is scored when the first of its
tokens is. The other tokens are looked up for those documents alone that can still reach the `depth`-th best
score so far. As soon as all tokens left add up to less than that, no new document can enter the list. Bounds
are sums as exact as the scores, and compared as scores are ranked, rounded to float32: no list changes.

A token that most documents hold ("title") mostly comes last. Where lists are not full before it, documents
that hold nothing else are taken in the order of their scores for it, not all of them.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from bench.schema import FloatArray, Int32Array, Int64Array

BINS = 1024
"""Steps of the table in which the `depth`-th best score is looked for."""
LOOK_UP = 16
"""Going through one posting costs so many times less than looking one document up."""
QUERIES_PER_TASK = 2048
"""Queries that a thread takes at a time."""
_LOW_BITS = (1 << 32) - 1


@dataclass(frozen=True, kw_only=True, eq=False)
class PrunedSearch:
    """An index as the search needs it."""

    postings: Any
    """Sparse CSR (tokens, documents) scores, float32, documents ascending."""
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
    def over(cls, postings: Any, common_tokens: Int64Array, common: FloatArray) -> PrunedSearch:
        """Prepare an index; common tokens are those that many documents hold, `common` holds their scores."""
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

    def best_keys(self, counts: Any, depth: int) -> Int64Array:
        """Give the (queries, depth) best keys, 0 where there is none; `counts` is CSR (queries, tokens).

        A key holds the bits of the score, rounded to float32, above the row counted from the end.
        """
        bounds = counts.data * self.highest[counts.indices]
        queries = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
        order = np.lexsort((-bounds, queries))
        tokens, weights, bounds = counts.indices[order], counts.data[order], bounds[order]
        query_starts = counts.indptr.astype(np.int64)
        keys = np.zeros((counts.shape[0], depth), dtype=np.int64)

        def search(start: int) -> None:
            _search(
                start, min(start + QUERIES_PER_TASK, len(keys)),
                query_starts, tokens, weights, bounds,
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
    query_starts: Any, tokens: Any, weights: Any, bounds: Any,
    starts: Any, documents: Any, scores: Any,
    place: Any, common: Any, common_order: Any, look_up: int, keys: Any,
) -> None:  # fmt: skip
    """Fill keys[first:last]; the tokens of a query stand in falling order of `bounds`, the most they add."""
    depth, size = keys.shape[1], common.shape[1]
    sums = np.zeros(size)  # of the documents at work; negative for those that are done with
    seen, fresh = np.empty(size, np.int32), np.empty(size, np.int32)
    held, least = np.empty(BINS + 1, np.int32), np.empty(BINS + 1)
    for query in range(first, last):
        begin, end = query_starts[query], query_starts[query + 1]
        rest = 0.0
        for token in range(begin, end):
            rest += bounds[token]
        scale = BINS / rest if rest > 0 else 0.0
        done, floor = 0, np.float32(0)
        for token in range(begin, end):
            if np.float32(rest) < floor:
                break
            rest -= bounds[token]
            at, weight = place[tokens[token]], weights[token]
            left = 0
            if at >= 0 and token == end - 1:
                for i in range(min(size, depth + done)):
                    document = common_order[at, i]
                    if left == depth or common[at, document] == 0:
                        break
                    if sums[document] == 0:
                        sums[document] = weight * common[at, document]
                        fresh[left] = document
                        left += 1
            else:
                for posting in range(starts[tokens[token]], starts[tokens[token] + 1]):
                    document = documents[posting]
                    if sums[document] == 0:
                        sums[document] = weight * scores[posting]
                        fresh[left] = document
                        left += 1
            begun = done
            for i in range(left):
                seen[done] = fresh[i]
                done += 1
            still = rest
            for other in range(token + 1, end):
                floor = max(floor, _floor(sums, fresh, left, depth, scale, held, least))
                left = _keep(sums, fresh, left, still, floor)
                still -= bounds[other]
                at, weight = place[tokens[other]], weights[other]
                start, stop = starts[tokens[other]], starts[tokens[other] + 1]
                if at >= 0:
                    for i in range(left):
                        sums[fresh[i]] += weight * common[at, fresh[i]]
                elif stop - start < look_up * left:
                    for posting in range(start, stop):
                        if sums[documents[posting]] > 0:
                            sums[documents[posting]] += weight * scores[posting]
                else:
                    for i in range(left):
                        posting = _find(documents, start, stop, fresh[i])
                        if posting >= 0:
                            sums[fresh[i]] += weight * scores[posting]
            for i in range(left):
                floor = max(floor, _insert(keys[query], np.float32(sums[fresh[i]]), fresh[i]))
            for i in range(begun, done):
                sums[seen[i]] = -1
        for i in range(done):
            sums[seen[i]] = 0


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]
def _floor(sums: Any, rows: Any, count: int, depth: int, scale: float, held: Any, least: Any) -> Any:
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
def _insert(keys: Any, score: Any, document: int) -> Any:
    """Put a document in its place among the best keys; give the last one's score, 0 if there is none."""
    rounded = np.empty(1, np.float32)
    rounded[0] = score
    bits = rounded.view(np.uint32)
    key = (np.int64(bits[0]) << 32) | (_LOW_BITS - np.int64(document))
    last = len(keys) - 1
    if key > keys[last]:
        while last > 0 and keys[last - 1] < key:
            keys[last] = keys[last - 1]
            last -= 1
        keys[last] = key
    bits[0] = keys[len(keys) - 1] >> 32
    return rounded[0]
