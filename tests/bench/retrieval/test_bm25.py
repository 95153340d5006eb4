"""BM25 retrieval against the formula, rank-bm25 and exact arithmetic."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from collections import Counter
from fractions import Fraction
from pathlib import Path

import bm25s
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rank_bm25 import BM25Okapi

from bench.datasets.own.shops import Shop, make_shop
from bench.retrieval import bm25
from bench.retrieval.bm25 import BM25Index
from bench.retrieval.item_text import item_texts
from bench.schema import NO_ITEM, Split

WORDS = ["soap", "comb", "rose", "oak", "the", "x", "red", "mint"]
"""Few enough that equal texts and equal scores are common; 'the' is a stop word, 'x' is too short."""

texts_strategy = st.lists(st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join), min_size=1, max_size=12)
query_strategy = st.lists(st.sampled_from([*WORDS, "unheard"]), max_size=6).map(" ".join)


def words(text: str) -> list[str]:
    found = re.findall(r"\b\w\w+\b", text.lower())
    return [word for word in found if word not in bm25s.stopwords.STOPWORDS_EN]


def lucene_scores(texts: list[str], query: str) -> np.ndarray:
    """The Lucene variant, written out: sum of ln(1 + (N-n+.5)/(n+.5)) * tf / (tf + k1 (1-b + b L/avgL))."""
    documents = [Counter(words(text)) for text in texts]
    lengths = [sum(document.values()) for document in documents]
    average = sum(lengths) / len(lengths)
    scores = np.zeros(len(texts))
    for word in words(query):
        holders = sum(word in document for document in documents)
        idf = math.log(1 + (len(texts) - holders + 0.5) / (holders + 0.5))
        for row, (document, length) in enumerate(zip(documents, lengths, strict=True)):
            if word in document:
                tf = document[word]
                scores[row] += idf * tf / (tf + 1.5 * (0.25 + 0.75 * length / average))
    return scores


def exact_ranking(texts: list[str], query: str) -> list[tuple[int, float]]:
    """Rank by exact sums of bm25s's own float32 entries, rounded to float32 once, then by row."""
    tokens = bm25s.tokenize(texts, show_progress=False)
    if not tokens.vocab:
        return []
    model = bm25s.BM25()
    model.index(tokens, show_progress=False)
    sums = [Fraction(0)] * len(texts)
    for token in model.get_tokens_ids(words(query)):
        start, stop = model.scores["indptr"][token : token + 2]
        for row, value in zip(
            model.scores["indices"][start:stop], model.scores["data"][start:stop], strict=True
        ):
            sums[row] += Fraction(float(value))
    scores = [np.float32(float(total)) for total in sums]
    found = [(row, score) for row, score in enumerate(scores) if score > 0]
    return [(row, float(score)) for row, score in sorted(found, key=lambda pair: (-pair[1], pair[0]))]


def retrieved(found: bm25.TopK, row: int = 0) -> list[tuple[int, float]]:
    pairs = zip(found.items[row].tolist(), found.scores[row].tolist(), strict=True)
    return [(item, score) for item, score in pairs if item != NO_ITEM]


@given(texts_strategy, st.lists(query_strategy, max_size=12), st.integers(1, 15))
@settings(max_examples=150, deadline=None)
def test_equals_exact_arithmetic_ties_included(texts: list[str], queries: list[str], depth: int) -> None:
    found = BM25Index.build(texts).top_k(queries, depth)
    assert found.items.shape == found.scores.shape == (len(queries), depth)
    assert (found.items.dtype, found.scores.dtype) == (np.int32, np.float32)
    for row, query in enumerate(queries):
        expected = exact_ranking(texts, query)[:depth]
        assert retrieved(found, row) == expected
        assert (found.items[row, len(expected) :] == NO_ITEM).all()
        assert (found.scores[row, len(expected) :] == 0).all()


