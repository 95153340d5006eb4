"""Constrained generation writes catalogue texts and nothing else, and finds the likeliest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import writers
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import ConfigError
from bench.retrieval.generated import GeneratedTexts
from bench.schema import Histories
from genrec.config import GenerateSettings
from genrec.decoding.trie import Trie
from genrec.generation.generator import generate

TOKENIZER = writers.tokenizer()
END = TOKENIZER.eos_token_id


def write(model: Any, prompts: list[str], catalogue: list[str], **given: Any) -> GeneratedTexts:
    chosen = GenerateSettings.model_validate(
        {"strategy": "constrained", "max_new_tokens": 12, "max_seq_length": 256, **given}
    )
    return generate(model, TOKENIZER, prompts, chosen, seed=0, catalogue_texts=catalogue)


def exhaustive(model: Any, prompt: str, catalogue: list[str]) -> list[tuple[str, float]]:
    """Log-likelihood of every distinct text after the prompt, each in a plain pass of its own, best first."""
    start = TOKENIZER(prompt)["input_ids"]
    scored = []
    for text in dict.fromkeys(catalogue):
        ids = [*TOKENIZER(text, add_special_tokens=False)["input_ids"], END]
        with torch.inference_mode():
            logits = model(torch.tensor([start + ids])).logits[0].log_softmax(-1)
        places = np.arange(len(start) - 1, len(start) + len(ids) - 1)
        scored.append((text, float(logits[places, ids].sum())))
    return sorted(scored, key=lambda pair: -pair[1])


@pytest.mark.parametrize(("seed", "kv_heads"), [(0, 4), (1, 2), (2, 1)])
def test_a_wide_beam_equals_exhaustive_scoring(seed: int, kv_heads: int) -> None:
    model = writers.llama(len(TOKENIZER), seed=seed, kv_heads=kv_heads)
    prompts = writers.prompts(6, seed=seed)
    catalogue = [*writers.TEXTS, *writers.TEXTS[:3]]  # some titles stand twice
    made = write(model, prompts, catalogue, num_beams=len(writers.TEXTS))
    for user, prompt in enumerate(prompts):
        expected = exhaustive(model, prompt, catalogue)
        mine = slice(made.indptr[user], made.indptr[user + 1])
        assert list(made.texts[mine]) == [text for text, _ in expected]
        np.testing.assert_allclose(made.log_likelihoods[mine], [value for _, value in expected], atol=1e-3)


@pytest.mark.parametrize("beams", [1, 2, 5])
def test_a_narrow_beam_gives_true_likelihoods_of_distinct_texts(beams: int) -> None:
    model = writers.llama(len(TOKENIZER), seed=3)
    prompts = writers.prompts(6, seed=3)
    made = write(model, prompts, writers.TEXTS, num_beams=beams)
    for user, prompt in enumerate(prompts):
        expected = dict(exhaustive(model, prompt, writers.TEXTS))
        texts = made.texts[made.indptr[user] : made.indptr[user + 1]]
        assert len(texts) == beams == len(set(texts))
        for place, text in enumerate(texts, start=made.indptr[user]):
            assert made.log_likelihoods[place] == pytest.approx(expected[text], abs=1e-3)


def test_texts_longer_than_max_new_tokens_are_written_to_their_end() -> None:
    model = writers.llama(len(TOKENIZER), seed=4)
    long = "Title: " + " ".join(["Oak", "Comb"] * 12)
    made = write(model, writers.prompts(3), [long, "Title: Oak"], max_new_tokens=4, num_beams=2)
    assert sorted(made.texts[:2]) == sorted([long, "Title: Oak"])
    assert not made.truncated.any()
    assert made.tokens.max() > 4


def test_a_catalogue_smaller_than_the_beam_gives_all_of_it_once() -> None:
    model = writers.llama(len(TOKENIZER), seed=5)
    made = write(model, writers.prompts(3), ["Title: Oak Comb", "Title: Oak"], num_beams=5)
    assert np.diff(made.indptr).tolist() == [2, 2, 2]


def test_an_empty_text_is_a_text_that_ends_at_once() -> None:
    model = writers.llama(len(TOKENIZER), seed=5)
    catalogue = ["", "Title: Oak"]
    made = write(model, writers.prompts(2), catalogue, num_beams=2)
    assert set(made.texts) == set(catalogue)
    assert made.tokens[list(made.texts).index("")] == 1


def test_a_text_with_the_end_token_in_it_is_refused() -> None:
    with pytest.raises(ConfigError, match="contains the tokenizer's end token"):
        write(writers.llama(len(TOKENIZER)), writers.prompts(1), ["Title: Oak</s> Comb"])


def test_a_prompt_that_does_not_end_at_a_token_is_refused() -> None:
    with pytest.raises(ConfigError, match="merges the end of the prompt"):
        write(writers.llama(len(TOKENIZER)), ["### Next item:\nTit"], ["le: Oak Comb"])


def test_texts_that_leave_no_room_for_a_prompt_are_refused() -> None:
    long = "Title: " + "Oak Comb " * 60
    with pytest.raises(ConfigError, match="leaves no room for a prompt"):
        write(writers.llama(len(TOKENIZER)), writers.prompts(1), [long], max_seq_length=64)


titles = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=0, max_size=12)


@given(
    catalogue=st.lists(titles.map("Title: {}".format), min_size=1, max_size=25),
    seed=st.integers(0, 3),
    beams=st.integers(1, 6),
    history=st.lists(st.sampled_from(writers.TEXTS), min_size=1, max_size=3),
)
@settings(max_examples=40, deadline=None)
def test_no_text_outside_the_catalogue_ever(
    catalogue: list[str], seed: int, beams: int, history: list[str]
) -> None:
    torch.set_num_threads(1)
    model = MODELS[seed]
    made = write(model, [writers.prompt(history), "### Next item:\n"], catalogue, num_beams=beams)
    distinct = set(catalogue)
    for user in range(2):
        texts = made.texts[made.indptr[user] : made.indptr[user + 1]]
        assert set(texts) <= distinct
        assert len(texts) == len(set(texts)) == min(beams, len(distinct))


MODELS = [writers.llama(len(TOKENIZER), seed=seed, end_bias=2.0 * seed) for seed in range(4)]


@given(st.lists(st.lists(st.integers(2, 6), max_size=5), min_size=1, max_size=20, unique_by=tuple))
def test_every_path_of_the_trie_spells_a_text(texts: list[list[int]]) -> None:
    trie = Trie(texts, end=1)
    found = {}
    frontier = [([], 0)]
    for depth in range(trie.depth):
        deeper = []
        for path, node in frontier:
            tokens, nodes, exists = (
                part[0, 0].tolist() for part in trie.children(torch.tensor([[node]]), depth, at_least=1)
            )
            assert len(set(np.array(tokens)[exists].tolist())) == sum(exists)
            for token, child, real in zip(tokens, nodes, exists, strict=True):
                if real and token == 1:
                    found[tuple(path)] = int(trie.texts(torch.tensor(child)))
                elif real:
                    deeper.append(([*path, token], child))
        frontier = deeper
    assert found == {tuple(text): number for number, text in enumerate(texts)}
    assert not frontier


def likeliest(model: Any, prompt: str, texts: list[str], count: int) -> list[str]:
    return [text for text, _ in exhaustive(model, prompt, texts)][:count]


@pytest.mark.parametrize("beams", [2, 30])
def test_seen_texts_are_not_written_and_take_no_beam(beams: int) -> None:
    model = writers.llama(len(TOKENIZER), seed=6)
    catalogue = [*writers.TEXTS, writers.TEXTS[0]]  # the first title is held by two items
    last = len(writers.TEXTS)
    histories = Histories.from_lists([[1, 2], [], [0], [0, last], list(range(1, last))])
    made = generate(
        model, TOKENIZER, ["Title: Oak\n"] * len(histories),
        GenerateSettings.model_validate(
            {"strategy": "constrained", "max_new_tokens": 12, "max_seq_length": 256, "num_beams": beams,
             "exclude_seen": True}
        ),
        seed=0, catalogue_texts=catalogue, histories=histories,
    )  # fmt: skip
    for user, items in enumerate(histories):
        mine = list(made.texts[made.indptr[user] : made.indptr[user + 1]])
        told = set(items.tolist())
        unseen = [text for row, text in enumerate(catalogue) if row not in told]
        assert len(mine) == min(beams, len(set(unseen))) and set(mine) <= set(unseen)
        if beams >= len(catalogue):
            assert mine == likeliest(model, "Title: Oak\n", unseen, beams)


def test_seen_texts_can_only_be_left_out_where_histories_are_known() -> None:
    model = writers.llama(len(TOKENIZER), seed=6)
    with pytest.raises(ConfigError, match="needs the users' histories"):
        write(model, ["Title: Oak\n"], writers.TEXTS, exclude_seen=True)


def test_a_decided_text_costs_the_tokens_that_decide_it() -> None:
    model = writers.llama(len(TOKENIZER), seed=7)
    prompts = writers.prompts(4, seed=7)
    whole = write(model, prompts, writers.TEXTS, num_beams=len(writers.TEXTS))
    made = write(model, prompts, writers.TEXTS, num_beams=len(writers.TEXTS), stop="decided")
    assert made.tokens.sum() < whole.tokens.sum()
    ids = {text: TOKENIZER(text, add_special_tokens=False)["input_ids"] + [END] for text in writers.TEXTS}
    for user, prompt in enumerate(prompts):
        mine = slice(made.indptr[user], made.indptr[user + 1])
        assert sorted(made.texts[mine]) == sorted(set(writers.TEXTS))
        for text, tokens, value in zip(
            made.texts[mine], made.tokens[mine], made.log_likelihoods[mine], strict=True
        ):
            beginning = ids[text][:tokens]
            holders = [other for other in ids if ids[other][:tokens] == beginning]
            shorter = [other for other in ids if ids[other][: tokens - 1] == beginning[:-1]]
            assert holders == [text] and len(shorter) > 1
            start = TOKENIZER(prompt)["input_ids"]
            with torch.inference_mode():
                steps = model(torch.tensor([start + beginning])).logits[0].log_softmax(-1)
            places = np.arange(len(start) - 1, len(start) + len(beginning) - 1)
            assert value == pytest.approx(float(steps[places, beginning].sum()), abs=1e-3)


@given(
    texts=st.lists(st.lists(st.integers(2, 4), max_size=4), min_size=1, max_size=7, unique_by=tuple),
    seed=st.integers(0, 99),
)
def test_blocked_nodes_lead_to_blocked_texts_only(texts: list[list[int]], seed: int) -> None:
    trie = Trie(texts, end=1)
    blocked = np.random.default_rng(seed).permutation(len(texts))[: seed % (len(texts) + 1)].tolist()
    nodes = set(trie.blocked(blocked).tolist())
    level, reached = [(0, 0)], set()
    while level:
        node, depth = level.pop()
        text = int(trie.texts(torch.tensor(node)))
        if text >= 0:
            reached.add(text)
            continue
        _, below, exists = trie.children(torch.tensor([[node]]), depth, 1)
        for child in below[exists].tolist():
            if child not in nodes:
                level.append((child, depth + 1))
    assert reached == set(range(len(texts))) - set(blocked)
