"""Weighted reciprocal rank fusion of ranked lists, with weights and constant chosen on validation users.

    s(j) = sum over rows m:  w_m / (k + rank of j in m's list),  0 where j is not in it

Source: Cormack, Clarke & Buettcher, "Reciprocal rank fusion outperforms Condorcet and individual rank
learning methods" (SIGIR 2009), there with equal weights and k = 60. Scores are not fused: records hold lists.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from bench.metrics.ranking import ranks_in_view, user_outcomes
from bench.record import View
from bench.retrieval.best import best_in_sparse
from bench.schema import NO_ITEM, Examples, Rankings

CONSTANTS = (1, 5, 20, 60)
PUBLISHED_CONSTANT = 60
STEPS = 10
"""Weights are tried in tenths."""


@dataclass(frozen=True, kw_only=True)
class Fusion:
    """How lists are fused, and how good that was on the validation users."""

    weights: tuple[float, ...]
    constant: int
    value: float | None = None
    alone: tuple[float | None, ...]
    """The metric of each row by itself."""
    trials: int = 0
    """Settings that were tried; with none, nothing was chosen and no value is known."""


def fuse(
    lists: Sequence[Rankings], weights: Sequence[float], constant: int, items: int, depth: int
) -> Rankings:
    """Fuse lists of the same users; equal scores by lower item row: (users, depth)."""
    users = len(lists[0])
    rows, columns, scores = [], [], []
    for ranking, weight in zip(lists, weights, strict=True):
        if weight:
            owners, places = np.nonzero(ranking != NO_ITEM)
            rows.append(owners)
            columns.append(ranking[owners, places])
            scores.append(weight / (constant + 1 + places))
    entries = (np.concatenate(scores), (np.concatenate(rows), np.concatenate(columns)))
    return best_in_sparse(sparse.csr_array(entries, shape=(users, items)), depth)


def equal(rows: int) -> Fusion:
    """Give what the source proposes: equal weights, and its constant; nothing is chosen."""
    return Fusion(weights=(1 / rows,) * rows, constant=PUBLISHED_CONSTANT, alone=(None,) * rows)


def choose(
    lists: Sequence[Rankings], examples: Examples, items: int, *, metric: str, view: View, depth: int
) -> Fusion:
    """Try a grid of weights and constants on examples; of equal settings the first is kept."""

    def value(rankings: Rankings) -> float:
        return float(user_outcomes(ranks_in_view(rankings, examples, view), metric).mean())

    found = [
        (value(fuse(lists, weights, constant, items, depth)), weights, constant)
        for weights in _simplex(len(lists))
        for constant in CONSTANTS
    ]
    best, weights, constant = max(found, key=lambda one: one[0])
    return Fusion(
        weights=weights,
        constant=constant,
        value=best,
        alone=tuple(value(ranking) for ranking in lists),
        trials=len(found),
    )


def _simplex(parts: int, left: int = STEPS) -> Iterator[tuple[float, ...]]:
    """Give all weights in steps of 1 / STEPS that sum to 1."""
    if parts == 1:
        yield (left / STEPS,)
        return
    for first in range(left, -1, -1):
        for rest in _simplex(parts - 1, left - first):
            yield (first / STEPS, *rest)