@given(texts_strategy, query_strategy)
@settings(max_examples=100, deadline=None)
def test_scores_follow_the_formula(texts: list[str], query: str) -> None:
    found = dict(retrieved(BM25Index.build(texts).top_k([query], len(texts))))
    expected = lucene_scores(texts, query)
    assert set(found) == set(np.flatnonzero(expected).tolist())
    for row, score in found.items():
        assert score == pytest.approx(expected[row], rel=1e-5)


@given(texts_strategy, query_strategy, st.randoms())
@settings(max_examples=50, deadline=None)
def test_the_order_of_words_does_not_matter(texts: list[str], query: str, random: object) -> None:
    index = BM25Index.build(texts)
    shuffled = query.split()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert retrieved(index.top_k([query], 12)) == retrieved(index.top_k([" ".join(shuffled)], 12))


@pytest.mark.parametrize("cells", [1, 40, 1 << 20])
@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("few", [0, 100])
def test_chunks_common_tokens_and_few_queries_change_nothing(
    sample_split: Split, monkeypatch: pytest.MonkeyPatch, cells: int, share: float, few: int
) -> None:
    texts = item_texts(sample_split.catalogue)
    queries = [*texts[:60], "Title: matcha", "nothing known", "Title: " + "tea " * 9, texts[3]]
    expected = BM25Index.build(texts).top_k(queries, 20)
    monkeypatch.setattr(bm25, "CELLS_PER_CHUNK", cells)
    monkeypatch.setattr(bm25, "COMMON_SHARE", share)
    monkeypatch.setattr(bm25, "FEW_QUERIES", few)
    found = BM25Index.build(texts).top_k(queries, 20)
    assert np.array_equal(found.items, expected.items)
    assert np.array_equal(found.scores, expected.scores)


@given(
    texts_strategy,
    st.lists(query_strategy, max_size=12),
    st.integers(1, 15),
    st.sampled_from([0.0, 0.4, 1.0]),
    st.sampled_from([0, 16, 1000]),
)
@settings(max_examples=300, deadline=None)
def test_pruning_changes_no_list(
    texts: list[str], queries: list[str], depth: int, share: float, look_up: int
) -> None:
    pruned = pytest.importorskip("bench.retrieval.pruned", reason="needs numba: pip install numba")
    expected = BM25Index.build(texts).top_k(queries, depth)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bm25, "MANY_POSTINGS", -1)
        patch.setattr(bm25, "FEW_QUERIES", 0)
        patch.setattr(bm25, "COMMON_SHARE", share)
        patch.setattr(pruned, "LOOK_UP", look_up)
        found = BM25Index.build(texts).top_k(queries, depth)
    assert np.array_equal(found.items, expected.items)
    assert np.array_equal(found.scores, expected.scores)


def test_pruning_changes_no_list_of_a_large_shop(monkeypatch: pytest.MonkeyPatch) -> None:
    pruned = pytest.importorskip("bench.retrieval.pruned", reason="needs numba: pip install numba")
    shop = make_shop(Shop(users=10, items=4_000, duplicate_titles=0.1))
    index = BM25Index.build(item_texts(shop.catalogue))
    queries = [*item_texts(shop.catalogue)[::9], "Title: Title: Set Set Set unheard", "Title:", ""]
    expected = index.top_k(queries, 50)
    monkeypatch.setattr(bm25, "MANY_POSTINGS", 0)
    monkeypatch.setattr(pruned, "QUERIES_PER_TASK", 100)  # several threads at work
    found = index.top_k(queries, 50)
    assert np.array_equal(found.items, expected.items)
    assert np.array_equal(found.scores, expected.scores)


def mapped_rank_bm25(texts: list[str]) -> BM25Okapi:
    """rank-bm25's Okapi with Lucene's idf; its scores are then (k1 + 1) times Lucene's."""
    okapi = BM25Okapi([words(text) for text in texts], k1=1.5, b=0.75)
    holders = Counter(word for document in okapi.doc_freqs for word in document)
    for word, count in holders.items():
        okapi.idf[word] = math.log(1 + (len(texts) - count + 0.5) / (count + 0.5))
    return okapi


