"""Weighted draws without replacement, from a random stream of each user's own.

Each user owns a fixed block of one Philox stream (Salmon et al., SC 2011: a counter-based generator, any
place of which is reached at once), so a user draws the same items alone, in a batch, and in any order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.schema import NO_ITEM, FloatArray, Int32Array, Rankings

CELLS_PER_CHUNK = 1 << 16
"""Numbers held at a time. Larger arrays go back to the system when freed; their pages are fetched anew."""

_DRAWS, _COMPLETION = 0, 1
_WORDS_PER_STEP = 4
"""Philox-4x64 gives four 64-bit words a step of its counter."""


def user_uniforms(seed: int, stream: int, users: Int32Array, per_user: int) -> FloatArray:
    """Give (users, per_user) uniform numbers in [0, 1): block u of the stream for user u."""
    steps = -(-per_user // _WORDS_PER_STEP)
    owners, place = np.unique(users, return_inverse=True)
    uniforms = np.empty((len(owners), steps * _WORDS_PER_STEP))
    run_starts = np.flatnonzero(np.diff(owners, prepend=-2) != 1)
    for start, stop in zip(run_starts, [*run_starts[1:], len(owners)], strict=True):
        bits = np.random.Philox(np.random.SeedSequence([seed, stream]))
        bits.advance(int(owners[start]) * steps)
        uniforms[start:stop] = np.random.Generator(bits).random(uniforms[start:stop].shape)
    return uniforms[place, :per_user]


def draw_items(
    weights: NDArray[Any], users: Int32Array, depth: int, *, seed: int, taken: Rankings | None = None
) -> Rankings:
    """Draw `depth` distinct items a user, one after the other, each by the weights of the items left.

    `weights` (items,) are whole numbers, and an item of weight 0 is never drawn. `taken` (users, any) are
    items that the user must not get. Returns (users, depth) in the order drawn; where fewer items are
    left, the list is padded with NO_ITEM.
    """
    if taken is None:
        taken = np.empty((len(users), 0), dtype=np.int32)
    drawn = np.full((len(users), depth), NO_ITEM, dtype=np.int32)
    cumulative = np.cumsum(weights, dtype=np.int64)
    if not cumulative[-1]:
        return drawn
    attempts = depth + depth // 4 + 8
    rows_per_chunk = max(1, CELLS_PER_CHUNK // (attempts + taken.shape[1]))
    for start in range(0, len(users), rows_per_chunk):
        rows = slice(start, start + rows_per_chunk)
        numbers = user_uniforms(seed, _DRAWS, users[rows], attempts) * cumulative[-1]
        items = np.searchsorted(cumulative, numbers.astype(np.int64), side="right").astype(np.int32)
        drawn[rows] = first_distinct(np.hstack([taken[rows], items]), depth, skip=taken.shape[1])
    _complete(drawn, weights, users, taken, seed)
    return drawn


def first_distinct(candidates: Int32Array, depth: int, *, skip: int = 0) -> Rankings:
    """Keep the first `depth` distinct items of each row, in order; NO_ITEM is no item.

    The first `skip` columns are not kept, and neither is an item that stands there.
    """
    kept = np.full((len(candidates), depth), NO_ITEM, dtype=np.int32)
    rows_per_chunk = max(1, CELLS_PER_CHUNK // max(1, candidates.shape[1]))
    for start in range(0, len(candidates), rows_per_chunk):
        _keep_first(candidates[start : start + rows_per_chunk], skip, kept[start : start + rows_per_chunk])
    return kept


def _keep_first(candidates: Int32Array, skip: int, kept: Rankings) -> None:
    width = candidates.shape[1]
    keys = candidates.astype(np.int64) * width + np.arange(width)
    keys.sort(axis=1)
    items, columns = keys // width, keys % width
    is_first = items != NO_ITEM
    is_first[:, 1:] &= items[:, 1:] != items[:, :-1]
    fresh = np.empty_like(is_first)
    np.put_along_axis(fresh, columns, is_first, axis=1)
    fresh[:, :skip] = False
    places = np.cumsum(fresh, axis=1) - 1
    rows, columns = np.nonzero(fresh & (places < kept.shape[1]))
    kept[rows, places[rows, columns]] = candidates[rows, columns]


def _complete(drawn: Rankings, weights: NDArray[Any], users: Int32Array, taken: Rankings, seed: int) -> None:
    """Go on, in place, where the attempts ran out: order all items left as drawing them would.

    Exponential arrival times at rates `weights` come in the order of weighted draws without replacement
    (Efraimidis and Spirakis, 2006); what was drawn before does not change the odds among the rest.
    """
    items = len(weights)
    short = np.flatnonzero(drawn[:, -1] == NO_ITEM)
    rows_per_chunk = max(1, CELLS_PER_CHUNK // items)
    for start in range(0, len(short), rows_per_chunk):
        rows = short[start : start + rows_per_chunk]
        arrivals = np.full((len(rows), items + 1), np.inf)
        waits = -np.log1p(-user_uniforms(seed, _COMPLETION, users[rows], items))
        np.divide(waits, weights, out=arrivals[:, :items], where=weights > 0)
        # NO_ITEM, -1, falls on the last column, which belongs to no item.
        np.put_along_axis(arrivals, np.hstack([taken[rows], drawn[rows]]), np.inf, axis=1)
        order = np.argsort(arrivals, axis=1, kind="stable")[:, : drawn.shape[1]]
        arrived = np.isfinite(np.take_along_axis(arrivals, order, axis=1))
        rest = np.where(arrived, order, NO_ITEM).astype(np.int32)
        drawn[rows] = first_distinct(np.hstack([drawn[rows], rest]), drawn.shape[1])
