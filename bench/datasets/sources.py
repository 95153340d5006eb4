"""Sources whose files are tables as people have them: each says which column is what, `own.build` reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.datasets.own.build import build
from bench.datasets.own.faults import Faults
from bench.datasets.own.join import Options
from bench.schema import Interactions


def read_amazon_2018(paths: Sequence[Path]) -> Interactions:
    """Read reviews and metadata of 2018; a user's repeated review of an item at one time counts once."""
    return _read(paths, user="reviewerID", item="asin", time="unixReviewTime", title="title", brand="brand",
                 category="category", price="price")  # fmt: skip


def read_amazon_2023(paths: Sequence[Path]) -> Interactions:
    """Read the 5-core ratings of 2023 and the metadata; an item is the parent of its variants."""
    return _read(paths, **_COLUMNS_2023)


def read_amazon_2023_split(paths: Sequence[Path]) -> Interactions:
    """Read the source's own train, valid and test files of 2023."""
    *parts, metadata = paths
    return build(Options(interactions=tuple(parts), items=metadata, columns=_COLUMNS_2023), Faults())


def read_yelp(paths: Sequence[Path]) -> Interactions:
    """Read Yelp's reviews and businesses."""
    return _read(paths, user="user_id", item="business_id", time="date", title="name", category="categories")


def read_steam(paths: Sequence[Path]) -> Interactions:
    """Read Steam's reviews and games; reviewers are known by name, as not all have a number."""
    reviews, games = paths
    columns = {"user": "username", "item": "product_id", "time": "date", "key": "id", "title": "app_name",
               "brand": "developer", "category": "genres", "price": "price"}  # fmt: skip
    return build(Options(interactions=(reviews,), items=games, columns=columns), Faults())


_COLUMNS_2023: Mapping[str, str] = {
    "user": "user_id", "item": "parent_asin", "time": "timestamp", "title": "title", "brand": "store",
    "category": "categories", "price": "price",
}  # fmt: skip


def _read(paths: Sequence[Path], **columns: str) -> Interactions:
    interactions, items = paths
    return build(Options(interactions=(interactions,), items=items, columns=columns), Faults())
