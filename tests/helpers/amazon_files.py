"""Writes small raw files in the published layouts."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.datasets.amazon.files import read_amazon
from bench.schema import Interactions

DAY = 86_400


def review(user: str, item: str, day: int, **fields: Any) -> dict[str, Any]:
    """One review with every field of the published files."""
    full = {
        "reviewerID": user,
        "asin": item,
        "reviewerName": 'Ann "A" \u00e9',
        "helpful": [0, 1],
        "reviewText": "I said: {'asin': 'X'}\nand \"asin\": \"Y\"",
        "overall": 5.0,
        "summary": "fine",
        "unixReviewTime": day * DAY,
        "reviewTime": "01 1, 2014",
    }
    return {**full, **fields}


def json_lines(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def literal_lines(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return "".join(repr(dict(row)) + "\n" for row in rows).encode()


def write_pair(folder: Path, reviews: bytes, metadata: bytes, *, packed: bool = True) -> tuple[Path, Path]:
    """Write both files, gzipped or plain, under a category name of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "reviews_Toy_5.json.gz", folder / "meta_Toy.json.gz"
    for path, data in zip(paths, (reviews, metadata), strict=True):
        path.write_bytes(gzip.compress(data) if packed else data)
    return paths


def read_rows(
    folder: Path, reviews: Sequence[Mapping[str, Any]], items: Sequence[Mapping[str, Any]]
) -> Interactions:
    """Write the rows as raw files and read them."""
    return read_amazon(*write_pair(folder, json_lines(reviews), literal_lines(items)))
