"""Where each model of a whole board stands: all pairs at once, by `bench.statistics.significance`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from bench.comparison.contenders import load_contender
from bench.comparison.paired import Contender, check_comparable
from bench.errors import BenchError
from bench.metrics.ranking import parse_metric
from bench.record import Record, View
from bench.records.store import StoredRecord
from bench.statistics.paired_tests import ALPHA, Standing, standings
from bench.statistics.significance import significant_pairs


@dataclass(frozen=True, kw_only=True)
class BoardStandings:
    """The standing of each row whose users' ranks can be read, and why the others have none."""

    places: Mapping[str, Standing]
    unreadable: Mapping[str, str] = field(default_factory=dict)


def contender_of(stored: StoredRecord) -> Contender | str:
    """Read a row's ranks, or say why they cannot be read."""
    try:
        return load_contender([stored], stored.id)
    except BenchError as error:
        return str(error)


def stand(
    rows: Sequence[StoredRecord],
    *,
    metric: str,
    view: View,
    load: Callable[[StoredRecord], Contender | str] = contender_of,
    guests: Sequence[Contender] = (),
) -> BoardStandings:
    """Give the standings of a board's rows by id; `guests` are rows that are not stored.

    A row whose ranks cannot be read is not ranked, and nobody is ranked as if it were not there: it
    stands before the rows that it is better than, and in question beside the others.
    """
    contenders, unreadable, values = list(guests), {}, []
    for stored in rows:
        value = _value(stored.record, metric, view)
        if value is None or stored.held_back:
            continue
        found = load(stored)
        if isinstance(found, str):
            unreadable[stored.id] = found
            values.append(value)
        else:
            contenders.append(found)
    places = board_standings(contenders, metric=metric, view=view, without_ranks=values)
    return BoardStandings(places=places, unreadable=unreadable)


def board_standings(
    contenders: Sequence[Contender],
    *,
    metric: str,
    view: View,
    alpha: float = ALPHA,
    without_ranks: Sequence[float] = (),
) -> dict[str, Standing]:
    """Give rank interval and tie groups of each model, by its label; p-values are Holm-corrected.

    One model alone is first of one. Models whose lists are shorter than the metric looks, and those that a
    flag holds back, have no standing. `without_ranks` are the means of rows that cannot be tested. Raises
    RecordError for models that may not be compared.
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
    means = outcomes.mean(axis=1).tolist()
    places = standings(means, significant_pairs(outcomes, alpha))
    untested = np.array(without_ranks)
    return {
        one.label: replace(
            place,
            best_rank=place.best_rank + int((untested > mean).sum()),
            worst_rank=place.worst_rank + len(untested),
        )
        for one, mean, place in zip(contenders, means, places, strict=True)
    }


def _value(record: Record, metric: str, view: View) -> float | None:
    if record.metrics is None:
        return None
    found = getattr(record.metrics, record.shown_view(view)).get(metric)
    return found.value if found else None
