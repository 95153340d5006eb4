"""Ranked lists from generated texts: each rule against a plain loop over users."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.retrieval.bm25 import BM25Index
from bench.retrieval.generated import GeneratedTexts
from bench.retrieval.list_rules import retrieve
from bench.retrieval.settings import RetrieveSettings
from bench.schema import NO_ITEM

CATALOGUE = [
    "Title: Rose Soap",  # 0
    "Title: Mint Soap",  # 1
    "Title: Oak Comb",  # 2
    "Title: Red Lipstick",  # 3
    "Title: Oak Brush",  # 4
    "Title: Red Lipstick",  # 5: shares its title with 3
    "Title: Rose Soap Rose Soap Rose",  # 6: BM25 prefers it for the query of 0
    "Title: Sea Scrub",  # 7
]
INDEX = BM25Index.build(CATALOGUE)


def generated(*users: list[tuple[str, float]] | list[str]) -> GeneratedTexts:
    """Texts a user, with log-likelihoods -1, -2, ... unless given; two tokens each."""
    pairs = [
        [entry if isinstance(entry, tuple) else (entry, -1.0 - place) for place, entry in enumerate(user)]
        for user in users
    ]
    flat = [pair for user in pairs for pair in user]
    return GeneratedTexts(
        indptr=np.cumsum([0, *map(len, pairs)]),
        texts=tuple(text for text, _ in flat),
        log_likelihoods=np.array([value for _, value in flat], dtype=np.float64),
        tokens=np.full(len(flat), 2, dtype=np.int32),
        truncated=np.zeros(len(flat), dtype=bool),
        seconds=1.0,
        carried_seconds=0.0,
    )


def rank(made: GeneratedTexts, depth: int, rule: str = "by_likelihood", **given: Any) -> list[list[int]]:
    chosen = RetrieveSettings.model_validate({"list_rule": rule, **given})
    rankings = retrieve(made, INDEX, CATALOGUE, chosen, depth).rankings
    assert rankings.shape == (len(made), depth) and rankings.dtype == np.int32
    return [[int(item) for item in row if item != NO_ITEM] for row in rankings]


@cache
def scored(query: str) -> dict[int, float]:
    """All items that BM25 finds, best first, with their scores."""
    top = INDEX.top_k([query], len(CATALOGUE))
    return {int(i): float(s) for i, s in zip(top.items[0], top.scores[0], strict=True) if i != NO_ITEM}


def best(query: str, depth: int = len(CATALOGUE)) -> list[int]:
    return list(scored(query))[:depth]


def test_published_orders_by_raw_score_and_collapses() -> None:
    made = generated(["Title: Oak", "Title: Red Lipstick", "Title: Oak Comb", "Title: Comb"], ["Title: Mint"])
    top = INDEX.top_k(["Title: Oak", "Title: Red Lipstick", "Title: Oak Comb"], 1)
    assert top.items[:, 0].tolist() == [2, 3, 2]
    expected = [3, 2] if top.scores[1, 0] > top.scores[2, 0] else [2, 3]
    assert rank(made, 5, "published") == [expected, [1]]


def test_published_equal_scores_go_to_the_lower_row() -> None:
    # "Mint" and "Comb" are equally rare, in titles of equal length.
    assert rank(generated(["Comb", "Mint"]), 5, "published") == [[1, 2]]


def test_likelihood_decides_the_first_turn_and_lists_are_filled() -> None:
    made = generated([("Title: Oak Comb", -1.0), ("Title: Mint Soap", -2.0)])
    ranked = rank(made, 6)[0]
    assert ranked[:2] == [2, 1]
    assert ranked[2] == next(item for item in best("Title: Oak Comb") if item not in (2, 1))
    assert len(ranked) == len(set(ranked)) == 6


def test_a_shared_title_stands_for_all_its_items_in_catalogue_order() -> None:
    made = generated(["Title: Red Lipstick", "Title: Sea Scrub"])
    assert rank(made, 3)[0] == [3, 5, 7]
    assert rank(made, 3, "calrec", calrec_weight=1.0)[0][:2] == [3, 5]
    found = retrieve(made, INDEX, CATALOGUE, RetrieveSettings(), 3)
    assert found.items.tolist() == [3, 7]


def test_an_exact_text_is_its_item_even_where_bm25_prefers_another() -> None:
    assert best("Title: Rose Soap")[0] == 6
    made = generated(["Title: Rose Soap"])
    assert rank(made, 2) == [[0, 6]]
    assert rank(made, 1, "published") == [[6]]


def test_calrec_weight_moves_between_likelihood_and_bm25() -> None:
    made = generated([("Title: Oak", -1.0), ("Title: Sea Scrub", -9.0)])
    by_model = rank(made, 2, "calrec", calrec_weight=1.0)[0]
    assert set(by_model) <= set(best("Title: Oak"))
    # With BM25 alone both texts' best items have 1, and the lower row stands first.
    assert rank(made, 2, "calrec", calrec_weight=0.0)[0] == [2, 7]
    # -1 is the best text (L = 1), -9 the worst (L = 0).
    assert rank(made, 2, "calrec", calrec_weight=0.9)[0][0] == 2


def test_no_texts_and_texts_that_find_nothing() -> None:
    made = generated([], ["zzz"], ["Title: Mint"])
    for rule in ("published", "by_likelihood", "calrec"):
        ranked = rank(made, 4, rule)
        assert ranked[0] == ranked[1] == []
        assert ranked[2][0] == 1
    assert retrieve(made, INDEX, CATALOGUE, RetrieveSettings(), 4).items.tolist() == [NO_ITEM, 1]
    assert rank(generated(), 4) == []
    assert rank(generated([], []), 4) == [[], []]


def plain_turns(text: str, depth: int) -> list[list[int]]:
    """The items of one text, turn by turn."""
    exact = [row for row, held in enumerate(CATALOGUE) if held == text]
    found = best(text, depth)
    if not exact:
        return [[item] for item in found]
    # what BM25 ranks up to the first place behind the exact items has the second turn
    return [exact, found[: len(exact) + 1], *([item] for item in found[len(exact) + 1 :])]


def plain_by_likelihood(user: list[str], depth: int) -> list[int]:
    queues = [plain_turns(text, depth) for text in user]
    turns = range(max(map(len, queues), default=0))
    ranked = [item for turn in turns for queue in queues if turn < len(queue) for item in queue[turn]]
    return list(dict.fromkeys(ranked))[:depth]


def plain_modulated(user: list[tuple[str, float]], depth: int, weight: float) -> list[int]:
    values = [value / 2 for _, value in user]
    span = max(values) - min(values)
    places: dict[int, tuple[float, int]] = {}
    for (text, _), value in zip(user, values, strict=True):
        likelihood = (value - min(values)) / span if span else 1.0
        highest = max(scored(text).values(), default=0.0)
        for turn, items in enumerate(plain_turns(text, depth)):
            for item in items:
                match = 1.0 if CATALOGUE[item] == text else scored(text)[item] / highest
                place = (-(weight * likelihood + (1 - weight) * match), turn)
                places[item] = min(place, places.get(item, (1.0, 0)))
    return sorted(places, key=lambda item: (places[item], item))[:depth]


queries = st.one_of(
    st.sampled_from(CATALOGUE),
    st.lists(st.sampled_from("Title: Rose Mint Oak Red Sea Soap Comb zzz".split()), max_size=4).map(" ".join),
)


@given(
    users=st.lists(st.lists(queries, max_size=4), min_size=1, max_size=5),
    depth=st.integers(1, 10),
    values=st.lists(st.floats(-20, -0.1), min_size=4, max_size=4),
    weight=st.sampled_from([0.0, 0.3, 1.0]),
)
@settings(max_examples=60, deadline=None)
def test_rules_agree_with_a_plain_loop(
    users: list[list[str]], depth: int, values: list[float], weight: float
) -> None:
    assert rank(generated(*users), depth) == [plain_by_likelihood(user, depth) for user in users]
    pairs = [list(zip(user, sorted(values, reverse=True), strict=False)) for user in users]
    modulated = rank(generated(*pairs), depth, "calrec", calrec_weight=weight)
    assert modulated == [plain_modulated(user, depth, weight) if user else [] for user in pairs]


@pytest.mark.real_data
def test_all_test_users_of_beauty_in_seconds(real_split: Any) -> None:
    from bench.retrieval.item_text import item_texts

    texts = item_texts(real_split.catalogue)
    index = BM25Index.build(texts)
    rng = np.random.default_rng(0)
    items = rng.integers(0, len(texts), (len(real_split.user_ids), 5))
    made = generated(*([texts[item] for item in row] for row in items.tolist()))
    start = time.perf_counter()
    found = retrieve(made, index, texts, RetrieveSettings(), 50)
    seconds = time.perf_counter() - start
    assert (found.rankings != NO_ITEM).all()
    first = {text: row for row, text in reversed(list(enumerate(texts)))}
    assert found.rankings[:, 0].tolist() == [first[texts[item]] for item in items[:, 0]]
    assert seconds < 60, f"{seconds:.1f} s"  # a few seconds on an idle core
