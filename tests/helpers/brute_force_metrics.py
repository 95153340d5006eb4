"""Every metric once more, one user at a time with Python sets: slow, plain, and written apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

from bench.schema import NO_ITEM, Catalogue

Lists = Sequence[Sequence[int]]


def seen_removed(lists: Lists, histories: Lists) -> list[list[int]]:
    return [
        [i for i in items if i != NO_ITEM and i not in seen]
        for items, seen in zip(lists, histories, strict=True)
    ]


def quality(items: Sequence[int], target: int, metric: str, cutoff: int) -> float:
    top = [item for item in items if item != NO_ITEM][:cutoff]
    if target not in top:
        return 0.0
    rank = top.index(target) + 1
    return {"recall": 1.0, "ndcg": 1 / math.log2(rank + 1), "mrr": 1 / rank}[metric]


def attributes(catalogue: Catalogue, item: int) -> set[tuple[str, str]]:
    brand = catalogue.brands[item]
    found = {("category", name) for name in catalogue.categories[item]}
    return found | ({("brand", brand)} if brand is not None else set())


def diversity(catalogue: Catalogue, items: Sequence[int], cutoff: int) -> float | None:
    top = [attributes(catalogue, item) for item in items if item != NO_ITEM][:cutoff]
    pairs = list(combinations(top, 2))
    if not pairs:
        return None
    return 1 - sum(len(a & b) / len(a | b) if a | b else 0.0 for a, b in pairs) / len(pairs)


def coverage(catalogue: Catalogue, items: Sequence[int], history: Sequence[int], cutoff: int) -> float | None:
    own = set().union(*(attributes(catalogue, item) for item in history))
    if not own:
        return None
    top = [item for item in items if item != NO_ITEM][:cutoff]
    return len(own & set().union(*(attributes(catalogue, item) for item in top))) / len(own)


def popularity_bias(
    items: Sequence[int], histories: Lists, counts: Sequence[int], cutoff: int
) -> float | None:
    profiles = [sum(counts[i] for i in history) / len(history) for history in histories if history]
    top = [item for item in items if item != NO_ITEM][:cutoff]
    if not top or not sum(profiles):
        return None
    return sum(counts[i] for i in top) / len(top) / (sum(profiles) / len(profiles))


def mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
