"""What simple rules reach on a split, so that more is not read into a model's figures."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.schema import Histories, Int32Array, Int64Array, Split

LEAST = 5
"""Times an item must be followed to be looked at."""
CUTOFF = 10
ASKED = 5_000
"""Test users looked at, spread evenly."""
PAIRS = 20_000
_SEED = 0


class Reached(NamedTuple):
    """Recall@10 of a table of followers, asked in several ways."""

    last: float
    """For the last item of the history."""
    shuffled: float
    """For an item of the history drawn at random, which is the last one of a shuffled history."""
    whole: float
    """For all items of the history, the sum."""


def followers(split: Split) -> tuple[float | None, float]:
    """Share of what follows an item that is its most frequent follower; and with sequences shuffled.

    Means over the items followed five times or more, weighted by how often; None where there is none.
    """
    rng = np.random.default_rng(_SEED)
    shares = []
    for items in (split.train.items, _shuffled(split.train, rng)):
        table = _table(split.train, items, len(split.catalogue))
        totals = np.asarray(table.sum(axis=1)).ravel()
        most = np.asarray(table.max(axis=1).todense()).ravel()
        looked_at = totals >= LEAST
        shares.append(float(most[looked_at].sum() / totals[looked_at].sum()) if looked_at.any() else None)
    return shares[0], shares[1] or 0.0


def neighbour_similarity(split: Split) -> tuple[float, float]:
    """Mean share of words that the titles of neighbours have in common, and of random pairs (Jaccard)."""
    rng = np.random.default_rng(_SEED)
    items, inside = split.train.items, _inside(split.train)
    places = np.flatnonzero(inside)
    if not len(places):
        return 0.0, 0.0
    chosen = rng.choice(places, size=min(PAIRS, len(places)), replace=False)
    near = list(zip(items[chosen].tolist(), items[chosen + 1].tolist(), strict=True))
    drawn = rng.choice(items, size=(len(chosen), 2)).tolist()
    words = {item: _words(split.catalogue.titles[item]) for pair in [*near, *drawn] for item in pair}
    return _jaccard(near, words), _jaccard([(a, b) for a, b in drawn], words)


def last_item_losses(split: Split) -> Reached:
    """Ask a table of followers in order, in random order, and for the whole history."""
    import scipy.sparse as sp

    rng = np.random.default_rng(_SEED)
    count = len(split.test)
    rows = np.unique(np.linspace(0, count - 1, num=min(count, ASKED)).astype(np.int64))
    histories, targets = split.test.histories.take(rows), split.test.targets[rows]
    asked = histories.lengths > 0
    histories, targets = histories.take(np.flatnonzero(asked)), targets[asked]
    table = _table(split.train, split.train.items, len(split.catalogue))
    last = histories.items[histories.indptr[1:] - 1]
    drawn = histories.items[histories.indptr[:-1] + rng.integers(histories.lengths)]
    owned = sp.csr_array(
        (np.ones(len(histories.items)), histories.items.copy(), histories.indptr.copy()),
        shape=(len(histories), len(split.catalogue)),
    )
    return Reached(
        last=_recall(table[last], owned, targets),
        shuffled=_recall(table[drawn], owned, targets),
        whole=_recall((owned @ table).tocsr(), owned, targets),
    )


def _recall(scores: Any, owned: Any, targets: Int32Array) -> float:
    """Share of rows whose target is among the first ten scores above 0, what the user has left out."""
    scores = (scores - scores.multiply(owned > 0)).tocsr()
    scores.eliminate_zeros()
    rows = np.repeat(np.arange(scores.shape[0]), np.diff(scores.indptr))
    own = np.zeros(scores.shape[0])
    is_target = scores.indices == targets[rows]
    own[rows[is_target]] = scores.data[is_target]
    ahead = (scores.data > own[rows]) | ((scores.data == own[rows]) & (scores.indices < targets[rows]))
    better = np.bincount(rows[ahead], minlength=scores.shape[0])
    return float(((own > 0) & (better < CUTOFF)).mean()) if len(own) else 0.0


def _table(histories: Histories, items: Int32Array, count: int) -> Any:
    """(items, items) how often one directly follows the other in these sequences."""
    import scipy.sparse as sp

    inside = _inside(histories)
    pairs = items[:-1][inside[:-1]], items[1:][inside[:-1]]
    return sp.csr_array((np.ones(len(pairs[0])), pairs), shape=(count, count))


def _inside(histories: Histories) -> NDArray[np.bool_]:
    """Mark the purchases that another one of the same user follows."""
    inside = np.ones(len(histories.items), dtype=np.bool_)
    inside[histories.indptr[1:][histories.lengths > 0] - 1] = False
    return inside


def _shuffled(histories: Histories, rng: np.random.Generator) -> Int32Array:
    """Give the items with every user's in random order."""
    owners: Int64Array = np.repeat(np.arange(len(histories)), histories.lengths)
    return histories.items[np.lexsort((rng.random(len(owners)), owners))]


def _words(title: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", title.lower()))


def _jaccard(pairs: list[tuple[int, int]], words: dict[int, frozenset[str]]) -> float:
    shares = [len(words[a] & words[b]) / max(1, len(words[a] | words[b])) for a, b in pairs]
    return float(np.mean(shares))
