"""Score and document packed into one integer that sorts as a ranking does; 0 is no document."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.schema import NO_ITEM, FloatArray, Int32Array, Int64Array

LOW_BITS = (1 << 32) - 1


def packed(scores: FloatArray, documents: NDArray[Any]) -> Int64Array:
    """Pack positive scores, rounded to float32, and rows into integers that sort like a ranking.

    The bits of positive floats grow with their value; below them stands the row, counted from the end.
    """
    keys: Int64Array = scores.astype(np.float32).view(np.uint32).astype(np.int64)
    keys <<= 32
    keys |= LOW_BITS
    keys -= documents
    return keys


def rows_of(keys: Int64Array) -> Int32Array:
    """Give the rows that keys were made of, NO_ITEM for key 0."""
    return np.where(keys == 0, NO_ITEM, LOW_BITS - (keys & LOW_BITS)).astype(np.int32)


def scores_of(keys: Int64Array) -> NDArray[np.float32]:
    """Give the scores that keys were made of, 0 for key 0."""
    scores: NDArray[np.float32] = (keys >> 32).astype(np.uint32).view(np.float32)
    return scores


def best_of(keys: Int64Array, depth: int) -> Int64Array:
    """Give the `depth` largest keys of each row in falling order, padded with 0."""
    best = np.zeros((len(keys), depth), dtype=np.int64)
    kept = min(depth, keys.shape[1])
    if kept:
        top = np.partition(keys, -kept, axis=1)[:, -kept:]
        best[:, :kept] = np.sort(top, axis=1)[:, ::-1]
    return best
