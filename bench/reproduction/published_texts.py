"""Texts that the source's own fine-tuned LLaMA wrote, through our retrieval: its strategy table, and ours.

The texts are no part of this repository. Where the data folder holds `published-outputs/<data set>/`, each
file `<part>/<model>.<strategy>.jsonl.gz` gives rows: one JSON line a user with `user_id` and `texts`, in
the order in which the model returned them (of a beam search, the best first; no likelihoods were
published, so that order stands for them).
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from bench.datasets.registry import resolve_data_dir
from bench.datasets.rules.validation_users import on_validation
from bench.errors import DataError
from bench.metrics.ranking import mean_quality, ranks_in_view
from bench.record import DEPTH, View
from bench.retrieval.generated import GeneratedTexts
from bench.retrieval.item_text import item_texts
from bench.retrieval.list_rules import retrieve
from bench.retrieval.search_index import SearchIndex, build_index
from bench.retrieval.settings import ListRule, Retriever, RetrieveSettings
from bench.schema import NO_ITEM, Generations, Rankings, Split

FOLDER = "published-outputs"
Part = Literal["validation", "test"]
MODELS = {"llama-1b": "LLaMA 3.2 1B", "llama-3b": "LLaMA 3.2 3B", "llama-8b": "LLaMA 3.1 8B"}

PRINTED: Mapping[tuple[str, Part], Mapping[tuple[str, str], tuple[str, str, str]]] = {
    ("beauty2014", "validation"): {
        ("llama-1b", "beam5"): ("0.054", "0.033", "0.026"),
        ("llama-1b", "temperature-0.5"): ("0.011", "0.007", "0.006"),
        ("llama-1b", "temperature-0.2"): ("0.012", "0.009", "0.008"),
        ("llama-1b", "temperature-0.1"): ("0.006", "0.006", "0.005"),
    },
    ("ml100k", "test"): {
        ("llama-1b", "beam5"): ("0.05938", "0.03101", "0.02190"),
        ("llama-3b", "beam5"): ("0.05832", "0.03244", "0.02407"),
        ("llama-8b", "beam5"): ("0.06045", "0.03659", "0.02884"),
    },
}
"""recall@5, nDCG@5 and MRR@5 as printed in the write-up (Beauty) or logged by its code (MovieLens)."""


@dataclass(frozen=True, kw_only=True)
class TextsRow:
    """The quality of one file of texts under one way of making lists."""

    what: str
    ours: Mapping[str, float] | None
    """recall@5, ndcg@5, mrr@5 (and @10); None where the texts are not at hand."""
    printed: tuple[str, str, str] | None
    why: str


def published_rows(split: Split, data_dir: Path | None = None) -> Iterator[TextsRow]:
    """Score every file of the data set, and name those that were published and are not here."""
    folder = resolve_data_dir(data_dir) / FOLDER / split.dataset
    parts: tuple[Part, ...] = ("validation", "test")
    index: SearchIndex | None = None
    for part in parts:
        printed = PRINTED.get((split.dataset, part), {})
        here = {_model_and_strategy(path): path for path in sorted((folder / part).glob("*.jsonl.gz"))}
        asked = on_validation(split) if part == "validation" and here else split
        for key in sorted({*printed, *here}):
            what = f"{MODELS.get(key[0], key[0])}, {key[1]}, {part} users"
            if key not in here:
                why = f"the texts are not at hand: the data folder holds no {FOLDER}/{split.dataset}/{part}"
                yield TextsRow(what=what, ours=None, printed=printed[key], why=why)
                continue
            texts = read_texts_file(here[key], asked)
            index = index or build_index(item_texts(split.catalogue), RetrieveSettings())
            yield from _scored(what, texts, asked, index, printed.get(key))


def grounding_rows(split: Split, data_dir: Path | None = None) -> Iterator[TextsRow]:
    """Score the texts of beam search by each way of finding their items; likeliest first, seen removed.

    Raises Unavailable where the sentence encoder is not at hand.
    """
    folder = resolve_data_dir(data_dir) / FOLDER / split.dataset
    parts: tuple[Part, ...] = ("validation", "test")
    lines = item_texts(split.catalogue)
    indexes: dict[Retriever, SearchIndex] = {}
    for part in parts:
        here = sorted((folder / part).glob("*.beam5.jsonl.gz"))
        asked = on_validation(split) if part == "validation" and here else split
        for path in here:
            texts = read_texts_file(path, asked)
            model = _model_and_strategy(path)[0]
            for kind in get_args(Retriever):
                settings = RetrieveSettings(kind=kind)
                indexes[kind] = indexes.get(kind) or build_index(lines, settings)
                lists = lists_of(texts, asked, settings, indexes[kind])
                yield TextsRow(
                    what=f"{MODELS.get(model, model)}, beam5, {part} users: items by {kind}",
                    ours=mean_quality(ranks_in_view(lists, asked.test, "seen_removed"), (5, 10)),
                    printed=None,
                    why="rule by_likelihood, seen items removed; a text that is an item's own stands for it",
                )


def read_texts_file(path: Path, split: Split) -> Generations:
    """Read one file; its users must be the split's. Raises DataError for anything else."""
    rows = {user_id: row for row, user_id in enumerate(split.user_ids)}
    texts: dict[int, list[str]] = {}
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for line in file:
                entry = json.loads(line)
                texts[rows[entry["user_id"]]] = [str(text) for text in entry["texts"]]
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not a file of texts for {split.name}: {error!r}") from None
    users = sorted(texts)
    lengths = [len(texts[user]) for user in users]
    return Generations(
        users=np.array(users, dtype=np.int32),
        indptr=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        texts=tuple(chain.from_iterable(texts[user] for user in users)),
        log_likelihoods=np.array([-float(place) for length in lengths for place in range(length)]),
        items=np.full(sum(lengths), NO_ITEM, dtype=np.int32),
    )


