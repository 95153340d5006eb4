"""What the trees learn from: each user's last training purchase, asked of counts that have not seen it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baselines.ranker.features import Features, features
from baselines.ranker.shop import Shop
from baselines.text_co_visit import TextCoVisitSettings
from bench.schema import BoolArray, Catalogue, Histories, Int64Array
from bench.tuning.validation import hold_out_last

FOLDS = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class Examples:
    """Candidates of users whose target is among them; nothing could be learned from the others."""

    table: Features
    """(rows, features)."""
    hits: NDArray[np.int8]
    """(rows,) 1 for the target."""
    sizes: Int64Array
    """Rows of each user."""
    folds: NDArray[np.int64]
    """(users,) the fold of each."""

    def of(self, users: BoolArray) -> Examples:
        """Give some users' rows."""
        rows = np.repeat(users, self.sizes)
        return Examples(
            table=self.table[rows], hits=self.hits[rows], sizes=self.sizes[users], folds=self.folds[users]
        )


def make_examples(
    train: Histories, catalogue: Catalogue, settings: TextCoVisitSettings, candidates: int, seed: int
) -> Examples:
    """Draw users into folds; for each fold count the shop without its users' last purchases, and ask."""
    able = np.flatnonzero(train.lengths >= 2)
    drawn = np.random.Generator(np.random.PCG64(seed)).permutation(len(able)) % FOLDS
    tables, hits, sizes, folds = [], [], [], []
    for fold in range(FOLDS):
        rows = able[drawn == fold]
        if not len(rows):
            continue
        rest, asked = hold_out_last(train, rows)
        shop = Shop.count(rest, catalogue, settings)
        requests = asked.requests
        lists = shop.candidates.rank(requests, candidates)
        found = np.flatnonzero((lists == asked.targets[:, None]).any(axis=1))
        lists, wanted = lists[found], asked.targets[found]
        present = lists >= 0
        tables.append(features(shop, requests.take(found), lists)[present])
        hits.append((lists == wanted[:, None])[present].astype(np.int8))
        sizes.append(present.sum(axis=1))
        folds.append(np.full(len(found), fold))
    return Examples(
        table=np.concatenate(tables),
        hits=np.concatenate(hits),
        sizes=np.concatenate(sizes),
        folds=np.concatenate(folds),
    )
