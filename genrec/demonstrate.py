"""One history, step by step: the prompt, what the model writes, what each text finds, the list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.errors import ConfigError
from bench.retrieval.list_rules import retrieve
from bench.retrieval.search_index import build_index
from bench.retrieval.settings import RetrieveSettings
from bench.schema import NO_ITEM, Catalogue, Histories, Wording
from genrec import artefact
from genrec.config import GenerateSettings
from genrec.generation.generator import TextGenerator
from genrec.prompt_format import item_texts, prompts

_SCORED = 50
"""BM25 places in which a text's item is looked for."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A generated text and the item it found."""

    text: str
    log_likelihood: float
    tokens: int
    truncated: bool
    item: int
    """Row of the item, or NO_ITEM."""
    bm25_score: float | None
    """Of the item for the text; null where BM25 does not list it."""
    is_exact: bool
    """Whether the text is the item's own."""


@dataclass(frozen=True, kw_only=True)
class Demonstration:
    """What happened to one history."""

    history: tuple[str, ...]
    """The items' lines in the prompt."""
    known: tuple[int, ...]
    """Row of each title in the catalogue, or NO_ITEM."""
    prompt: str
    prompt_tokens: int
    findings: tuple[Finding, ...]
    """Likeliest first."""
    items: tuple[int, ...]
    """The ranked list, item rows."""


def demonstrate(
    folder: Path,
    catalogue: Catalogue,
    titles: Sequence[str],
    *,
    k: int,
    generate: GenerateSettings,
    retrieval: RetrieveSettings,
) -> Demonstration:
    """Ask the finished model in `folder` about one history of titles, oldest first.

    A title that an item of the catalogue has stands for the first such item; any other is taken as
    it is. Raises ConfigError for a history without titles.
    """
    if not titles or not all(title.strip() for title in titles):
        raise ConfigError('a history needs at least one title, and none may be empty: --history "title 1"')
    preset = artefact.read_finished(folder).settings
    texts = item_texts(catalogue, preset)
    known = [_row_of(catalogue, title) for title in titles]
    own = item_texts(_untold(titles, catalogue.wording), preset)
    lines = [texts[row] if row != NO_ITEM else text for row, text in zip(known, own, strict=True)]
    history = Histories.from_lists([range(len(lines))])
    (prompt,) = prompts(history, lines, preset, catalogue.wording)
    model, tokenizer = artefact.load_model(folder, generate.precision)
    seed = artefact.read_finished(folder).seed
    writer = TextGenerator.own(model, tokenizer, generate, seed=seed, catalogue_texts=texts)
    seen = Histories.from_lists([[row for row in known if row != NO_ITEM]])
    generated = writer.generate([prompt], histories=seen)
    index = build_index(texts, retrieval)
    found = retrieve(generated, index, texts, retrieval, k)
    top = index.top_k(generated.texts, _SCORED)
    findings = []
    for place, text in enumerate(generated.texts):
        item = int(found.items[place])
        listed = np.flatnonzero(top.items[place] == item)
        findings.append(
            Finding(
                text=text,
                log_likelihood=float(generated.log_likelihoods[place]),
                tokens=int(generated.tokens[place]),
                truncated=bool(generated.truncated[place]),
                item=item,
                bm25_score=float(top.scores[place, listed[0]]) if item != NO_ITEM and len(listed) else None,
                is_exact=item != NO_ITEM and texts[item] == text,
            )
        )
    return Demonstration(
        history=tuple(lines),
        known=tuple(known),
        prompt=prompt,
        prompt_tokens=len(tokenizer(prompt)["input_ids"]),
        findings=tuple(findings),
        items=tuple(int(item) for item in found.rankings[0] if item != NO_ITEM),
    )


def _row_of(catalogue: Catalogue, title: str) -> int:
    return catalogue.titles.index(title) if title in catalogue.titles else NO_ITEM


def _untold(titles: Sequence[str], wording: Wording) -> Catalogue:
    """Give the titles as items of which nothing else is known."""
    count = len(titles)
    return Catalogue(
        item_ids=tuple(map(str, range(count))),
        titles=tuple(titles),
        brands=(None,) * count,
        categories=((),) * count,
        prices=(None,) * count,
        wording=wording,
    )
