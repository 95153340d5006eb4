"""From ranked lists to numbers: recall, nDCG and MRR per user and as means, in both views.

There is one relevant item a user, so every quality metric is a function of its rank in the list:

    recall@k = [rank <= k]    ndcg@k = [rank <= k] / log2(1 + rank)    mrr@k = [rank <= k] / rank

(nDCG: Jaervelin & Kekaelaeinen 2002, the ideal DCG being 1; recall@k equals the hit rate.) All test
users are in the denominator. Means are sums of integer counts times fixed weights, so scoring the
same lists again gives the same numbers, bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import ConfigError, RankingError, unknown_name
from bench.metrics import diversity
from bench.metrics.definitions import CUTOFFS, METRICS, QUALITY, SLICE_CUTOFFS, Lists
from bench.metrics.slices import UserGroup, user_groups
from bench.record import VIEWS, Estimate, Metrics, Slice, View
from bench.schema import NO_ITEM, Examples, FloatArray, Histories, Int32Array, Rankings, Split
from bench.statistics.bootstrap import CONFIDENCE, RESAMPLES, Interval, grouped_intervals, mean_interval
from bench.statistics.draws import METHOD


def check_rankings(rankings: NDArray[Any], catalogue_size: int, users: int | None = None) -> Rankings:
    """Give the lists as int32 (users, depth) or raise RankingError saying what is wrong and where.

    Wanted: whole numbers, one row a user (`users` rows if given), each row distinct item rows of
    0..catalogue_size - 1, best first, then only NO_ITEM.
    """
    if isinstance(rankings, np.ma.MaskedArray):
        rankings = rankings.filled(NO_ITEM)
    try:
        rankings = np.asarray(rankings)
    except ValueError:
        raise RankingError(
            f"ranked lists must have shape (users, depth), got rows of different lengths; pad with {NO_ITEM}"
        ) from None
    if rankings.ndim != 2 or rankings.shape[1] == 0:
        raise RankingError(f"ranked lists must have shape (users, depth), got {rankings.shape}")
    if not np.issubdtype(rankings.dtype, np.integer):
        raise RankingError(
            f"ranked lists must hold item rows, whole numbers such as int32, got {rankings.dtype}"
        )
    if users is not None and len(rankings) != users:
        raise RankingError(f"ranked lists must have one row a user: {users} users, {len(rankings)} rows")
    unknown = (rankings < NO_ITEM) | (rankings >= catalogue_size)
    if unknown.any():
        row, place = np.argwhere(unknown)[0]
        raise RankingError(
            f"user row {row}, place {place + 1}: item {rankings[row, place]} is not in the catalogue; "
            f"allowed are 0..{catalogue_size - 1}, and {NO_ITEM} after the last item"
        )
    lists = rankings.astype(np.int32, copy=False)
    gaps = (lists[:, :-1] == NO_ITEM) & (lists[:, 1:] != NO_ITEM)
    if gaps.any():
        row, place = np.argwhere(gaps)[0]
        raise RankingError(
            f"user row {row}, place {place + 1}: a list may hold {NO_ITEM} only after its last item"
        )
    ordered = np.sort(lists, axis=1)
    repeated = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] != NO_ITEM)
    if repeated.any():
        row, place = np.argwhere(repeated)[0]
        raise RankingError(f"user row {row}: item {ordered[row, place]} is listed more than once")
    return lists


def target_ranks(rankings: Rankings, targets: Int32Array) -> Int32Array:
    """Give the place of each user's target in the list, counted from 1, or 0 where it is absent."""
    ranks = np.zeros(len(rankings), dtype=np.int32)
    users, places = np.divmod(np.flatnonzero(rankings == targets[:, None]), rankings.shape[1])
    ranks[users] = places + 1
    return ranks