def assert_agrees_with_rank_bm25(texts: list[str], queries: list[str], depth: int) -> None:
    okapi = mapped_rank_bm25(texts)
    found = BM25Index.build(texts).top_k(queries, depth)
    for row, query in enumerate(queries):
        theirs = okapi.get_scores(words(query)) / 2.5
        order = np.lexsort((np.arange(len(texts)), -theirs.round(5)))[:depth]
        ours = found.items[row]
        assert found.scores[row] == pytest.approx(theirs[order], abs=2e-5)
        assert theirs[ours] == pytest.approx(theirs[order], abs=2e-5)


def test_agrees_with_rank_bm25_on_the_sample(sample_split: Split) -> None:
    texts = item_texts(sample_split.catalogue)
    assert_agrees_with_rank_bm25(texts, texts[::7], 20)


@pytest.mark.real_data
def test_agrees_with_rank_bm25_on_beauty(real_split: Split) -> None:
    texts = item_texts(real_split.catalogue)
    assert_agrees_with_rank_bm25(texts, texts[::800], 20)


def test_equal_scores_rank_by_lower_row() -> None:
    texts = ["Title: red soap", "Title: oak comb", "Title: red soap", "Title: red soap"]
    found = BM25Index.build(texts).top_k(["Title: red soap"], 3)
    assert found.items.tolist() == [[0, 2, 3]]
    assert found.scores[0, 0] == found.scores[0, 1] == found.scores[0, 2]


def test_a_document_without_a_shared_word_is_never_returned() -> None:
    index = BM25Index.build(["red soap", "oak comb", "oak brush", "mint tea"])
    assert index.top_k(["oak"], 4).items.tolist() == [[1, 2, NO_ITEM, NO_ITEM]]
    assert index.top_k(["unheard of", "the", "", "x y z"], 2).items.tolist() == [[NO_ITEM] * 2] * 4


def test_duplicate_queries_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    index = BM25Index.build(["red soap", "oak comb", "red comb"])
    expected = index.top_k(["red comb"], 3)
    asked: list[list[str]] = []
    tokenize = bm25s.tokenize
    monkeypatch.setattr(
        bm25s, "tokenize", lambda texts, **rest: asked.append(texts) or tokenize(texts, **rest)
    )
    found = index.top_k(["red comb", "oak", "red comb", "oak", "red comb"], 3)
    assert asked == [["red comb", "oak"]]
    assert found.items[[0, 2, 4]].tolist() == expected.items.tolist() * 3


def test_edges() -> None:
    index = BM25Index.build(["red soap"])
    assert index.top_k(["soap"], 3).items.tolist() == [[0, NO_ITEM, NO_ITEM]]
    assert index.top_k([], 3).items.shape == (0, 3)
    nothing = BM25Index.build(["", "the", "a b"])
    assert nothing.top_k(["the", "soap"], 2).items.tolist() == [[NO_ITEM] * 2] * 2
    with pytest.raises(ValueError, match="at least one text"):
        BM25Index.build([])
    with pytest.raises(ValueError, match="depth must be at least 1, got 0"):
        index.top_k(["soap"], 0)


def test_jax_is_not_started(tmp_path: Path) -> None:
    """Where JAX is installed, bm25s would start it, and it would take most of a GPU's memory."""
    package = tmp_path / "jax"
    package.mkdir()
    (package / "__init__.py").write_text("print('started')\n", encoding="utf-8")
    (package / "lax.py").write_text("def top_k(scores, k): print('used')\n", encoding="utf-8")
    script = "import bench.retrieval.bm25; print('mine'); import jax.lax"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["mine", "started"]  # the user's own import still works
