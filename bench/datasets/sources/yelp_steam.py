"""Sources whose files are tables as people have them: each says which column is what, `own.build` reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.datasets.own.build import build
from bench.datasets.own.faults import Faults
from bench.datasets.own.join import Options
from bench.schema import Interactions


def read_yelp(paths: Sequence[Path]) -> Interactions:
    """Read Yelp's reviews and businesses."""
    return _read(paths, user="user_id", item="business_id", time="date", title="name", category="categories")


def read_steam(paths: Sequence[Path]) -> Interactions:
    """Read Steam's reviews and games; reviewers are known by name, as not all have a number.

    The published files hold Python literals, copies of them JSON; both are read.
    """
    reviews, games = paths
    columns = {"user": "username", "item": "product_id", "time": "date", "key": "id", "title": "app_name",
               "brand": "developer", "category": "genres", "price": "price"}  # fmt: skip
    return build(Options(interactions=(reviews,), items=games, columns=columns, literals=True), Faults())


def _read(paths: Sequence[Path], **columns: str) -> Interactions:
    interactions, items = paths
    return build(Options(interactions=(interactions,), items=items, columns=columns), Faults())
