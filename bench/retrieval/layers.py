"""A token's postings in layers by score, so that a search can stop before the long tail of the low ones.

What an item says of others is a few high numbers and, for an item that many bought, tens of thousands of low
ones. As one list they share the bound of the highest. Cut into layers, each with a bound of its own, the low
ones seldom matter, and `bench.retrieval.pruned` looks them up only for what can still enter a list (Anh &
Moffat, "Pruned query evaluation using pre-computed impacts", SIGIR 2006).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from scipy import sparse

from bench.arrays import cut
from bench.retrieval.pruned import BINS, floor_of

CUTS = (128, 2048)
"""The first layer holds about so many of a token's postings, the first two so many."""
LAYERS = len(CUTS) + 1


def layered(postings: Any) -> Any:
    """Cut each row of a sparse CSR (tokens, documents) into LAYERS rows, the highest scores first."""
    lengths = np.diff(postings.indptr)
    floors = np.zeros((len(lengths), len(CUTS)))
    _set_floors(postings.indptr, postings.data, np.array(CUTS), np.arange(lengths.max(initial=0)), floors)
    layer = np.zeros(postings.nnz, dtype=np.int8)
    for floor in floors.T:
        layer += postings.data < np.repeat(floor, lengths)
    rows = np.repeat(np.arange(len(lengths)), lengths) * LAYERS + layer
    sizes = np.bincount(rows, minlength=len(lengths) * LAYERS)
    indptr = np.concatenate([[0], np.cumsum(sizes)])
    documents, scores = np.empty_like(postings.indices), np.empty_like(postings.data)
    for number in range(LAYERS):
        _, places = cut(indptr[:-1][number::LAYERS], sizes[number::LAYERS])
        documents[places], scores[places] = postings.indices[layer == number], postings.data[layer == number]
    return sparse.csr_array((scores, documents, indptr), shape=(len(sizes), postings.shape[1]))


def in_layers(queries: Any) -> Any:
    """Ask for all layers of each token: sparse CSR (queries, tokens) -> (queries, tokens x LAYERS)."""
    tokens = np.repeat(queries.indices, LAYERS) * LAYERS + np.tile(np.arange(LAYERS), queries.nnz)
    weights = np.repeat(queries.data, LAYERS)
    shape = (queries.shape[0], queries.shape[1] * LAYERS)
    return sparse.csr_array((weights, tokens, queries.indptr * LAYERS), shape=shape)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]
def _set_floors(starts: Any, scores: Any, cuts: Any, places: Any, floors: Any) -> None:
    """Set floors[row, i] to a score that about cuts[i] of the row's reach; 0 stays where a row is shorter."""
    held, least = np.empty(BINS + 1, np.int32), np.empty(BINS + 1)
    for row in range(len(floors)):
        length = starts[row + 1] - starts[row]
        if length <= cuts[0]:
            continue
        own = scores[starts[row] : starts[row + 1]]
        scale = BINS / own.max()
        for i in range(len(cuts)):
            if length > cuts[i]:
                floors[row, i] = floor_of(own, places, length, cuts[i], scale, held, least)
