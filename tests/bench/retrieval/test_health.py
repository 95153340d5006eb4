"""Generation health, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bench.retrieval.generated import GeneratedTexts
from bench.retrieval.health import generation_health
from bench.retrieval.list_rules import Retrieved
from bench.schema import NO_ITEM


def made(texts: list[str], indptr: list[int], truncated: list[bool], tokens: list[int]) -> GeneratedTexts:
    return GeneratedTexts(
        indptr=np.array(indptr),
        texts=tuple(texts),
        log_likelihoods=np.full(len(texts), -1.0),
        tokens=np.array(tokens, dtype=np.int32),
        truncated=np.array(truncated, dtype=bool),
        seconds=4.0,
        carried_seconds=1.0,
    )


def found(items: list[int], users: int) -> Retrieved:
    return Retrieved(rankings=np.full((users, 5), NO_ITEM, np.int32), items=np.array(items, dtype=np.int32))


def test_three_users_by_hand() -> None:
    # user 0: two different titles; user 1: one title twice and one text that finds nothing; user 2: none
    generated = made(
        ["a", "b", "a", "a", "zz"], [0, 2, 5, 5], [False, False, False, False, True], [3, 4, 3, 3, 7]
    )
    health = generation_health(generated, found([0, 1, 0, 0, NO_ITEM], 3), ["a", "b", "c"], k=2)
    assert health == {
        "exact_texts": pytest.approx(4 / 5),
        "truncated_texts": pytest.approx(1 / 5),
        "texts_per_user": pytest.approx(5 / 3, abs=1e-6),
        "distinct_texts_per_user": pytest.approx(4 / 3, abs=1e-6),
        "distinct_items_per_user": pytest.approx(3 / 3),
        "users_with_2_items": pytest.approx(1 / 3, abs=1e-6),
        "tokens_per_user": pytest.approx(20 / 3, abs=1e-6),
        "tokens_per_second": pytest.approx(20 / 4),
    }


def test_different_texts_may_find_one_item() -> None:
    generated = made(["a", "a!", "a?"], [0, 3], [False] * 3, [1, 1, 1])
    health = generation_health(generated, found([7, 7, 7], 1), ["a"])
    assert health["distinct_texts_per_user"] == 3
    assert health["distinct_items_per_user"] == 1
    assert health["users_with_5_items"] == 0


def test_nothing_generated_is_null_and_not_zero() -> None:
    health = generation_health(made([], [0], [], []), found([], 0), ["a"])
    assert set(health) >= {"exact_texts", "users_with_5_items", "tokens_per_user"}
    assert {name: value for name, value in health.items() if value is not None} == {"tokens_per_second": 0.0}
