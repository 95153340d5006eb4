"""Where each model of a whole board stands: all pairs at once, by `bench.statistics.significance`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from bench.comparison.compared_models import load_compared
from bench.comparison.paired import ComparedModel, check_comparable
from bench.comparison.pareto import better_by_value
from bench.errors import BenchError
from bench.metrics.ranking import parse_metric
from bench.record import Record, View
from bench.records.store import StoredRecord
from bench.schema import BoolArray, FloatArray
from bench.statistics.paired_tests import ALPHA, Standing, standings
from bench.statistics.significance import significant_pairs


@dataclass(frozen=True, kw_only=True, eq=False)
class BoardStandings:
    """The standing of each row whose users' ranks can be read, and why the others have none."""

    places: Mapping[str, Standing]
    unreadable: Mapping[str, str] = field(default_factory=dict)
    beats: BoolArray = field(default_factory=lambda: np.zeros((0, 0), dtype=np.bool_))
    """(ranked rows, ranked rows), in the order of `places`: whether one is significantly better."""

    def better(self, first: str, second: str) -> bool:
        """Whether the users show the first row to be better; False where either was not tested."""
        rows = self._rows
        return first in rows and second in rows and bool(self.beats[rows[first], rows[second]])

    def decided(self, first: str, second: str) -> bool:
        """Whether the users show a difference."""
        return self.better(first, second) or self.better(second, first)

    def better_of(self, rows: Sequence[str], values: Sequence[float]) -> BoolArray:
        """Tell which of these rows are better than which, (rows, rows).

        Significantly where both were tested; by their `values` where one was not.
        """
        found = better_by_value(values)
        tested = [place for place, row in enumerate(rows) if row in self._rows]
        where = [self._rows[rows[place]] for place in tested]
        found[np.ix_(tested, tested)] = self.beats[np.ix_(where, where)]
        return found

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {label: row for row, label in enumerate(self.places)}


def compared_model_of(stored: StoredRecord) -> ComparedModel | str:
    """Read a row's ranks, or say why they cannot be read."""
    try:
        return load_compared([stored], stored.id)
    except BenchError as error:
        return str(error)


def stand(
    rows: Sequence[StoredRecord],
    *,
    metric: str,
    view: View,
    load: Callable[[StoredRecord], ComparedModel | str] = compared_model_of,
    guests: Sequence[ComparedModel] = (),
) -> BoardStandings:
    """Give the standings of a board's rows by id; `guests` are rows that are not stored.

    A row whose ranks cannot be read is not ranked, and nobody is ranked as if it were not there: it
    stands before the rows that it is better than, and in question beside the others.
    """
    models, unreadable, values = list(guests), {}, []
    for stored in rows:
        value = _value(stored.record, metric, view)
        if value is None or stored.held_back:
            continue
        found = load(stored)
        if isinstance(found, str):
            unreadable[stored.id] = found
            values.append(value)
        else:
            models.append(found)
    tested = _tested(models, metric, view, ALPHA, values)
    return replace(tested, unreadable=unreadable)


def board_standings(
    models: Sequence[ComparedModel],
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
    return dict(_tested(models, metric, view, alpha, without_ranks).places)


def _tested(
    models: Sequence[ComparedModel], metric: str, view: View, alpha: float, without_ranks: Sequence[float]
) -> BoardStandings:
    _, cutoff = parse_metric(metric)
    models = [
        one for one in models if not one.held_back and all(record.depth >= cutoff for record in one.records)
    ]
    if not models:
        return BoardStandings(places={})
    if len(models) > 1:
        check_comparable(models, metric, view)
    means, outcomes = _outcomes(models, metric, view)
    different = significant_pairs(outcomes, alpha)
    labels = [one.label for one in models]
    untested = np.array(without_ranks)
    places = {
        label: replace(
            place,
            best_rank=place.best_rank + int((untested > mean).sum()),
            worst_rank=place.worst_rank + len(untested),
        )
        for label, mean, place in zip(labels, means, standings(means, different), strict=True)
    }
    return BoardStandings(places=places, beats=different & (np.array(means)[:, None] > np.array(means)))


def _outcomes(models: Sequence[ComparedModel], metric: str, view: View) -> tuple[list[float], FloatArray]:
    """Give each model's mean over all users, and its outcomes for the users whom any model served.

    The others, the same for all models, decide nothing; of a large board they are most of the memory.
    """
    served = np.zeros(len(models[0].ranks[0][view]), dtype=np.bool_)
    for one in models:
        served |= np.atleast_2d(one.outcomes(metric, view)).any(axis=0)
    rows = np.empty((len(models), np.count_nonzero(served)))
    for row, one in zip(rows, models, strict=True):
        row[:] = np.atleast_2d(one.outcomes(metric, view))[:, served].mean(axis=0)
    return (rows.sum(axis=1) / len(served)).tolist(), rows


def _value(record: Record, metric: str, view: View) -> float | None:
    if record.metrics is None:
        return None
    found = getattr(record.metrics, record.shown_view(view)).get(metric)
    return found.value if found else None
