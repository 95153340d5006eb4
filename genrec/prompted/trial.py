"""A model's order of a row's candidates beside the row's own, on validation users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.metrics.ranking import mean_quality, ranks_in_view
from bench.record import DEPTH
from bench.schema import Examples, TrainingData
from genrec.prompted.reranker import Reranker


@dataclass(frozen=True, kw_only=True)
class RerankTrial:
    """Quality on validation users, seen items removed, and how the answers were."""

    users: int
    row: Mapping[str, float]
    reranked: Mapping[str, float]
    facts: Mapping[str, Any]
    """`details` of the model."""


def try_rerank(
    data: TrainingData,
    preset: str,
    settings: Sequence[str],
    *,
    seed: int,
    work: Path | None = None,
    users: int | None = None,
) -> RerankTrial:
    """Fit the row and have the candidates of at most `users` validation users, spread evenly, ordered.

    Raises Unavailable where the model cannot be asked here.
    """
    model = Reranker(preset, seed, settings, work)
    model.check_available(data)
    model.fit(data)
    count = len(data.validation)
    chosen = np.unique(np.linspace(0, count - 1, num=min(users or count, count)).astype(np.int64))
    asked = Examples(
        histories=data.validation.histories.take(chosen), targets=data.validation.targets[chosen]
    )
    quality = [
        mean_quality(ranks_in_view(lists, asked, "seen_removed"), (5, 10))
        for lists in (model.row_lists(asked.histories, DEPTH), model.recommend(asked.histories, DEPTH))
    ]
    return RerankTrial(users=len(asked), row=quality[0], reranked=quality[1], facts=model.details())
