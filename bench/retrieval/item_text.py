"""An item as one line of text: what language models read and write, and what BM25 indexes.

In the format `title` an item reads as its data set words it: on Amazon, and of a film with its genres,

    Title: Brightening Gel 1oz.
    Title: Toy Story (1995), Genres: Animation,Children's,Comedy

and in the format `title+category+brand+price`, where a field that is not known is left out,

    Title: Brightening Gel 1oz. | Category: Beauty > Hair Care | Brand: Xtreme Brite | Price: $9.99

An item without a title is "Unknown"; HTML entities stay as the data has them.
"""

from __future__ import annotations

import hashlib
import math
from typing import Literal

from bench.errors import unknown_name
from bench.schema import Catalogue, Wording

ItemFormat = Literal["title", "title+category+brand+price", "plain"]

LAYOUTS = {
    "title": "",  # as the data set words it
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
        return _worded(catalogue)
    columns = zip(catalogue.titles, catalogue.categories, catalogue.brands, catalogue.prices, strict=True)
    return [_full_line(*fields) for fields in columns]


def instruction(wording: Wording, item_format: ItemFormat = "title") -> str:
    """Give the three lines that tell a language model what it reads and what to write."""
    check_format(item_format)
    layout = LAYOUTS[item_format] or wording.layout
    item_line = f"Each item is represented by the following format: {layout}"
    return f"{wording.introduction}\n{item_line}\n{wording.request}"


def text_fingerprint(catalogue: Catalogue) -> str:
    """Give the SHA-256 of what a language model is given of a data set beside the histories.

    That is the instruction and the items' lines, in the format `title`, each on a line of its own.
    """
    lines = [instruction(catalogue.wording), *item_texts(catalogue)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _worded(catalogue: Catalogue) -> list[str]:
    template = catalogue.wording.item
    if template == Wording().item:
        return [_title_field(title) for title in catalogue.titles]
    pairs = zip(catalogue.titles, catalogue.categories, strict=True)
    return [
        template.format(title=_one_line(title) or "Unknown", categories=",".join(map(_one_line, categories)))
        for title, categories in pairs
    ]


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
