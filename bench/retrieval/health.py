"""Generation health: whether a model writes what it should, and how many lists collapse."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.retrieval.generated import GeneratedTexts
from bench.retrieval.list_rules import Retrieved
from bench.schema import NO_ITEM, Int32Array, Int64Array


def generation_health(
    generated: GeneratedTexts, retrieved: Retrieved, texts: Sequence[str], *, k: int = 5
) -> dict[str, float | None]:
    """Describe the texts of all users; `texts` are the catalogue's. Null where there are no texts.

    - exact_texts, truncated_texts: share of texts that are a catalogue item's, that were cut.
    - texts_per_user, distinct_texts_per_user, distinct_items_per_user: means; the items are those
      that the texts found first.
    - users_with_{k}_items: share of users whose texts found at least k distinct items first.
    - tokens_per_user, tokens_per_second: of the texts that were kept, not of beams given up.
    """
    written, count = len(generated.texts), len(generated)
    users = np.repeat(np.arange(count), np.diff(generated.indptr))
    number = {text: row for row, text in enumerate(dict.fromkeys(generated.texts))}
    text_numbers = np.array([number[text] for text in generated.texts], dtype=np.int64)
    found = retrieved.items != NO_ITEM
    items = _distinct_per_user(users[found], retrieved.items[found], count)
    catalogue = set(texts)
    tokens = int(generated.tokens.sum())
    return {
        "exact_texts": _ratio(sum(text in catalogue for text in generated.texts), written),
        "truncated_texts": _ratio(int(generated.truncated.sum()), written),
        "texts_per_user": _ratio(written, count),
        "distinct_texts_per_user": _ratio(int(_distinct_per_user(users, text_numbers, count).sum()), count),
        "distinct_items_per_user": _ratio(int(items.sum()), count),
        f"users_with_{k}_items": _ratio(int((items >= k).sum()), count),
        "tokens_per_user": _ratio(tokens, count),
        "tokens_per_second": _ratio(tokens, generated.seconds),
    }


def _distinct_per_user(users: Int64Array, values: Int64Array | Int32Array, count: int) -> Int64Array:
    pairs = np.unique(np.stack([users, values]), axis=1)
    return np.bincount(pairs[0], minlength=count)


def _ratio(part: int, whole: float) -> float | None:
    return round(part / whole, 6) if whole else None
