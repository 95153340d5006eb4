"""The best items of each row of a score table, equal scores by lower item row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.schema import NO_ITEM, BoolArray, Rankings

BLOCK = 8
"""Entries of a row of which the best is looked at first."""


def best_in_sparse(scores: Any, depth: int) -> Rankings:
    """Rank the stored entries of a sparse CSR array (rows, items): (rows, depth), padded with NO_ITEM.

    Scores are compared as float32, so that they do not depend on the order of summation. An entry that is
    not stored is not ranked.
    """
    lengths = np.diff(scores.indptr)
    width = int(lengths.max(initial=0))
    table = np.full((len(lengths), width), -np.inf, dtype=np.float32)
    table[np.arange(width) < lengths[:, None]] = scores.data
    rows, places = np.nonzero(_among_best(table, depth))
    items = scores.indices[scores.indptr[rows] + places]
    return _lists(rows, items, table[rows, places], len(lengths), depth)


def best_in_dense(scores: NDArray[Any], depth: int) -> Rankings:
    """Rank a dense array (rows, items); minus infinity is no item: (rows, depth), padded with NO_ITEM."""
    table = scores.astype(np.float32, copy=False)
    rows, items = np.nonzero(_among_best(table, depth))
    return _lists(rows, items, table[rows, items], len(table), depth)


def _among_best(table: NDArray[np.float32], depth: int) -> BoolArray:
    """Mark the `depth` best of each row, all that equal the last of them, and few others.

    A row is cut into blocks. The blocks' best are entries too, so the depth-th best of them is no better
    than the depth-th best of all, and takes a small part of the work to find.
    """
    present = ~np.isneginf(table)
    blocks = table.shape[1] // BLOCK
    heads = table[:, : blocks * BLOCK].reshape(len(table), blocks, BLOCK).max(axis=2)
    candidates = heads if blocks > depth else table
    if depth >= candidates.shape[1]:
        return present
    bound = np.partition(candidates, -depth, axis=1)[:, -depth]
    marked: BoolArray = (table >= bound[:, None]) & present
    return marked


def _lists(
    rows: NDArray[Any], items: NDArray[Any], scores: NDArray[np.float32], count: int, depth: int
) -> Rankings:
    """Order the marked entries of each row by falling score, then by item, and cut at `depth`."""
    order = np.lexsort((items, -scores, rows))
    rows, items = rows[order], items[order]
    places = np.arange(len(rows)) - np.searchsorted(rows, rows)
    kept = places < depth
    lists = np.full((count, depth), NO_ITEM, dtype=np.int32)
    lists[rows[kept], places[kept]] = items[kept]
    return lists
