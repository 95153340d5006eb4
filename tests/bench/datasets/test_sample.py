from __future__ import annotations

import time

import numpy as np

from bench.datasets import DATASETS, load
from bench.datasets.sample import NEW_ARRIVALS, make_sample
from bench.datasets.splits import load_split
from bench.schema import Split


def recall_at_5(scores: np.ndarray, targets: np.ndarray) -> float:
    """Share of users whose target is in the top five; equal scores by lower row."""
    top = np.argsort(-scores, axis=1, kind="stable")[:, :5]
    return float((top == targets[:, None]).any(axis=1).mean())


def last_items(split: Split) -> np.ndarray:
    return split.test.histories.items[split.test.histories.indptr[1:] - 1]


def test_content_is_pinned(sample_split: Split) -> None:
    known = DATASETS["sample"].fingerprints
    assert sample_split.fingerprint == known["file"]
    assert load_split("sample", ties="shuffled:0").fingerprint == known["shuffled:0"] != known["file"]


def test_two_calls_agree_and_are_quick() -> None:
    started = time.perf_counter()
    first, second = make_sample(), make_sample()
    assert time.perf_counter() - started < 2.0
    np.testing.assert_array_equal(first.items, second.items)
    np.testing.assert_array_equal(first.timestamps, second.timestamps)


def test_is_a_believable_shop() -> None:
    data = load("sample")
    catalogue = data.catalogue
    assert (len(data.user_ids), len(catalogue)) == (1_000, 400)
    assert data.user_ids == tuple(sorted(data.user_ids))
    assert set(np.unique(data.items)) == set(range(400)), "every item is bought"
    assert all(3 <= len(title.split()) <= 8 for title in catalogue.titles)
    assert all(brand in title for brand, title in zip(catalogue.brands, catalogue.titles, strict=True))
    assert all(len(names) == 2 and all(names) for names in catalogue.categories)
    assert all(price is not None and 1 < price < 50 for price in catalogue.prices)
    pairs = data.users.astype(np.int64) * 400 + data.items
    assert len(np.unique(pairs)) == len(pairs), "no customer buys an item twice"
    in_order = np.lexsort((data.timestamps, data.users))
    np.testing.assert_array_equal(in_order, np.arange(len(data)))


def test_every_kind_of_slice_has_users(sample_split: Split) -> None:
    train_counts = np.bincount(sample_split.train.items, minlength=400)
    assert 50 < sample_split.same_day.sum() < 300
    assert set(np.flatnonzero(train_counts == 0)) == set(NEW_ARRIVALS)
    assert (train_counts[sample_split.test.targets] == 0).sum() >= 10
    titles = np.array(sample_split.catalogue.titles)
    shared = np.isin(
        titles, [t for t, n in zip(*np.unique(titles, return_counts=True), strict=True) if n > 1]
    )
    assert shared.sum() == 4 and shared[sample_split.test.targets].sum() >= 3
    assert len(np.unique(sample_split.test.histories.lengths)) >= 8
    assert len(sample_split.validation) == 50


def test_sequences_teach_far_more_than_popularity(sample_split: Split) -> None:
    """What an item-to-item count learns from the training sequences bounds what a small model can do."""
    train, targets = sample_split.train, sample_split.test.targets
    popularity = np.bincount(train.items, minlength=400).astype(float)
    followed = np.zeros((400, 400))
    inner = np.ones(len(train.items), dtype=bool)
    inner[train.indptr[1:] - 1] = False
    before = np.flatnonzero(inner)
    np.add.at(followed, (train.items[before], train.items[before + 1]), 1.0)
    popular = recall_at_5(np.tile(popularity, (len(targets), 1)), targets)
    learned = recall_at_5(followed[last_items(sample_split)], targets)
    assert popular < 0.06
    assert learned > 0.55


def test_last_items_text_shows_a_part(sample_split: Split) -> None:
    words = [set(title.split()) for title in sample_split.catalogue.titles]
    shared = np.array([[len(a & b) for b in words] for a in words], dtype=float)
    found = recall_at_5(shared[last_items(sample_split)], sample_split.test.targets)
    assert 0.08 < found < 0.5
