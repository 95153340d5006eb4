"""Several seeds of a model as one row: mean, deviation between seeds, interval over users and seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.comparison.compared_models import load_compared
from bench.labels import DEFAULT_VIEW, VIEW_LABELS, metric_label
from bench.records.store import StoredRecord
from bench.statistics.paired_tests import mean_intervals

METRICS = ("recall@5", "ndcg@5", "recall@10", "ndcg@10")


def seeds_text(records: Sequence[StoredRecord]) -> str:
    """Say for each model what its records, one a seed, have in common.

    The deviation is that of the seeds' means (n - 1); the 95 % interval resamples users and seeds.
    """
    models: dict[str, list[StoredRecord]] = {}
    for stored in records:
        models.setdefault(stored.record.model.name, []).append(stored)
    lines = [f"Over seeds, {VIEW_LABELS[DEFAULT_VIEW]}: mean, deviation between seeds, 95 % interval"]
    for name, found in models.items():
        model = load_compared(found)
        lines.append(f"  {name}, {len(found)} seeds")
        for metric in METRICS:
            if any(one.record.depth < int(metric.partition("@")[2]) for one in found):
                continue
            outcomes = np.atleast_2d(model.outcomes(metric, DEFAULT_VIEW))
            (interval,) = mean_intervals([outcomes], np.random.default_rng(0))
            deviation = float(np.std(outcomes.mean(axis=1), ddof=1)) if len(outcomes) > 1 else 0.0
            lines.append(
                f"    {metric_label(metric)} {interval.value:.4f}, {deviation:.4f}, "
                f"{interval.low:.4f} to {interval.high:.4f}"
            )
    return "\n".join(lines)
