"""Likelihoods of given texts: one tree behind the prompt gives what one text at a time gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import base_checkpoint, shop

from bench.errors import ConfigError
from genrec.decoding import candidates as module
from genrec.decoding.candidates import CandidateScorer, Tree
from genrec.weights.base_model import load_base_model
from genrec.weights.tokenizer import load_tokenizer

DATA = shop()
TEXTS = ["red cream", "red cream oil", "red soap", "blue", "green mask gel"]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    torch.set_num_threads(1)
    folder = base_checkpoint(tmp_path_factory.mktemp("hub") / "base", DATA)
    return load_base_model(folder, four_bit=False, device=torch.device("cpu")).eval(), load_tokenizer(folder)


def one_at_a_time(model: Any, prompt: list[int], text: list[int], end: int) -> float:
    """The sum of log-probabilities of text and end token, by the plain model."""
    ids = torch.tensor([[*prompt, *text, end]])
    with torch.no_grad():
        steps = torch.log_softmax(model(ids).logits[0].double(), dim=-1)
    return float(sum(steps[len(prompt) - 1 + place, token] for place, token in enumerate([*text, end])))


@pytest.mark.parametrize("positions", [1, 40, 4096])
def test_scores_are_those_of_the_plain_model_in_any_batch(
    parts: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch, positions: int
) -> None:
    model, tokenizer = parts
    monkeypatch.setattr(module, "CPU_POSITIONS", positions)
    texts = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in TEXTS]
    asked = ["Items:\nred soap\n", "Items:\n", "Items:\ngel\nblue oil\nred\n"]
    chosen = [np.array([4, 0, 1]), np.array([2, 1, 0, 3]), np.array([], dtype=np.int64)]
    scorer = CandidateScorer(model, tokenizer, texts, longest=128)
    found = {}
    for batch, scores in scorer.score(asked, chosen):
        found.update(zip(batch.tolist(), scores, strict=True))
    assert sorted(found) == [0, 1, 2]
    for row, prompt in enumerate(asked):
        ids = tokenizer(prompt)["input_ids"]
        expected = [one_at_a_time(model, ids, texts[n], tokenizer.eos_token_id) for n in chosen[row]]
        assert found[row] == pytest.approx(expected, abs=1e-4)


@given(texts=st.lists(st.lists(st.integers(0, 3), max_size=5), min_size=1, max_size=8))
def test_a_tree_holds_every_beginning_once_and_every_text(texts: list[list[int]]) -> None:
    tree = Tree.of(texts)
    beginnings = {tuple(text[:length]) for text in texts for length in range(1, len(text) + 1)}
    assert len(tree.tokens) == len(beginnings)
    paths = tree.paths
    for text, node in zip(texts, tree.last_nodes.tolist(), strict=True):
        told = tree.tokens[paths[node]].tolist() if node >= 0 else []
        assert told == text
    assert (tree.parents < np.arange(len(tree.tokens))).all()


def test_texts_that_leave_no_room_are_refused(parts: tuple[Any, Any]) -> None:
    with pytest.raises(ConfigError, match="no room for a prompt"):
        CandidateScorer(*parts, [[5] * 10], longest=10)
