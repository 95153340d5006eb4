"""From generated texts to ranked lists: every text is a query, and a rule makes one list of the answers.

published      each text's BM25 top 1, ordered by raw BM25 score; equal items collapse, so that a list
               may be short. The published way; scores of different queries favour long titles.
by_likelihood  each text's item, the likeliest text first; then the texts' second items, their third,
               and so on in turn until the list is full (the quasi-round-robin of CALRec,
               arXiv 2405.02429).
calrec         log-likelihood and BM25 modulate each other: item i has the score

                   max over the user's texts t of  w * L(t) + (1 - w) * B(t, i)

               where L(t) is the log-likelihood of t divided by its number of tokens, scaled over the
               user's texts so that the best has 1 and the worst 0; B(t, i) is the BM25 score of i
               for t divided by the best item's, so that the best has 1; w is `calrec_weight`.

A text that is exactly an item's stands for that item, and for all items that share it, in catalogue
order: for `by_likelihood` they come together in the text's first turn, and for `calrec` their B is 1.
`published` knows BM25 only. Equal scores are ranked by lower item row; for `calrec`, by the turn that
`by_likelihood` gives the item, then by row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.retrieval.generated import GeneratedTexts
from bench.retrieval.search_index import SearchIndex
from bench.retrieval.settings import RetrieveSettings
from bench.schema import NO_ITEM, FloatArray, Int32Array, Int64Array, Rankings

_CELLS = 1 << 21
"""Candidates held at a time."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Retrieved:
    """Ranked lists, and what each text stood for."""

    rankings: Rankings
    items: Int32Array
    """(texts,) the item that each text found first, or NO_ITEM."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Matches:
    """The items of distinct texts. A last row stands for no text, so that -1 names it."""

    items: Int32Array
    """(texts + 1, columns): the items whose text it is, then BM25's, NO_ITEM where there is none."""
    exact: int
    """How many columns hold the items whose text it is."""
    scores: NDArray[np.float32]
    """(texts + 1, columns - exact) BM25 scores."""
    turns: Int32Array
    """(texts + 1, columns) the round in which the item has its turn."""
    whole_turns: Int32Array
    """(texts + 1,) rounds of which all items are at hand."""

    @property
    def first(self) -> Int32Array:
        """(texts,) the first item of each text, or NO_ITEM."""
        rows = np.arange(len(self.items) - 1)
        first: Int32Array = self.items[rows, (self.items[:-1] != NO_ITEM).argmax(axis=1)]
        return first


