"""What every reader hands on: pieces of a submission in one of two shapes, and column names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.schema import FloatArray, Int64Array

USER_NAMES = ("user_id", "user", "userid", "reviewer_id", "reviewerid", "query_id", "qid", "q_id")
ITEM_NAMES = ("item_id", "item", "itemid", "asin", "parent_asin", "doc_id", "docid", "docno")
LIST_NAMES = ("item_ids", "items", "item_id_list", "item_list", "recommendations", "prediction")
SCORE_NAMES = ("score", "scores")
RANK_NAMES = ("rank",)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """One row an item. Rank decides the order if there is one, else score, else the file's order."""

    users: Sequence[str] | Any
    """Strings: a sequence, or an Arrow array."""
    items: Sequence[str] | Any
    ranks: FloatArray | None
    """NaN where the field is no number."""
    scores: FloatArray | None
    lines: Int64Array
    """Line (parquet: row) of each, from 1."""


@dataclass(frozen=True, kw_only=True)
class Lists:
    """One row a user, with the items best first."""

    users: Sequence[str] | Any
    lengths: Int64Array
    items: Sequence[str] | Any
    """All lists' items, one after the other."""
    scores: FloatArray | None
    lines: Int64Array
    """Line (parquet: row) of each list, from 1."""


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """A file's own statement of the data it was made for."""

    value: str


Piece = Rows | Lists | Fingerprint


def find_column(names: Sequence[str], wanted: Sequence[str]) -> int | None:
    """Give the position of the first wanted name, ignoring case and RecBole's ':type' suffixes."""
    plain = [name.strip().lower().split(":")[0] for name in names]
    return next((plain.index(name) for name in wanted if name in plain), None)
