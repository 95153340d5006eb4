"""How much the order of equal BM25 scores is worth to the last-item baseline.

A library's top-k breaks ties by chance, and an evaluator that sees only scores breaks them for or
against the target; here all four orders are counted from the scores themselves.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.metrics.ranking import mean_quality
from bench.retrieval.bm25 import BM25Index
from bench.retrieval.item_text import item_texts
from bench.schema import Int32Array, Split

CUTOFF = 20
NEAR = 200
"""Places read for every query; where a tie reaches from the first CUTOFF to here, all items are read."""
QUERIES_PER_CHUNK = 128
DRAWS = 20


def tie_orders(split: Split, *, seed: int = 0) -> dict[str, dict[str, float]]:
    """Give the quality of the last-item baseline, seen items kept, for each order of equal scores.

    `file` is by lower item row; `best` and `worst` put the target first and last among its equals;
    `shuffled` is the mean of 20 random orders.
    """
    better, equal, by_row = _places(split)
    rng = np.random.default_rng(seed)
    found = better >= 0
    ranks = {
        "file": np.where(found, by_row + 1, 0),
        "best": np.where(found, better + 1, 0),
        "worst": np.where(found, better + equal, 0),
    }
    values = {order: _quality(places) for order, places in ranks.items()}
    draws = [_quality(np.where(found, better + 1 + rng.integers(equal), 0)) for _ in range(DRAWS)]
    values["shuffled"] = {metric: float(np.mean([draw[metric] for draw in draws])) for metric in draws[0]}
    return values


def _quality(ranks: Int32Array) -> dict[str, float]:
    return mean_quality(np.where(ranks <= CUTOFF, ranks, 0), (5, 10, CUTOFF))


def _places(split: Split) -> tuple[Int32Array, Int32Array, Int32Array]:
    """For each user: items scored above the target, items scored like it (itself one), its place by row.

    (-1, 1, -1) where the target is not among the items that could stand in the first CUTOFF.
    """
    texts = item_texts(split.catalogue)
    index = BM25Index.build(texts)
    histories, targets = split.test.histories, split.test.targets
    last = histories.items[histories.indptr[1:] - 1]
    queries, owner = np.unique(last, return_inverse=True)
    near = min(NEAR, len(texts))
    top = index.top_k([texts[item] for item in queries], near)
    wide = np.flatnonzero(top.scores[:, min(CUTOFF, near) - 1] == top.scores[:, -1])
    result = _count(top.items[owner], top.scores[owner], targets)
    for start in range(0, len(wide), QUERIES_PER_CHUNK):
        chunk = wide[start : start + QUERIES_PER_CHUNK]
        users = np.flatnonzero(np.isin(owner, chunk))
        deep = index.top_k([texts[queries[query]] for query in chunk], len(texts))
        rows = np.searchsorted(chunk, owner[users])
        for whole, part in zip(
            result, _count(deep.items[rows], deep.scores[rows], targets[users]), strict=True
        ):
            whole[users] = part
    return result


def _count(items: Int32Array, scores: Any, targets: Int32Array) -> tuple[Int32Array, Int32Array, Int32Array]:
    hit = items == targets[:, None]
    found = hit.any(axis=1)
    place = hit.argmax(axis=1)
    own = scores[np.arange(len(scores)), place][:, None]
    better = np.where(found, (scores > own).sum(axis=1), -1).astype(np.int32)
    equal = np.where(found, ((scores == own) & (items >= 0)).sum(axis=1), 1).astype(np.int32)
    return better, equal, np.where(found, place, -1).astype(np.int32)
