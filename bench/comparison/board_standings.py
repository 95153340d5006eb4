"""Where each model of a whole board stands: all pairs at once, by `bench.statistics.significance`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.comparison.paired import Contender, check_comparable
from bench.metrics.ranking import parse_metric
from bench.record import View
from bench.statistics.paired_tests import ALPHA, Standing, standings
from bench.statistics.significance import significant_pairs


def board_standings(
    contenders: Sequence[Contender], *, metric: str, view: View, alpha: float = ALPHA
) -> dict[str, Standing]:
    """Give rank interval and tie groups of each model, by its label; p-values are Holm-corrected.

    One model alone is first of one. Models whose lists are shorter than the metric looks, and those that a
    flag holds back, have no standing. Raises RecordError for models that may not be compared.
    """
    _, cutoff = parse_metric(metric)
    contenders = [
        one
        for one in contenders
        if not one.held_back and all(record.depth >= cutoff for record in one.records)
    ]
    if not contenders:
        return {}
    if len(contenders) > 1:
        check_comparable(contenders, metric, view)
    outcomes = np.stack([np.atleast_2d(one.outcomes(metric, view)).mean(axis=0) for one in contenders])
    places = standings(outcomes.mean(axis=1).tolist(), significant_pairs(outcomes, alpha))
    return {one.label: place for one, place in zip(contenders, places, strict=True)}
