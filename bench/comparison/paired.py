"""Compare measured models over the same users: who is better, by how much, and how sure that is.

Pure: records and the ranks of the targets in, frozen dataclasses out. What is compared is always the
same data set, split and tie rule; records of different fingerprints are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from bench.errors import ConfigError, RecordError, unknown_name
from bench.marks import marks
from bench.metrics.ranking import parse_metric, user_outcomes
from bench.metrics.slices import UserGroup
from bench.record import VIEWS, DatasetInfo, Record, View
from bench.records.target_ranks import Ranks
from bench.schema import NO_ITEM, FloatArray, Int64Array, Rankings
from bench.statistics.bootstrap import CONFIDENCE, Interval
from bench.statistics.paired_tests import (
    ALPHA,
    RESAMPLES,
    PairedDifference,
    mean_intervals,
    paired_differences,
    standings,
)
from bench.statistics.significance import holm


@dataclass(frozen=True, kw_only=True, eq=False)
class ComparedModel:
    """A model to compare: one record, or one a seed, each with its ranks in the same order."""

    label: str
    """Unique among those compared."""
    records: tuple[Record, ...]
    ranks: tuple[Ranks, ...]
    held_back: bool = False
    """Whether a flag on it keeps it from being ranked (see `bench.records.notes`)."""

    def outcomes(self, metric: str, view: View) -> FloatArray:
        """Give the metric of each user: (users,), or (seeds, users) where there are several."""
        rows = [user_outcomes(ranks[view], metric) for ranks in self.ranks]
        return rows[0] if len(rows) == 1 else np.stack(rows)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One model among the others."""

    label: str
    seeds: tuple[int, ...]
    mean: Interval
    best_rank: int
    worst_rank: int
    groups: tuple[int, ...]
    """Numbers of its tie groups: models that share one do not differ significantly."""

    @property
    def rank(self) -> str:
        """'1', or '2-3' where the data cannot tell."""
        same = self.best_rank == self.worst_rank
        return str(self.best_rank) if same else f"{self.best_rank}-{self.worst_rank}"

    @property
    def letters(self) -> str:
        """The tie groups as letters, 'ab'; after z they are numbered."""
        return "".join(chr(ord("a") + group) if group < 26 else f"({group + 1})" for group in self.groups)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two models, the one with the higher mean first."""

    first: str
    second: str
    paired: PairedDifference
    significant: bool


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Verdicts on all pairs of models for one metric and view."""

    dataset: DatasetInfo
    metric: str
    view: View
    confidence: float
    alpha: float
    resamples: int
    rows: tuple[Row, ...]
    """Best mean first."""
    pairs: tuple[Pair, ...]
    notes: tuple[str, ...] = ()
    """What must be known of single models."""


@dataclass(frozen=True, kw_only=True)
class GroupDifference:
    """The difference of two models within one group of users; null where it has no users."""

    kind: str
    label: str
    users: int
    first: float | None
    second: float | None
    paired: PairedDifference | None


def compare(
    models: Sequence[ComparedModel],
    *,
    metric: str,
    view: View,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    alpha: float = ALPHA,
    seed: int = 0,
) -> Comparison:
    """Compare two or more models pairwise; p-values are Holm-corrected over all pairs.

    Raises RecordError for records that may not be compared, ConfigError for an unknown metric or view.
    """
    check_comparable(models, metric, view)
    outcomes = [model.outcomes(metric, view) for model in models]
    rng = np.random.default_rng(seed)
    means = mean_intervals(outcomes, rng, resamples=resamples, confidence=confidence)
    order = sorted(range(len(means)), key=lambda row: -means[row].value)
    pairs = list(combinations(order, 2))
    found = paired_differences(outcomes, pairs, rng, resamples=resamples, confidence=confidence)
    different = np.zeros((len(means), len(means)), dtype=np.bool_)
    for (first, second), paired in zip(pairs, found, strict=True):
        different[first, second] = different[second, first] = paired.adjusted_p < alpha
    places = standings([interval.value for interval in means], different)
    return Comparison(
        dataset=models[0].records[0].dataset,
        metric=metric,
        view=view,
        confidence=confidence,
        alpha=alpha,
        resamples=resamples,
        rows=tuple(
            Row(
                label=models[row].label,
                seeds=tuple(record.seed for record in models[row].records),
                mean=means[row],
                best_rank=places[row].best_rank,
                worst_rank=places[row].worst_rank,
                groups=places[row].groups,
            )
            for row in order
        ),
        pairs=tuple(
            Pair(
                first=models[first].label,
                second=models[second].label,
                paired=paired,
                significant=bool(different[first, second]),
            )
            for (first, second), paired in zip(pairs, found, strict=True)
        ),
        notes=tuple(
            f"{model.label}: {mark.sentence}" for model in models for mark in marks(model.records[0])
        ),
    )


