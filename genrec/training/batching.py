"""From token sequences to the batches of one optimizer step, laid out three ways.

An optimizer step always holds the same texts, whatever the layout: the layout decides only how much
padding is computed. So `length_grouped` and `packed` give the loss and the gradient of `padded`, up
to rounding, and only the speed differs.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.schema import Int64Array
from genrec.training.encode import IGNORE, TokenSequences

Layout = Literal["padded", "length_grouped", "packed"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """One forward pass: arrays of shape (rows, width).

    No attention mask is needed: padding stands on the right, where causal attention never sees it,
    and texts packed into one row are kept apart by position ids that start again at 0.
    """

    input_ids: Int64Array
    position_ids: Int64Array
    labels: Int64Array
    """Token to be predicted AT each position (already shifted), or IGNORE."""
    tokens: int
    """Real tokens, padding not counted."""

    @property
    def loss_tokens(self) -> int:
        """Positions that carry loss."""
        return int((self.labels != IGNORE).sum())


def step_rows(count: int, per_step: int, *, seed: int, epoch: int) -> list[NDArray[np.int64]]:
    """Texts of each optimizer step of one epoch: a shuffle that depends on seed and epoch only."""
    order = np.random.default_rng([seed, epoch]).permutation(count)
    return [order[start : start + per_step] for start in range(0, count, per_step)]


def batches(
    sequences: TokenSequences,
    rows: NDArray[np.int64],
    *,
    layout: Layout,
    batch_size: int,
    max_length: int,
    pad_id: int,
) -> Iterator[Batch]:
    """Lay the texts `rows` of one step out as forward passes of at most `batch_size` rows."""
    for contents in _arrange(sequences.lengths[rows], layout, batch_size, max_length):
        yield _fill(sequences, [rows[texts] for texts in contents], pad_id)


def padded_tokens(
    lengths: Int64Array, *, layout: Layout, batch_size: int, per_step: int, max_length: int
) -> int:
    """Tokens that one epoch (that of seed 0) computes, padding counted, without making the batches."""
    total = 0
    for rows in step_rows(len(lengths), per_step, seed=0, epoch=0):
        for contents in _arrange(lengths[rows], layout, batch_size, max_length):
            total += len(contents) * max(int(lengths[rows[texts]].sum()) for texts in contents)
    return total


def _arrange(
    lengths: Int64Array, layout: Layout, batch_size: int, max_length: int
) -> Iterator[list[NDArray[np.int64]]]:
    """Forward passes of one step, each a list of rows, each the positions of the texts in it."""
    if layout == "packed":
        contents = pack(lengths, max_length)
    else:
        by_length = layout == "length_grouped"
        order = np.argsort(lengths, kind="stable") if by_length else np.arange(len(lengths))
        contents = [order[place : place + 1] for place in range(len(order))]
    for start in range(0, len(contents), batch_size):
        yield contents[start : start + batch_size]


def pack(lengths: Int64Array, capacity: int) -> list[NDArray[np.int64]]:
    """Share texts out over the fewest rows of at most `capacity` tokens that a balanced filling needs.

    Longest text first into the emptiest row (LPT): the rows come out nearly equally long, so almost
    nothing is padded. Each length must be at most `capacity`.
    """
    order = np.argsort(-lengths, kind="stable")
    count = max(1, -int(-lengths.sum() // capacity))
    while True:
        heap = [(0, row) for row in range(count)]
        bins: list[list[int]] = [[] for _ in range(count)]
        for text in order:
            filled, row = heapq.heappop(heap)
            bins[row].append(int(text))
            heapq.heappush(heap, (filled + int(lengths[text]), row))
        if max(filled for filled, _ in heap) <= capacity:
            return [np.asarray(chosen, dtype=np.int64) for chosen in bins if chosen]
        count += 1


def _fill(sequences: TokenSequences, contents: list[NDArray[np.int64]], pad_id: int) -> Batch:
    width = max(int(sequences.lengths[texts].sum()) for texts in contents)
    shape = (len(contents), width)
    input_ids = np.full(shape, pad_id, dtype=np.int64)
    labels = np.full(shape, IGNORE, dtype=np.int64)
    position_ids = np.zeros(shape, dtype=np.int64)
    tokens = 0
    for row, texts in enumerate(contents):
        start = 0
        for text in texts:
            ids = sequences[text]
            end, first = start + len(ids), int(sequences.loss_from[text])
            input_ids[row, start:end] = ids
            position_ids[row, start:end] = np.arange(len(ids))
            labels[row, start + first - 1 : end - 1] = sequences.answers_of(int(text))[first:]
            start = end
        position_ids[row, start:] = np.arange(start, width) if len(texts) == 1 else np.arange(width - start)
        tokens += start
    return Batch(input_ids=input_ids, position_ids=position_ids, labels=labels, tokens=tokens)
