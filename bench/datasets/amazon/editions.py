"""Which edition of the Amazon review data two files are of, whatever their names say, and how it is read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.datasets.amazon.files import read_amazon
from bench.datasets.amazon.literals import parse_literal
from bench.datasets.own.build import build
from bench.datasets.own.faults import Faults
from bench.datasets.own.join import Options
from bench.datasets.own.table_files import Table
from bench.files.lines import read_blocks
from bench.schema import Interactions

EDITION_2014, EDITION_2018, EDITION_2023 = "2014", "2018", "2023"
COLUMNS = {
    EDITION_2018: {"user": "reviewerID", "item": "asin", "time": "unixReviewTime", "title": "title",
                   "brand": "brand", "category": "category", "price": "price"},
    EDITION_2023: {"user": "user_id", "item": "parent_asin", "time": "timestamp", "title": "title",
                   "brand": "store", "category": "categories", "price": "price"},
}  # fmt: skip


def read_category(paths: Sequence[Path]) -> Interactions:
    """Read reviews and metadata by the rules of the edition that they are of, which the result names."""
    reviews, metadata = paths
    edition = edition_of(reviews, metadata)
    if edition == EDITION_2014:
        found = read_amazon(reviews, metadata)
    else:
        options = Options(interactions=(reviews,), items=metadata, columns=COLUMNS[edition])
        found = build(options, Faults())
    return replace(found, edition=edition)


def read_official_split(paths: Sequence[Path]) -> Interactions:
    """Read the source's own train, valid and test files of 2023, and the metadata."""
    *parts, metadata = paths
    options = Options(interactions=tuple(parts), items=metadata, columns=COLUMNS[EDITION_2023])
    return replace(build(options, Faults()), edition=EDITION_2023)


def edition_of(reviews: Path, metadata: Path) -> str:
    """Tell the edition by the fields of the first review and, where those do not tell, the first item."""
    review = _first_row(reviews)
    if {"user_id", "parent_asin"} <= review.keys():
        return EDITION_2023
    if "verified" in review or ("reviewerID" in review and "category" in _first_row(metadata)):
        return EDITION_2018
    return EDITION_2014


def _first_row(path: Path) -> dict[str, Any]:
    """Give the fields of the first line; none where it cannot be read, which its reader will explain."""
    line = next((line for block in read_blocks(path) for line in block.lines if line.strip()), "")
    if not line.startswith("{"):
        return dict.fromkeys(Table(path).headers)
    for parse in (json.loads, parse_literal):
        try:
            row = parse(line)
        except (ValueError, RecursionError):
            continue
        return row if isinstance(row, dict) else {}
    return {}
