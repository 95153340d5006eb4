"""Constants of the candidate ranker, tried on validation users; likelihoods are computed once for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from bench.metrics.ranking import mean_quality, ranks_in_view, remove_seen
from bench.record import DEPTH
from bench.schema import Examples, Rankings, TrainingData
from genrec.candidate_ranker import CandidateRanker, combined, reordered

WITHOUT_HISTORY = (0.0, 0.25, 0.5, 0.75, 1.0)
ROW_WEIGHTS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
ROW_ALONE = "the row as it is"


@dataclass(frozen=True, kw_only=True)
class CandidateTrial:
    """Quality on validation users, by (without_history, row_weight), and of the row left alone."""

    users: int
    rows: Mapping[tuple[float, float] | str, Mapping[str, float]]
    best: tuple[float, float]
    """By nDCG@5; of equal ones the first."""


def try_constants(
    data: TrainingData,
    preset: str,
    settings: Sequence[str],
    *,
    seed: int,
    work: Path | None = None,
    users: int | None = None,
) -> CandidateTrial:
    """Fit, score the candidates of at most `users` validation users (spread evenly), and try the constants.

    Raises Unavailable where the model cannot run.
    """
    ranker = CandidateRanker(preset, seed, [*settings, "score.without_history=1"], work)
    ranker.check_available(data)
    ranker.fit(data)
    count = len(data.validation)
    chosen = np.unique(np.linspace(0, count - 1, num=min(users or count, count)).astype(np.int64))
    asked = Examples(
        histories=data.validation.histories.take(chosen), targets=data.validation.targets[chosen]
    )
    lists = ranker.row_lists(asked.histories, DEPTH)
    candidates = remove_seen(lists, asked.histories)[:, : ranker.score.top]
    likelihoods, alone = ranker.likelihoods(asked.histories, candidates)
    rows: dict[tuple[float, float] | str, Mapping[str, float]] = {ROW_ALONE: _quality(lists, asked)}
    for constants in product(WITHOUT_HISTORY, ROW_WEIGHTS):
        tried = ranker.score.model_copy(
            update=dict(zip(("without_history", "row_weight"), constants, strict=True))
        )
        scores = combined(likelihoods, alone, candidates, tried)
        rows[constants] = _quality(reordered(lists, candidates, scores), asked)
    best = max(product(WITHOUT_HISTORY, ROW_WEIGHTS), key=lambda constants: rows[constants]["ndcg@5"])
    return CandidateTrial(users=len(asked), rows=rows, best=best)


def _quality(lists: Rankings, asked: Examples) -> Mapping[str, float]:
    return mean_quality(ranks_in_view(lists, asked, "seen_removed"), (5, 10))
