"""The published baseline on the real data, to its last printed digit."""

from __future__ import annotations

import math

import numpy as np
import pytest

from baselines.last_item_text import LastItemText
from baselines.popularity_weighted import PopularityWeighted
from baselines.random_items import RandomItems
from baselines.repeat_last import RepeatLast
from bench.metrics.ranking import evaluate
from bench.recommender import Recommender
from bench.schema import NO_ITEM, Rankings, Split

pytestmark = pytest.mark.real_data

PUBLISHED = {"recall@5": 0.04333050, "ndcg@5": 0.02317924, "mrr@5": 0.01647289}
SEEN_REMOVED = {"recall@5": 0.0495, "ndcg@5": 0.0364, "mrr@5": 0.0320}


def lists_of(model: Recommender, split: Split, depth: int = 50) -> Rankings:
    model.fit(split.training_data)
    return model.recommend(split.test.histories, depth)


@pytest.fixture(scope="module")
def last_item_lists(real_split: Split) -> Rankings:
    return lists_of(LastItemText(seed=0), real_split)


def test_the_split_has_the_published_counts(real_split: Split) -> None:
    assert len(real_split.user_ids) == 22_363
    assert len(real_split.catalogue) == 12_094
    assert real_split.interactions == 198_371
    assert len(real_split.train) == len(real_split.test) == 22_363
    assert len(real_split.validation) == 1_118


def test_last_item_text_in_both_views(real_split: Split, last_item_lists: Rankings) -> None:
    metrics = evaluate(real_split, last_item_lists)
    for name, value in PUBLISHED.items():
        assert metrics.seen_kept[name].value == pytest.approx(value, abs=1e-7), name
    for name, value in SEEN_REMOVED.items():
        assert metrics.seen_removed[name].value == pytest.approx(value, abs=5e-5), name


def test_last_item_text_counted_by_hand(real_split: Split, last_item_lists: Rankings) -> None:
    """The same six numbers without the harness's metrics."""
    kept, removed = [], []
    for lists, history, target in zip(
        last_item_lists.tolist(), real_split.test.histories, real_split.test.targets.tolist(), strict=True
    ):
        owned = set(history.tolist())
        unseen = [item for item in lists if item not in owned]
        kept.append(lists[:5].index(target) + 1 if target in lists[:5] else 0)
        removed.append(unseen[:5].index(target) + 1 if target in unseen[:5] else 0)
    for ranks, expected, digits in ((kept, PUBLISHED, 1e-7), (removed, SEEN_REMOVED, 5e-5)):
        hits = [rank for rank in ranks if rank]
        measured = {
            "recall@5": len(hits) / len(ranks),
            "ndcg@5": sum(1 / math.log2(1 + rank) for rank in hits) / len(ranks),
            "mrr@5": sum(1 / rank for rank in hits) / len(ranks),
        }
        assert measured == pytest.approx(expected, abs=digits)


def test_the_last_item_wastes_the_first_place(real_split: Split, last_item_lists: Rankings) -> None:
    histories = real_split.test.histories
    last_items = histories.items[histories.indptr[1:] - 1]
    assert (last_item_lists != NO_ITEM).all()
    assert np.mean(last_item_lists[:, 0] == last_items) > 0.98


def recall_of_five(model: Recommender, split: Split) -> float:
    value = evaluate(split, lists_of(model, split, 5), resamples=10).seen_kept["recall@5"].value
    assert value is not None
    return value


def test_the_drawn_baselines_stay_near_chance(real_split: Split) -> None:
    """Five of 12,094 items: 0.0004. Much more would be a leak."""
    chance = 5 / len(real_split.catalogue)
    spread = 5 * math.sqrt(chance / len(real_split.user_ids))
    assert recall_of_five(RandomItems(seed=0), real_split) == pytest.approx(chance, abs=spread)
    assert chance < recall_of_five(PopularityWeighted(seed=0), real_split) < 0.003
    # nobody buys an item twice, and few histories leave room for other items in a list of five
    assert recall_of_five(RepeatLast(seed=0), real_split) < chance
