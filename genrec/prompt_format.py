"""A preset's way of writing items and prompts: the published one, or a compact one for small budgets.

The published prompt spends some 65 tokens on its instruction and repeats "Title:" on every line. A
compact prompt is a heading and one line an item, oldest first:

    Items:
    Toy Story
    GoldenEye

so that everything below the heading is the same kind of line, the one to be written next included. A
model fine-tuned with `loss_on: lines` then learns from each line of a text. An empty history is the
heading alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from bench.arrays import cut
from bench.datasets import prompts as published
from bench.errors import ConfigError
from bench.retrieval import item_text
from bench.schema import Catalogue, Histories, Wording
from genrec.config import Preset

HEADING = "Items:\n"
_YEAR = re.compile(r"\s*\((?:18|19|20)\d\d\)$")


def item_texts(catalogue: Catalogue, preset: Preset) -> list[str]:
    """Give each item's line, in catalogue order, as the preset writes it."""
    if preset.item_format != "plain":
        return item_text.item_texts(catalogue, preset.item_format)
    return [_plain(title, preset.title_words) for title in catalogue.titles]


def prompts(histories: Histories, texts: Sequence[str], preset: Preset, wording: Wording) -> list[str]:
    """Give one prompt a history, of its last `history_items` items; `texts` are `item_texts`'.

    The published prompt is in the data set's own words; the compact one has none.
    """
    if preset.prompt == "instruction":
        raise ConfigError("a model that is asked by an instruction is no model to train or to probe")
    if preset.history_items is not None:
        histories = last_items(histories, preset.history_items)
    if preset.prompt == "published":
        return published.prompts(histories, texts, preset.item_format, wording)
    return [HEADING + "".join(f"{texts[item]}\n" for item in items.tolist()) for items in histories]


def last_items(histories: Histories, count: int) -> Histories:
    """Keep the newest `count` items of each history."""
    kept = np.minimum(histories.lengths, count)
    indptr, source = cut(histories.indptr[1:] - kept, kept)
    return Histories(indptr=indptr, items=histories.items[source], users=histories.users)


def _plain(title: str, words: int | None) -> str:
    """Give a title on one line without its year, such as "(1995)", and cut to `words` words."""
    kept = _YEAR.sub("", " ".join(title.split())).split(" ")[:words]
    return " ".join(kept) or "Unknown"
