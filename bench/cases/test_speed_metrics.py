"""Micro-benchmarks of scoring and comparing, at the size of Beauty: 22,363 users, 50 items each.

Run with `pytest bench/test_speed_metrics.py --benchmark`. Timings are printed and kept in
`extra_info`; only correctness is asserted.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from bench.metrics.ranking import evaluate, mean_quality, quality_metrics, target_ranks, user_outcomes
from bench.schema import Catalogue, Examples, Histories, Int32Array, Rankings, Split
from bench.statistics.paired_tests import mean_intervals, paired_differences

USERS, ITEMS, DEPTH = 22_363, 12_094, 50
METRICS = quality_metrics()


@pytest.fixture(scope="module")
def split() -> Split:
    """Random purchases with the counts of Beauty; 5 to 12 a user, popular items more often."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(5, 13, size=USERS)
    weights = 1 / np.arange(20, ITEMS + 20)
    items = rng.choice(ITEMS, size=int(lengths.sum()), p=weights / weights.sum()).astype(np.int32)
    histories = Histories(
        indptr=np.concatenate([[0], np.cumsum(lengths)]),
        items=items,
        users=np.arange(USERS, dtype=np.int32),
    )
    names = [f"category {number}" for number in range(250)]
    return Split(
        dataset="speed",
        name="leave-one-out",
        ties="file",
        fingerprint="0" * 64,
        catalogue=Catalogue(
            item_ids=tuple(f"i{row}" for row in range(ITEMS)),
            titles=tuple(f"title {row}" for row in range(ITEMS)),
            brands=tuple(f"brand {row % 2000}" for row in range(ITEMS)),
            categories=tuple(("Beauty", *rng.choice(names, size=4, replace=False)) for _ in range(ITEMS)),
            prices=(None,) * ITEMS,
        ),
        user_ids=tuple(f"u{row}" for row in range(USERS)),
        interactions=len(items) + USERS,
        train=histories,
        validation=Examples(histories=histories.take(np.arange(1000)), targets=items[:1000]),
        test=Examples(histories=histories, targets=rng.integers(ITEMS, size=USERS).astype(np.int32)),
        same_day=rng.random(USERS) < 0.4,
    )


@pytest.fixture(scope="module")
def rankings(split: Split) -> Rankings:
    """Distinct random items, in a tenth of the lists with the target at a random place."""
    rng = np.random.default_rng(1)
    lists = (rng.integers(ITEMS, size=(USERS, 1)) + rng.permutation(ITEMS)[:DEPTH]) % ITEMS
    targets = split.test.targets
    for user in np.flatnonzero((rng.random(USERS) < 0.1) & ~(lists == targets[:, None]).any(axis=1)):
        lists[user, rng.integers(DEPTH)] = targets[user]
    return lists.astype(np.int32)


def test_speed_metrics_against_ranx(
    benchmark: Any, split: Split, rankings: Rankings, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twelve metrics of every user's list: ours against ranx's `evaluate` after its compilation."""
    ranx = pytest.importorskip("ranx", reason="needs ranx: pip install 'genrec-bench[dev]'")
    qrels, run = _for_ranx(ranx, rankings, split.test.targets)
    theirs = ranx.evaluate(qrels, run, METRICS)  # compiles
    ranx_seconds = _best_seconds(lambda: ranx.evaluate(qrels, run, METRICS))
    ours = benchmark.pedantic(
        lambda: mean_quality(target_ranks(rankings, split.test.targets)), rounds=20, warmup_rounds=2
    )
    assert ours == pytest.approx({name: float(theirs[name]) for name in METRICS}, abs=1e-12)
    seconds = benchmark.stats.stats.min
    ratio = ranx_seconds / seconds
    benchmark.extra_info.update(ranx_seconds=ranx_seconds, times_faster_than_ranx=ratio)
    with capsys.disabled():
        print(f"\n12 metrics: ours {seconds * 1e3:.2f} ms, ranx {ranx_seconds * 1e3:.0f} ms: {ratio:,.0f} x")


def test_speed_evaluate(
    benchmark: Any, split: Split, rankings: Rankings, capsys: pytest.CaptureFixture[str]
) -> None:
    """Everything that a record holds: both views, intervals, diversity, coverage, slices."""
    found = benchmark.pedantic(lambda: evaluate(split, rankings), rounds=3, warmup_rounds=1)
    assert found == evaluate(split, rankings)
    with capsys.disabled():
        print(f"\nevaluate, both views and all slices: {benchmark.stats.stats.min:.2f} s")


def test_speed_compare_ten_models(benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Intervals of ten models and tests of their 45 pairs, 10,000 resamples, all users."""
    rng = np.random.default_rng(2)
    liking = rng.random(USERS)
    models = []
    for skill in np.linspace(0.04, 0.09, 10):
        hit = 0.7 * liking + 0.3 * rng.random(USERS) < 0.15 + skill
        ranks = np.where(hit, rng.integers(1, 11, size=USERS), 0).astype(np.int32)
        models.append(user_outcomes(ranks, "ndcg@10"))
    pairs = list(combinations(range(10), 2))

    def compare() -> Any:
        draws = np.random.default_rng(0)
        return mean_intervals(models, draws), paired_differences(models, pairs, draws)

    intervals, differences = benchmark.pedantic(compare, rounds=2)
    assert len(intervals) == 10 and len(differences) == 45
    assert all(interval.low <= interval.value <= interval.high for interval in intervals)
    with capsys.disabled():
        print(f"\nten models, 45 pairs, 10,000 resamples: {benchmark.stats.stats.min:.2f} s")


def _for_ranx(ranx: Any, rankings: Rankings, targets: Int32Array) -> tuple[Any, Any]:
    import pandas as pd

    users = np.array([f"u{row}" for row in range(len(rankings))], dtype=object)
    relevant = pd.DataFrame({"q_id": users, "doc_id": targets.astype(str).astype(object), "score": 1})
    listed = pd.DataFrame(
        {
            "q_id": np.repeat(users, rankings.shape[1]),
            "doc_id": rankings.ravel().astype(str).astype(object),
            "score": np.tile(np.arange(rankings.shape[1], 0.0, -1.0), len(rankings)),
        }
    )
    columns = {"q_id": object, "doc_id": object}
    return ranx.Qrels.from_df(relevant.astype(columns)), ranx.Run.from_df(listed.astype(columns))


def _best_seconds(work: Callable[[], Any], rounds: int = 3) -> float:
    seconds = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return min(seconds)