def lists_of(
    generations: Generations,
    split: Split,
    settings: RetrieveSettings,
    index: SearchIndex,
    *,
    whole_texts: bool = False,
) -> Rankings:
    """Find items for the texts, (users of the split, DEPTH); users without texts have empty lists.

    A text counts by its first line or, with `whole_texts`, by all of it, as the published code asked BM25.
    """
    texts = generations.texts
    written = GeneratedTexts(
        indptr=generations.indptr,
        texts=texts if whole_texts else tuple(text.strip().partition("\n")[0] for text in texts),
        log_likelihoods=generations.log_likelihoods,
        tokens=np.ones(len(texts), dtype=np.int32),
        truncated=np.zeros(len(texts), dtype=bool),
        seconds=0.0,
        carried_seconds=0.0,
    )
    found = retrieve(written, index, item_texts(split.catalogue), settings, DEPTH)
    rankings = np.full((len(split.user_ids), DEPTH), NO_ITEM, dtype=np.int32)
    rankings[generations.users] = found.rankings
    return rankings


def _scored(
    what: str, texts: Generations, split: Split, index: SearchIndex, printed: tuple[str, str, str] | None
) -> Iterator[TextsRow]:
    several = sum("\n" in text.strip() for text in texts.texts) / max(1, len(texts.texts))
    why = "the published way: BM25's first item of each text, ordered by raw score"
    if several:
        why += f"; {several:.0%} of the texts run on over further lines, and the whole text is the query"
    ways: tuple[tuple[ListRule, View, str], ...] = (
        ("published", "seen_kept", why),
        (
            "by_likelihood",
            "seen_removed",
            "the same texts, likeliest first, each by its first line, filled up",
        ),
    )
    for rule, view, reason in ways:
        settings = RetrieveSettings(list_rule=rule)
        lists = lists_of(texts, split, settings, index, whole_texts=rule == "published")
        quality = mean_quality(ranks_in_view(lists, split.test, view), (5, 10))
        yield TextsRow(
            what=f"{what}: rule {rule}, {view.replace('_', ' items ')}",
            ours=quality,
            printed=printed if rule == "published" else None,
            why=reason,
        )


def _model_and_strategy(path: Path) -> tuple[str, str]:
    model, _, strategy = path.name.removesuffix(".jsonl.gz").partition(".")
    return model, strategy
