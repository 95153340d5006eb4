"""Texts that a language model wrote -> ranked lists, by the retrieval that every model shares.

A text counts by its first line that is not blank; white space becomes single spaces, and "Title: " is
put in front where the text does not begin with it, so that a bare title is found too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from bench.errors import ConfigError, unknown_name
from bench.retrieval import bm25
from bench.retrieval.generated import GeneratedTexts
from bench.retrieval.health import generation_health
from bench.retrieval.item_text import item_texts
from bench.retrieval.list_rules import retrieve
from bench.retrieval.settings import RetrieveSettings
from bench.schema import Catalogue, Generations, Int32Array, Rankings

LIST_RULES = ("published", "by_likelihood", "calrec")
NOT_KNOWN = ("truncated_texts", "tokens_per_user", "tokens_per_second")
"""What the health of our own runs holds and a file of texts does not tell."""


def rank_texts(
    catalogue: Catalogue, generations: Generations, tokens: Int32Array | None, list_rule: str, depth: int
) -> tuple[Rankings, Generations, Mapping[str, Any]]:
    """Find items for each user's texts: lists (users, depth), the texts with their items, details.

    `tokens` (texts,) are the generated tokens of each text; the rule `calrec` divides by them.
    """
    if list_rule not in LIST_RULES:
        raise unknown_name("list rule", list_rule, LIST_RULES)
    if tokens is None and list_rule == "calrec":
        raise ConfigError("the list rule calrec needs the number of tokens of each text (field 'tokens')")
    settings = RetrieveSettings(list_rule=list_rule)
    lines = item_texts(catalogue)
    written = GeneratedTexts(
        indptr=generations.indptr,
        texts=tuple(map(as_item_line, generations.texts)),
        log_likelihoods=generations.log_likelihoods,
        tokens=np.ones(len(generations.texts), dtype=np.int32) if tokens is None else tokens,
        truncated=np.zeros(len(generations.texts), dtype=bool),
        seconds=0.0,
        carried_seconds=0.0,
    )
    found = retrieve(written, bm25.BM25Index.build(lines), lines, settings, depth)
    health = generation_health(written, found, lines)
    details = {
        "generation_health": {name: value for name, value in health.items() if name not in NOT_KNOWN},
        "retrieval": {"list_rule": list_rule, "item_format": "title", "bm25": dict(bm25.SETTINGS)},
    }
    return found.rankings, replace(generations, items=found.items), details


def as_item_line(text: str) -> str:
    r"""Give the line that a text stands for, or an empty one.

    >>> as_item_line("\n Rose   Soap\nbecause")
    'Title: Rose Soap'
    """
    line = next((line for line in text.splitlines() if line.strip()), "")
    words = " ".join(line.split())
    return words if not words or words.lower().startswith("title:") else f"Title: {words}"
