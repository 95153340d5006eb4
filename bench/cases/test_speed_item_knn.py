"""Speed of ItemKNN against implicit's, fitting and listing for all test users, at equal formula, in one run.

Run it with `pytest bench --benchmark -k item_knn --dataset beauty2014`.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse

from bench.models import create, find_model
from bench.run.plugin import SESSION_KEY
from bench.schema import NO_ITEM, Histories

DEPTH = 10
CHECKED = 100
"""Users whose two lists are scored by the formula itself."""


def test_item_knn(benchmark: Any, request: pytest.FixtureRequest) -> None:
    """Sum plain cosines over the history on one thread; both sides' lists must score the same."""
    nearest = pytest.importorskip(
        "implicit.nearest_neighbours", reason="needs implicit: pip install implicit"
    )
    session = request.config.stash[SESSION_KEY]
    split, _ = session.loaded
    data, histories, items = split.training_data, split.test.histories, len(split.catalogue)
    settings = {"neighbours": items, "shrink": 0.0, "history_decay": 1.0}
    seconds: list[float] = []

    def ours() -> NDArray[Any]:
        start = time.perf_counter()
        model = create(find_model("item-knn"), seed=0, **settings)
        model.fit(data)
        lists = model.recommend(histories, DEPTH)
        seconds.append(time.perf_counter() - start)
        return lists

    lists = benchmark.pedantic(ours, rounds=3, iterations=1)

    bought, asked = _matrix(data.train, items), _matrix(histories, items)
    start = time.perf_counter()
    rival = nearest.CosineRecommender(K=items, num_threads=1)
    rival.fit(bought, show_progress=False)
    rival_lists, rival_scores = rival.recommend(np.arange(len(histories)), asked, N=DEPTH)
    rival_seconds = time.perf_counter() - start
    rival_lists = np.where(rival_scores > 0, rival_lists, NO_ITEM)

    norms = np.sqrt(np.maximum(bought.sum(axis=0), 1))
    scaled = sparse.csr_array(bought.multiply(1 / norms))
    links = (scaled.T @ scaled).tocsr()
    for user in np.linspace(0, len(histories) - 1, min(CHECKED, len(histories))).astype(int):
        scores = links[np.unique(histories[user])].sum(axis=0)
        found, theirs = (scores[row[row != NO_ITEM]] for row in (lists[user], rival_lists[user]))
        np.testing.assert_allclose(found, theirs, rtol=1e-6)

    our_seconds = float(np.median(seconds))
    info = {
        "users": len(histories),
        "items": items,
        "our_seconds": our_seconds,
        "implicit_seconds": rival_seconds,
        "ratio": rival_seconds / our_seconds,
    }
    benchmark.extra_info.update(info)
    session.speeds.append(("ItemKNN, fit and all lists", info))


def _matrix(sequences: Histories, items: int) -> Any:
    """Sparse (users, items): 1 where a user bought an item."""
    ones = np.ones(len(sequences.items))
    matrix = sparse.csr_matrix(
        (ones, sequences.items.copy(), sequences.indptr.copy()), shape=(len(sequences), items)
    )
    matrix.sum_duplicates()
    matrix.data[:] = 1.0
    return matrix