def remove_seen(rankings: Rankings, histories: Histories) -> Rankings:
    """Drop the items of each user's own history from the list and close the gaps."""
    kept = np.full_like(rankings, NO_ITEM)
    columns = 1 + max(int(rankings.max(initial=0)), int(histories.items.max(initial=0)))
    step = max(1, diversity.CELLS // columns)
    seen = np.zeros((min(step, len(rankings)), columns), dtype=np.bool_)
    owners = np.repeat(np.arange(len(histories)), histories.lengths)
    for start in range(0, len(rankings), step):
        lists = rankings[start : start + step]
        span = slice(histories.indptr[start], histories.indptr[start + len(lists)])
        cells = owners[span] - start, histories.items[span]
        seen[cells] = True
        keep = ~seen[np.arange(len(lists))[:, None], lists] & (lists != NO_ITEM)
        seen[cells] = False
        users, _ = np.nonzero(keep)
        kept[start + users, (np.cumsum(keep, axis=1) - 1)[keep]] = lists[keep]
    return kept


def ranks_in_view(rankings: Rankings, examples: Examples, view: View) -> Int32Array:
    """Give the place of each user's target in the list as a view sees it, as `target_ranks` does."""
    ranks = target_ranks(rankings, examples.targets)
    if view == "seen_kept":
        return ranks
    # only a list that holds the target has a rank to change, and few do
    found = np.flatnonzero(ranks)
    lists = remove_seen(rankings[found], examples.histories.take(found))
    ranks[found] = target_ranks(lists, examples.targets[found])
    return ranks


def view_of(rankings: Rankings, histories: Histories, view: View) -> Rankings:
    """Give the lists as one of the two views sees them."""
    return rankings if view == "seen_kept" else remove_seen(rankings, histories)


@cache
def _gains(metric: str, length: int) -> FloatArray:
    """Outcome of a user by the rank of the target, 0..length - 1, rank 0 being a miss."""
    name, cutoff = parse_metric(metric)
    gain = METRICS[name].gain
    assert gain is not None  # parse_metric: it is a quality metric
    gains = np.zeros(length)
    for rank in range(1, min(cutoff, length - 1) + 1):
        gains[rank] = gain(rank)
    gains.flags.writeable = False  # it is shared by all callers
    return gains


def parse_metric(metric: str) -> tuple[str, int]:
    """Split the name of a quality metric, 'ndcg@10' -> ('ndcg', 10); ConfigError if it is not one."""
    name, _, cutoff = metric.partition("@")
    if name not in QUALITY:
        raise unknown_name("metric", name, QUALITY)
    if not cutoff.isascii() or not cutoff.isdigit() or not 1 <= int(cutoff) <= 1000:
        raise ConfigError(f"metric '{metric}' needs a cut-off from 1 to 1000, as in '{name}@10'")
    return name, int(cutoff)


def user_outcomes(ranks: Int32Array, metric: str) -> FloatArray:
    """Give the metric of each user, (users,), from the ranks of the targets."""
    return _gains(metric, int(ranks.max(initial=0)) + 1)[ranks]


def mean_quality(ranks: Int32Array, cutoffs: Sequence[int] = CUTOFFS) -> dict[str, float]:
    """Give the mean of each quality metric over all users, without intervals; at least one user."""
    counts = np.bincount(ranks, minlength=max(cutoffs) + 1)
    return {
        metric: math.fsum((counts * _gains(metric, len(counts))).tolist()) / len(ranks)
        for metric in quality_metrics(cutoffs)
    }


def quality_metrics(cutoffs: Sequence[int] = CUTOFFS) -> list[str]:
    """Name the quality metrics: recall@1, ndcg@1, mrr@1, recall@5, ..."""
    return [f"{name}@{cutoff}" for cutoff in cutoffs for name in QUALITY]


def evaluate(
    split: Split,
    rankings: Rankings,
    *,
    depth: int | None = None,
    seed: int = 0,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
) -> Metrics:
    """Score ranked lists, one row a test user, in both views, with intervals and slices.

    Every metric of `bench.metrics.definitions` at each of CUTOFFS. A value that is defined for no user is
    null, and so is one at a cut-off deeper than `depth`, the length that was asked of the lists (default:
    the length they have).
    """
    rankings = check_rankings(rankings, len(split.catalogue), len(split.test))
    scorer = _Scorer(
        depth=rankings.shape[1] if depth is None else depth,
        seed=seed,
        confidence=confidence,
        resamples=resamples,
    )
    attributes = diversity.item_attributes(split.catalogue)
    groups = user_groups(split)

    def score(view: View) -> tuple[dict[str, Estimate], dict[str, list[Slice]]]:
        lists = view_of(rankings, split.test.histories, view)
        ranks = target_ranks(lists, split.test.targets)
        values = scorer.quality(ranks, CUTOFFS)
        values |= scorer.beyond_quality(Lists(split=split, rankings=lists, attributes=attributes))
        return values, {
            kind: [scorer.slice(ranks, group) for group in members] for kind, members in groups.items()
        }

    # numpy lets go of the interpreter lock, so the two views take two cores
    with ThreadPoolExecutor(len(VIEWS)) as pool:
        (kept, kept_slices), (removed, removed_slices) = pool.map(score, VIEWS)
    slices: dict[View, dict[str, list[Slice]]] = {"seen_kept": kept_slices, "seen_removed": removed_slices}
    return Metrics(seen_kept=kept, seen_removed=removed, slices=slices, draws=METHOD)


def evaluate_ranks(
    split: Split,
    ranks: Int32Array,
    view: View,
    depth: int,
    *,
    seed: int = 0,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
) -> Metrics:
    """Score the places of the targets, (users,), in lists of `depth` items that are not at hand.

    Quality metrics and slices of one view only; null at deeper cut-offs than the lists, and throughout
    in the other view.
    """
    if ranks.shape != (len(split.test),) or not ((ranks >= 0) & (ranks <= depth)).all():
        raise RankingError(f"outcomes must be one rank of 0..{depth} for each of {len(split.test)} users")
    scorer = _Scorer(depth=depth, seed=seed, confidence=confidence, resamples=resamples)
    unknown = {metric: Estimate(value=None) for metric in quality_metrics()}
    known = scorer.quality(ranks, CUTOFFS)
    slices = {
        kind: [scorer.slice(ranks, group) for group in members]
        for kind, members in user_groups(split).items()
    }
    kept, removed = (known, unknown) if view == "seen_kept" else (unknown, known)
    return Metrics(seen_kept=kept, seen_removed=removed, slices={view: slices}, draws=METHOD)


class _Scorer:
    """Estimates with intervals. Each draws from the seed afresh, so no number depends on another."""

    def __init__(self, *, depth: int, seed: int, confidence: float, resamples: int) -> None:
        self.depth = depth
        self.options: dict[str, Any] = {"seed": seed, "resamples": resamples, "confidence": confidence}

    def quality(self, ranks: Int32Array, cutoffs: Sequence[int]) -> dict[str, Estimate]:
        estimates = {metric: Estimate(value=None) for metric in quality_metrics(cutoffs)}
        metrics = quality_metrics([cutoff for cutoff in cutoffs if cutoff <= self.depth])
        if not metrics or not len(ranks):
            return estimates
        length = max(cutoffs) + 1
        counts = np.bincount(np.where(ranks < length, ranks, 0), minlength=length)
        weights = np.stack([_gains(metric, length) for metric in metrics])
        intervals = grouped_intervals(counts, weights, **self.options)
        return estimates | dict(zip(metrics, map(_estimate, intervals), strict=True))

    def slice(self, ranks: Int32Array, group: UserGroup) -> Slice:
        return Slice(
            label=group.label,
            users=int(group.members.sum()),
            metrics=self.quality(ranks[group.members], SLICE_CUTOFFS),
        )

    def beyond_quality(self, lists: Lists) -> dict[str, Estimate]:
        known = [cutoff for cutoff in CUTOFFS if cutoff <= self.depth]
        estimates: dict[str, Estimate] = {}
        for name, metric in METRICS.items():
            if metric.gain is not None:
                continue
            found: list[Estimate] = []
            if metric.of_user is not None:
                found = [self._mean(values) for values in metric.of_user(lists, known)]
            elif metric.of_lists is not None:
                found = [Estimate(value=value) for value in metric.of_lists(lists, known)]
            found += [Estimate(value=None)] * (len(CUTOFFS) - len(known))
            estimates |= {f"{name}@{cutoff}": value for cutoff, value in zip(CUTOFFS, found, strict=True)}
        return estimates

    def _mean(self, values: FloatArray) -> Estimate:
        defined = values[~np.isnan(values)]
        return _estimate(mean_interval(defined, **self.options)) if len(defined) else Estimate(value=None)


def _estimate(interval: Interval) -> Estimate:
    return Estimate(value=interval.value, low=interval.low, high=interval.high)
