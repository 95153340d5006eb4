"""Compact prompts, and texts in which every line is learned from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import ITEMS, shop

from bench.errors import ConfigError
from bench.schema import Catalogue, Histories, Wording
from genrec.config import Preset
from genrec.preset_files import override
from genrec.prompt_format import item_texts, last_items, prompts
from genrec.training.batching import IGNORE, batches
from genrec.training.corpus import build_corpus, line_chunks
from genrec.training.encode import TokenSequences, encode
from genrec.weights.tokenizer import train_tokenizer

COMPACT = Preset.model_validate(
    {
        "base_model": "any",
        "item_format": "plain",
        "title_words": 3,
        "prompt": "compact",
        "history_items": 2,
        "finetune": {"loss_on": "lines", "train_windows": 9},
    }
)


def catalogue(*titles: str) -> Catalogue:
    nothing = (None,) * len(titles)
    ids = tuple(str(row) for row in range(len(titles)))
    return Catalogue(item_ids=ids, titles=titles, brands=nothing, categories=((),) * len(ids), prices=nothing)


def test_a_plain_line_is_the_title_without_its_year_cut_to_the_words() -> None:
    films = catalogue(
        "Toy Story (1995)", "2001: A  Space Odyssey (1968)", "1984 (live)", "  ", "Heat (1995) x"
    )
    assert item_texts(films, COMPACT) == [
        "Toy Story",
        "2001: A Space",
        "1984 (live)",
        "Unknown",
        "Heat (1995) x",
    ]


def test_a_compact_prompt_holds_the_newest_items_oldest_first() -> None:
    asked = prompts(Histories.from_lists([[0, 1, 2], [], [1]]), ["a", "b", "c"], COMPACT, Wording())
    assert asked == ["Items:\nb\nc\n", "Items:\n", "Items:\nb\n"]


@given(lists=st.lists(st.lists(st.integers(0, 9), max_size=6), max_size=6), count=st.integers(1, 7))
def test_last_items_are_the_ends_of_the_histories(lists: list[list[int]], count: int) -> None:
    kept = last_items(Histories.from_lists(lists), count)
    assert [items.tolist() for items in kept] == [items[-count:] for items in lists]


@given(
    lists=st.lists(st.lists(st.integers(0, 9), max_size=9), max_size=6),
    size=st.integers(1, 4),
    windows=st.integers(1, 4),
)
def test_chunks_cover_each_sequence_from_its_end(lists: list[list[int]], size: int, windows: int) -> None:
    chunks = line_chunks(Histories.from_lists(lists), size, windows)
    for user, items in enumerate(lists):
        mine = [chunk.tolist() for chunk, owner in zip(chunks, chunks.users, strict=True) if owner == user]
        told = items[-size * windows :] if len(items) > 1 else []
        assert [item for chunk in reversed(mine) for item in chunk] == told
        assert all(len(chunk) == size for chunk in mine[:-1])


@pytest.mark.parametrize(
    "settings",
    ["prompt=published", "history_items=null", "item_format=title"],
)
def test_formats_that_do_not_fit_are_refused(settings: str) -> None:
    with pytest.raises(ConfigError, match="needs"):
        override(COMPACT, [settings], "compact")


def predictions(texts: TokenSequences) -> set[tuple[tuple[int, ...], int]]:
    """Every (tokens before, token to be predicted) that carries loss, read off the batches."""
    found = set()
    rows = np.arange(len(texts))
    for batch in batches(texts, rows, layout="padded", batch_size=3, max_length=200, pad_id=0):
        for ids, labels in zip(batch.input_ids, batch.labels, strict=True):
            for place in np.flatnonzero(labels != IGNORE):
                found.add((tuple(ids[: place + 1].tolist()), int(labels[place])))
    return found


def one_by_one(tokenizer: Any, lines: Iterable[str]) -> TokenSequences:
    """The same lines, each as the target of a prompt of its own: what generation asks."""
    lines = list(lines)
    asked = ["Items:\n" + "".join(f"{line}\n" for line in lines[:count]) for count in range(len(lines))]
    return encode(tokenizer, asked, lines, max_length=200, loss_on="target")


def test_a_text_of_lines_teaches_what_generation_asks_of_each_line() -> None:
    lines = ["red cream", "blue soap (2 oz.)", "gel", "red cream"]
    tokenizer = train_tokenizer([*lines, "Items:"], 320)
    together = encode(tokenizer, ["Items:\n"], ["\n".join(lines)], max_length=200, loss_on="lines")
    assert predictions(together) == predictions(one_by_one(tokenizer, lines))
    assert together.loss_tokens.tolist() == [sum(one_by_one(tokenizer, lines).loss_tokens)]


def test_a_line_end_merged_with_its_line_carries_no_loss() -> None:
    """LLaMA 3 has one token for ".\\n": generation would not write it at the end of a text."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {"<e>": 0, "Items:\n": 1, "a": 2, ".\n": 3, "b": 4, ".": 5, "\n": 6}
    built = Tokenizer(models.WordLevel(words, unk_token="<e>"))
    built.pre_tokenizer = pre_tokenizers.Split(_regex(r"Items:\n|\.\n|\n|."), "isolated")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=built, eos_token="<e>")
    texts = encode(tokenizer, ["Items:\n"], ["a.\nb\na."], max_length=20, loss_on="lines")
    assert texts[0].tolist() == [1, 2, 3, 4, 6, 2, 5, 0]
    assert texts.answers_of(0).tolist()[1:] == [2, IGNORE, 4, 0, 2, 5, 0]
    assert texts.loss_tokens.tolist() == [6]


def _regex(pattern: str) -> Any:
    from tokenizers import Regex

    return Regex(pattern)


def test_texts_that_are_cut_keep_tokens_and_answers_together() -> None:
    lines = ["red cream", "blue soap", "gel"]
    tokenizer = train_tokenizer([*lines, "Items:"], 320)
    whole = encode(tokenizer, ["Items:\n"], ["\n".join(lines)], max_length=200, loss_on="lines")
    cut = encode(tokenizer, ["Items:\n"], ["\n".join(lines)], max_length=6, loss_on="lines")
    assert cut.cut == 1
    assert cut[0][1:].tolist() == whole[0][-5:].tolist()
    assert cut.answers_of(0)[1:].tolist() == whole.answers_of(0)[-5:].tolist()


def test_a_corpus_of_lines_tells_every_purchase_once_and_no_test_target() -> None:
    data = shop()
    corpus = build_corpus(data, COMPACT)
    told = [line for text in corpus.train_targets for line in text.split("\n")]
    texts = item_texts(data.catalogue, COMPACT)
    longer = data.train.lengths >= 2
    bought = [texts[item] for row in np.flatnonzero(longer) for item in data.train[int(row)].tolist()]
    assert sorted(told) == sorted(bought)
    assert set(corpus.train_prompts) == {"Items:\n"}
    assert max(text.count("\n") for text in corpus.train_targets) == 2
    assert len(corpus.validation_prompts) == len(data.validation)
    assert len(texts) == ITEMS