def compare_metrics(
    first: ComparedModel,
    second: ComparedModel,
    *,
    metrics: Sequence[str],
    view: View,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, PairedDifference]:
    """Compare two models on several metrics; p-values are Holm-corrected over the metrics."""
    for metric in metrics:
        check_comparable((first, second), metric, view)
    outcomes = [one.outcomes(metric, view) for metric in metrics for one in (first, second)]
    pairs = [(2 * number, 2 * number + 1) for number in range(len(metrics))]
    found = paired_differences(outcomes, pairs, np.random.default_rng(seed), resamples=resamples)
    return dict(zip(metrics, found, strict=True))


def compare_groups(
    first: ComparedModel,
    second: ComparedModel,
    groups: Mapping[str, Sequence[UserGroup]],
    *,
    metric: str,
    view: View,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[GroupDifference]:
    """Compare two models within groups of users; p-values are Holm-corrected over all groups."""
    check_comparable((first, second), metric, view)
    outcomes = [one.outcomes(metric, view) for one in (first, second)]
    found = [
        _group_difference(kind, group, [rows[..., group.members] for rows in outcomes], resamples, seed)
        for kind, members in groups.items()
        for group in members
    ]
    adjusted = iter(holm([group.paired.p_value for group in found if group.paired is not None]))
    return [
        replace(group, paired=replace(group.paired, adjusted_p=float(next(adjusted))))
        if group.paired is not None
        else group
        for group in found
    ]


def largest_differences(
    first: ComparedModel, second: ComparedModel, *, metric: str, view: View
) -> Int64Array:
    """Give the users in order of how much the two models differ for them, equal ones by row: (users,)."""
    check_comparable((first, second), metric, view)
    means = [np.atleast_2d(one.outcomes(metric, view)).mean(axis=0) for one in (first, second)]
    return np.argsort(-np.abs(means[0] - means[1]), kind="stable")


def list_overlap(first: Rankings, second: Rankings, cutoff: int) -> FloatArray:
    """Share of the items in a user's two lists, cut at `cutoff`, that are in both (Jaccard): (users,).

    NaN where both lists are empty.
    """
    ours, theirs = first[:, :cutoff], second[:, :cutoff]
    shared = np.zeros(len(ours), dtype=np.int64)
    for column in theirs.T:
        shared += ((ours == column[:, None]) & (ours != NO_ITEM)).any(axis=1)
    union = (ours != NO_ITEM).sum(axis=1) + (theirs != NO_ITEM).sum(axis=1) - shared
    return np.where(union > 0, shared / np.maximum(union, 1), np.nan)


def check_comparable(models: Sequence[ComparedModel], metric: str, view: str) -> None:
    """Raise RecordError or ConfigError, saying why, if these may not be compared so."""
    if view not in VIEWS:
        raise unknown_name("view", view, VIEWS)
    _, cutoff = parse_metric(metric)
    labels = [model.label for model in models]
    if len(models) < 2 or len(set(labels)) < len(labels):
        raise ConfigError(f"comparing takes two or more different models, got: {', '.join(labels) or 'none'}")
    reference = models[0].records[0].dataset
    for model in models:
        for record in model.records:
            if record.metrics is None:
                raise RecordError(f"{model.label} is a cost-only record: its quality was not measured")
            if record.dataset.fingerprint != reference.fingerprint:
                raise RecordError(
                    f"{labels[0]} and {model.label} were measured on different data and are never "
                    f"compared: {_name(reference)}; {_name(record.dataset)}"
                )
            if record.depth < cutoff:
                raise ConfigError(
                    f"{metric} looks deeper than the lists of {model.label}, of depth {record.depth}"
                )


def _name(dataset: DatasetInfo) -> str:
    return f"{dataset.name}, {dataset.split}, ties {dataset.ties}, fingerprint {dataset.fingerprint[:12]}"


def _group_difference(
    kind: str, group: UserGroup, outcomes: Sequence[FloatArray], resamples: int, seed: int
) -> GroupDifference:
    users = int(group.members.sum())
    if not users:
        return GroupDifference(kind=kind, label=group.label, users=0, first=None, second=None, paired=None)
    rng = np.random.default_rng(seed)
    return GroupDifference(
        kind=kind,
        label=group.label,
        users=users,
        first=float(outcomes[0].mean()),
        second=float(outcomes[1].mean()),
        paired=paired_differences(outcomes, [(0, 1)], rng, resamples=resamples)[0],
    )
