"""Speed of BM25 retrieval against rank-bm25, per query at equal top 20, in one run.

Run it with `pytest bench --benchmark -k bm25 --dataset beauty2014`.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from typing import Any

import numpy as np
import pytest

from bench.retrieval.bm25 import BM25Index
from bench.retrieval.item_text import item_texts
from bench.run.plugin import SESSION_KEY

DEPTH = 20
RIVAL_QUERIES = 20
"""rank-bm25 takes tens of milliseconds a query, so a few are enough for its mean."""
K1 = 1.5


def test_bm25_retrieval(benchmark: Any, request: pytest.FixtureRequest) -> None:
    """Search with every item that a test history ends in; both sides must find the same top 20."""
    rank_bm25 = pytest.importorskip("rank_bm25", reason="needs rank-bm25: pip install rank-bm25")
    import bm25s

    session = request.config.stash[SESSION_KEY]
    split, _ = session.loaded
    texts = item_texts(split.catalogue)
    histories = split.test.histories
    queries = list(dict.fromkeys(texts[item] for item in histories.items[histories.indptr[1:] - 1]))
    index = BM25Index.build(texts)
    seconds: list[float] = []

    def retrieve() -> Any:
        start = time.perf_counter()
        found = index.top_k(queries, DEPTH)
        seconds.append(time.perf_counter() - start)
        return found

    found = benchmark.pedantic(retrieve, rounds=5, iterations=1, warmup_rounds=1)

    words = bm25s.tokenize(texts, return_ids=False, show_progress=False)
    rival = rank_bm25.BM25Okapi(words, k1=K1)
    _use_lucene_idf(rival)
    asked = np.linspace(0, len(queries) - 1, RIVAL_QUERIES).astype(int)
    asked_words = bm25s.tokenize([queries[row] for row in asked], return_ids=False, show_progress=False)
    start = time.perf_counter()
    rival_scores = [rival.get_scores(query) for query in asked_words]
    rival_lists = [np.argsort(-scores, kind="stable")[:DEPTH] for scores in rival_scores]
    rival_ms = (time.perf_counter() - start) / RIVAL_QUERIES * 1e3
    for row, scores, theirs in zip(asked, rival_scores, rival_lists, strict=True):
        # Okapi's scores are k1 + 1 times Lucene's; float32 may swap documents that are equal but for rounding
        np.testing.assert_allclose(found.scores[row], scores[theirs] / (K1 + 1), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(scores[found.items[row]], scores[theirs], rtol=1e-4, atol=1e-6)

    our_ms = float(np.median(seconds)) / len(queries) * 1e3
    info = {
        "queries": len(queries),
        "documents": len(texts),
        "our_ms_per_query": our_ms,
        "rank_bm25_ms_per_query": rival_ms,
        "ratio": rival_ms / our_ms,
    }
    benchmark.extra_info.update(info)
    session.speeds.append(("BM25 retrieval, top 20", info))


def _use_lucene_idf(okapi: Any) -> None:
    """Give rank-bm25 the idf of the Lucene variant, so that both sides rank by one formula."""
    holders = Counter(word for document in okapi.doc_freqs for word in document)
    for word, count in holders.items():
        okapi.idf[word] = math.log(1 + (okapi.corpus_size - count + 0.5) / (count + 0.5))
