"""An item as one line of text: what language models read and write, and what BM25 indexes.

In the format `title` an item reads

    Title: Brightening Gel 1oz.

and in the format `title+category+brand+price`, where a field that is not known is left out,

    Title: Brightening Gel 1oz. | Category: Beauty > Hair Care | Brand: Xtreme Brite | Price: $9.99

An item without a title is "Unknown"; HTML entities stay as the data has them.
"""

from __future__ import annotations

import math
from typing import Literal

from bench.errors import unknown_name
from bench.schema import Catalogue

ItemFormat = Literal["title", "title+category+brand+price", "plain"]

LAYOUTS = {
    "title": "Title: <item title>",
    "title+category+brand+price": (
        "Title: <item title> | Category: <category path> | Brand: <brand> | Price: <price> "
        "(a field that is not known is left out)"
    ),
}
"""How an item's line is described to a language model, by format."""


def item_texts(catalogue: Catalogue, item_format: ItemFormat = "title") -> list[str]:
    """Give each item's line, in catalogue order; white space inside a field becomes single spaces."""
    check_format(item_format)
    if item_format == "title":
        return [_title_field(title) for title in catalogue.titles]
    columns = zip(catalogue.titles, catalogue.categories, catalogue.brands, catalogue.prices, strict=True)
    return [_full_line(*fields) for fields in columns]


def check_format(item_format: str) -> None:
    """Raise ConfigError for a format that there is not."""
    if item_format not in LAYOUTS:
        raise unknown_name("item format", item_format, LAYOUTS)


def _full_line(title: str, category: tuple[str, ...], brand: str | None, price: float | None) -> str:
    fields = [_title_field(title)]
    if category:
        fields.append(f"Category: {' > '.join(map(_one_line, category))}")
    if brand:
        fields.append(f"Brand: {_one_line(brand)}")
    if price is not None and math.isfinite(price):
        fields.append(f"Price: ${price:.2f}")
    return " | ".join(fields)


def _title_field(title: str) -> str:
    return f"Title: {_one_line(title) or 'Unknown'}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
