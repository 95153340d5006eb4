"""Texts that a language model wrote -> ranked lists, by the retrieval that every model shares.

A text counts by the line that names the item (`answer`). A line that shares with the catalogue no other
words than most items have ("title") finds nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench.errors import unknown_name
from bench.retrieval import bm25
from bench.retrieval.generated import GeneratedTexts
from bench.retrieval.health import generation_health
from bench.retrieval.item_text import item_texts
from bench.retrieval.list_rules import retrieve
from bench.retrieval.settings import RetrieveSettings
from bench.schema import BoolArray, Catalogue, Generations, Int32Array, Rankings
from bench.submission.texts.answer import answer_line

LIST_RULES = ("published", "by_likelihood", "calrec")
NOT_KNOWN = ("truncated_texts", "tokens_per_user", "tokens_per_second")
"""What the health of our own runs holds and a file of texts does not tell."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FoundItems:
    """The lists that generated texts stand for."""

    rankings: Rankings
    """(users with texts, depth) item rows."""
    generations: Generations
    """The texts, with the item that each one found first."""
    details: Mapping[str, Any]
    """Generation health, and how the lists were made."""
    lines: tuple[str, ...]
    """(texts,) the line of each text that was searched for."""
    is_item: BoolArray
    """(texts,) whether that line is exactly an item's."""


def rank_texts(
    catalogue: Catalogue, generations: Generations, tokens: Int32Array | None, list_rule: str, depth: int
) -> FoundItems:
    """Find items for each user's texts.

    `tokens` (texts,) are the generated tokens of each text; the rule `calrec` divides by them.
    """
    if list_rule not in LIST_RULES:
        raise unknown_name("list rule", list_rule, LIST_RULES)
    settings = RetrieveSettings(list_rule=list_rule)
    items = item_texts(catalogue)
    index = bm25.BM25Index.build(items)
    known = set(items)
    lines = tuple(answer_line(text, known) for text in generations.texts)
    is_item = np.fromiter((line in known for line in lines), dtype=bool, count=len(lines))
    telling = is_item | index.tells(lines)
    written = GeneratedTexts(
        indptr=generations.indptr,
        texts=tuple(line if tells else "" for line, tells in zip(lines, telling, strict=True)),
        log_likelihoods=generations.log_likelihoods,
        tokens=np.ones(len(lines), dtype=np.int32) if tokens is None else tokens,
        truncated=np.zeros(len(lines), dtype=bool),
        seconds=0.0,
        carried_seconds=0.0,
    )
    found = retrieve(written, index, items, settings, depth)
    health = generation_health(written, found, items)
    details = {
        "generation_health": {name: value for name, value in health.items() if name not in NOT_KNOWN},
        "retrieval": {"list_rule": list_rule, "item_format": "title", "bm25": dict(bm25.SETTINGS)},
    }
    return FoundItems(
        rankings=found.rankings,
        generations=replace(generations, items=found.items),
        details=details,
        lines=lines,
        is_item=is_item,
    )
