"""Amazon item metadata of 2014: one Python literal a line -> the items that are needed."""

from __future__ import annotations

import json
import math
from collections.abc import Container
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from bench.datasets.amazon.literals import parse_literal
from bench.errors import DataError
from bench.files.lines import read_blocks

TITLE_WORDS = 25
NO_TITLE_TEXT = "Unknown"

_PREFIX = "{'asin': '"


class Item(NamedTuple):
    """What is kept of one line; None and () where the line says nothing."""

    item_id: str
    title: str | None
    brand: str | None
    categories: tuple[str, ...]
    price: float | None


def read_items(path: Path, needed: Container[str]) -> list[Item]:
    """Give the needed items in file order; an item described twice keeps its first line.

    Raises DataError naming the first line that cannot be used, of those that describe a needed item.
    """
    items: dict[str, Item] = {}
    for block in read_blocks(path):
        for number, line in enumerate(block.lines, start=block.first_line):
            # Most lines of a full file describe items nobody here bought: passed over unparsed.
            if line.startswith(_PREFIX):
                name = line[len(_PREFIX) : line.find("'", len(_PREFIX))]
                if name not in needed and "\\" not in name:
                    continue
            if not line.strip():
                continue
            try:
                item = _item(_parsed(line.strip()))
            except (ValueError, OverflowError) as error:
                raise DataError(f"{path}, line {number}: {error}") from None
            if item.item_id in needed:
                items.setdefault(item.item_id, item)
    return list(items.values())


def _parsed(line: str) -> Any:
    """Read a line as the Python literal that it is in the published files, else as strict JSON."""
    try:
        return parse_literal(line)
    except ValueError:
        try:
            return json.loads(line)
        except (ValueError, RecursionError):
            pass
        raise


def _item(value: Any) -> Item:
    """Check one metadata entry; raises ValueError."""
    if not isinstance(value, dict):
        raise ValueError("not a Python dictionary")
    if "reviewerID" in value:
        raise ValueError("a review, not an item's metadata; are the two files swapped?")
    item_id = value.get("asin")
    if not isinstance(item_id, str) or not item_id:
        raise ValueError(f"'asin' must be a non-empty string, is {value.get('asin')!r:.40}")
    title, brand, price = value.get("title"), value.get("brand"), value.get("price")
    for key, text in (("title", title), ("brand", brand)):
        if text is not None and not isinstance(text, str):
            raise ValueError(f"'{key}' must be a string, is {value.get(key)!r:.40}")
    if price is not None and (type(price) not in (int, float) or not math.isfinite(price)):
        raise ValueError(f"'price' must be a number, is {value.get('price')!r:.40}")
    return Item(
        item_id,
        None if title is None else cut_title(title),
        None if brand is None else _clean_name(brand) or None,
        _category_names(value.get("categories")),
        None if price is None else float(price),
    )


def cut_title(title: str) -> str:
    """Collapse white space and keep the first 25 words; an empty title becomes 'Unknown'."""
    return " ".join(_clean(title).split(" ")[:TITLE_WORDS]) or NO_TITLE_TEXT


def _clean(text: str) -> str:
    """Collapse white space; half characters (lone surrogates), which no file can hold, become '?'."""
    return " ".join(text.encode("utf-8", "replace").decode().split())


_clean_name = lru_cache(maxsize=1 << 14)(_clean)
"""Brands and categories come back often."""


def _category_names(paths: Any) -> tuple[str, ...]:
    """Merge an item's category paths into one tuple of distinct names, in order of appearance."""
    names: dict[str, None] = {}
    if paths is not None and not isinstance(paths, list):
        raise ValueError(f"'categories' must be a list of lists, is {paths!r:.40}")
    for path in paths or ():
        if not isinstance(path, list) or not all(isinstance(name, str) for name in path):
            raise ValueError(f"'categories' must be a list of lists of strings, holds {path!r:.40}")
        names.update(dict.fromkeys(map(_clean_name, path)))
    return tuple(names)