def retrieve(
    generated: GeneratedTexts,
    index: SearchIndex,
    texts: Sequence[str],
    settings: RetrieveSettings,
    depth: int,
) -> Retrieved:
    """Rank for each prompt at most `depth` items; `index` was built over `texts`, the catalogue's."""
    if not generated.texts:
        nothing = np.full((len(generated), depth), NO_ITEM, dtype=np.int32)
        return Retrieved(rankings=nothing, items=np.empty(0, dtype=np.int32))
    number = {text: row for row, text in enumerate(dict.fromkeys(generated.texts))}
    numbers = np.array([number[text] for text in generated.texts], dtype=np.int64)
    table = _table(generated.indptr, numbers, fill=-1)
    queries = list(number)
    exact = _rows_of_texts(queries, texts, depth)
    if settings.list_rule == "published":
        matches = _find(index, queries, [[]] * len(queries), 1)
        rankings = _published(matches, table, depth)
    elif settings.list_rule == "by_likelihood":
        matches = _find(index, queries, exact, min(depth, 2 + 2 * depth // table.shape[1]))
        rankings = _by_likelihood(matches, table, depth)
        short = np.flatnonzero(rankings[:, -1] == NO_ITEM)
        if len(short):
            used, slots = np.unique(np.append(table[short], -1), return_inverse=True)
            deeper = _find(index, [queries[n] for n in used[1:]], [exact[n] for n in used[1:]], depth)
            again = (slots[:-1] - 1).reshape(-1, table.shape[1])
            rankings[short] = _by_likelihood(deeper, again, depth, partial_turns=True)
    else:
        matches = _find(index, queries, exact, depth)
        likelihoods = _table(generated.indptr, generated.log_likelihoods / generated.tokens, fill=np.nan)
        rankings = _modulated(matches, table, likelihoods, settings.calrec_weight, depth)
    return Retrieved(rankings=rankings, items=matches.first[numbers])


def _rows_of_texts(queries: Sequence[str], texts: Sequence[str], limit: int) -> list[list[int]]:
    """For each query the first `limit` catalogue rows whose text it is."""
    rows: dict[str, list[int]] = {query: [] for query in queries}
    for row, text in enumerate(texts):
        held = rows.get(text)
        if held is not None and len(held) < limit:
            held.append(row)
    return list(rows.values())


def _table(indptr: Int64Array, values: NDArray[Any], fill: float) -> NDArray[Any]:
    """(prompts, most texts of a prompt) from CSR."""
    counts = np.diff(indptr)
    table = np.full((len(counts), counts.max()), fill, dtype=values.dtype)
    table[np.arange(table.shape[1]) < counts[:, None]] = values
    return table


def _find(index: SearchIndex, queries: Sequence[str], exact: list[list[int]], width: int) -> _Matches:
    """Find `width` items for each query, behind those whose text it is."""
    top = index.top_k(queries, width)
    counts = np.array([len(rows) for rows in exact] + [0])
    known = np.full((len(counts), counts.max()), NO_ITEM, dtype=np.int32)
    known[np.arange(known.shape[1]) < counts[:, None]] = [row for rows in exact for row in rows]
    places = np.arange(width)
    # BM25 finds the items of an exact text again, mostly in front; what follows them has the next turns.
    turns = np.where(counts[:, None] > 0, np.maximum(places + 1 - counts[:, None], 1), places)
    return _Matches(
        items=np.hstack([known, np.vstack([top.items, np.full((1, width), NO_ITEM, dtype=np.int32)])]),
        exact=known.shape[1],
        scores=np.vstack([top.scores, np.zeros((1, width), dtype=np.float32)]),
        turns=np.hstack([np.zeros_like(known), turns.astype(np.int32)]),
        whole_turns=np.where(counts > 0, np.maximum(width - counts, 0) + 1, width).astype(np.int32),
    )


def _published(matches: _Matches, table: Int64Array, depth: int) -> Rankings:
    items, scores = matches.items[table, 0], matches.scores[table, 0]
    return collapse(items, np.lexsort((items, -scores), axis=-1), depth)


def _by_likelihood(
    matches: _Matches, table: Int64Array, depth: int, *, partial_turns: bool = False
) -> Rankings:
    """Take turns among each user's texts, likeliest first, as far as all texts' items are at hand.

    Without `partial_turns` a list stops before the first round that misses an item, so that a list
    that is full is the list that deeper matches would give.
    """
    lists = np.empty((len(table), depth), dtype=np.int32)
    for users in _chunks(table, matches):
        slots = table[users]
        items, turns = matches.items[slots], matches.turns[slots]
        if not partial_turns:
            limits = np.where(slots >= 0, matches.whole_turns[slots], depth).min(axis=1)
            items = np.where(turns < limits[:, None, None], items, NO_ITEM)
        place = turns * table.shape[1] + np.arange(table.shape[1])[:, None]
        order = place.reshape(len(slots), -1).argsort(axis=1, kind="stable")
        lists[users] = collapse(items.reshape(len(slots), -1), order, depth)
    return lists


def _modulated(
    matches: _Matches, table: Int64Array, likelihoods: FloatArray, weight: float, depth: int
) -> Rankings:
    best = np.maximum(matches.scores.max(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    found = np.hstack([np.ones((len(best), matches.exact)), matches.scores / best])
    # fmin and fmax pass over the places where a user has no text
    low = np.fmin.reduce(likelihoods, axis=1)[:, None]
    span = np.fmax.reduce(likelihoods, axis=1)[:, None] - low
    scaled = np.where(span > 0, (likelihoods - low) / np.where(span > 0, span, 1.0), 1.0)
    lists = np.empty((len(table), depth), dtype=np.int32)
    for users in _chunks(table, matches):
        slots = table[users]
        scores = weight * scaled[users][:, :, None] + (1 - weight) * found[slots]
        items, turns = matches.items[slots], matches.turns[slots]
        keys = (part.reshape(len(slots), -1) for part in (items, turns, -scores))
        lists[users] = collapse(items.reshape(len(slots), -1), np.lexsort(tuple(keys), axis=-1), depth)
    return lists


def _chunks(table: Int64Array, matches: _Matches) -> Iterator[slice]:
    size = max(1, _CELLS // (table.shape[1] * matches.items.shape[1]))
    return (slice(start, start + size) for start in range(0, len(table), size))


def collapse(items: Int32Array, order: Int64Array, depth: int) -> Rankings:
    """Bring (users, candidates) into order, keep each item's first place, and cut at `depth`."""
    ranked = np.take_along_axis(items, order, axis=1)
    by_item = ranked.argsort(axis=1, kind="stable")
    grouped = np.take_along_axis(ranked, by_item, axis=1)
    is_first = np.ones(ranked.shape, dtype=bool)
    is_first[:, 1:] = grouped[:, 1:] != grouped[:, :-1]
    kept = np.empty_like(is_first)
    np.put_along_axis(kept, by_item, is_first, axis=1)
    kept &= ranked != NO_ITEM
    places = kept.cumsum(axis=1) - 1
    kept &= places < depth
    lists = np.full((len(items), depth), NO_ITEM, dtype=np.int32)
    users, columns = np.nonzero(kept)
    lists[users, places[users, columns]] = ranked[users, columns]
    return lists
