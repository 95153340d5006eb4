"""Purchase histories and items as text: what the language model reads and writes.

An item is one line. In the format `title` it reads

    Title: Brightening Gel 1oz.

and in the format `title+category+brand+price`, where a field that is not known is left out,

    Title: Brightening Gel 1oz. | Category: Beauty > Hair Care | Brand: Xtreme Brite | Price: $9.99

A prompt is an instruction, the purchase history with one such line an item (oldest first), and the
heading under which the model writes the next item; a training text is a prompt with that item's line.
An item without a title is "Unknown"; HTML entities stay as the data has them. This module knows nothing
of tokenizers or models.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from bench.errors import unknown_name
from bench.schema import Catalogue, Examples, Histories

if TYPE_CHECKING:
    from genrec.config import ItemFormat

_LAYOUTS = {
    "title": "Title: <item title>",
    "title+category+brand+price": (
        "Title: <item title> | Category: <category path> | Brand: <brand> | Price: <price> "
        "(a field that is not known is left out)"
    ),
}


def item_texts(catalogue: Catalogue, item_format: ItemFormat = "title") -> list[str]:
    """Give each item's line, in catalogue order; white space inside a field becomes single spaces."""
    _check(item_format)
    if item_format == "title":
        return [_title_field(title) for title in catalogue.titles]
    columns = zip(catalogue.titles, catalogue.categories, catalogue.brands, catalogue.prices, strict=True)
    return [_full_line(*fields) for fields in columns]


def instruction(item_format: ItemFormat = "title") -> str:
    """Give the three lines that tell the model what it reads and what to write."""
    _check(item_format)
    return (
        "Below is a customer's purchase history on Amazon, listed in chronological order "
        "(earliest to latest).\n"
        f"Each item is represented by the following format: {_LAYOUTS[item_format]}\n"
        "Based on this history, predict only one item the customer is most likely to purchase next "
        "in the same format."
    )


def prompts(histories: Histories, texts: Sequence[str], item_format: ItemFormat = "title") -> list[str]:
    """Give one prompt (`ptext`) a history; `texts` are the item lines of `item_texts`."""
    head = f"{instruction(item_format)}\n### Purchase history:\n"
    return [f"{head}{lines}\n\n### Next item:\n" for lines in _joined(histories, texts)]


def example_texts(examples: Examples, texts: Sequence[str], item_format: ItemFormat = "title") -> list[str]:
    """Give one text an example: its prompt and its target's line. No end-of-sequence token."""
    asked = prompts(examples.histories, texts, item_format)
    return [prompt + texts[target] for prompt, target in zip(asked, examples.targets.tolist(), strict=True)]


def training_texts(
    sequences: Histories, texts: Sequence[str], item_format: ItemFormat = "title"
) -> list[str]:
    """Give one text a training sequence, whose last item is the target of the items before it.

    Raises ValueError for an empty sequence, which has no target.
    """
    return example_texts(last_item_examples(sequences), texts, item_format)


def last_item_examples(sequences: Histories) -> Examples:
    """Split each sequence into its last item, the target, and the items before it, the history."""
    lengths = sequences.lengths
    if len(lengths) and lengths.min() == 0:
        raise ValueError(f"training sequence {int(lengths.argmin())} is empty: it has no item to predict")
    last = sequences.indptr[1:] - 1
    return Examples(
        histories=Histories(
            indptr=sequences.indptr - np.arange(len(sequences.indptr)),
            items=np.delete(sequences.items, last),
            users=sequences.users,
        ),
        targets=sequences.items[last],
    )


def _joined(histories: Histories, texts: Sequence[str]) -> Iterator[str]:
    lines = [texts[item] for item in histories.items.tolist()]
    bounds = histories.indptr.tolist()
    return ("\n".join(lines[start:end]) for start, end in pairwise(bounds))


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


def _check(item_format: str) -> None:
    if item_format not in _LAYOUTS:
        raise unknown_name("item format", item_format, _LAYOUTS)
