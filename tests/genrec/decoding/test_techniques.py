"""Every technique of generation by itself: the same texts, and the work that it is there to save."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
import writers

from bench.retrieval.generated import GeneratedTexts
from genrec.config import GenerateSettings
from genrec.decoding.techniques import Techniques
from genrec.generation.generator import TextGenerator

TOKENIZER = writers.tokenizer()
STRATEGIES = ("beam", "sample", "constrained")
NOTHING = Techniques(shared_prefix=False, leave_when_done=False)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def writer(model: Any, techniques: Techniques, **given: Any) -> TextGenerator:
    small = {"num_beams": 4, "max_new_tokens": 24, "max_seq_length": 250, "temperature": 1.0}
    return TextGenerator.own(
        model,
        TOKENIZER,
        GenerateSettings.model_validate({**small, **given}),
        seed=0,
        catalogue_texts=writers.TEXTS,
        techniques=techniques,
    )


def assert_same(one: GeneratedTexts, other: GeneratedTexts) -> None:
    assert one.texts == other.texts and one.indptr.tolist() == other.indptr.tolist()
    np.testing.assert_allclose(one.log_likelihoods, other.log_likelihoods, atol=1e-3)
    assert one.tokens.tolist() == other.tokens.tolist()


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    "techniques",
    [NOTHING, Techniques(shared_prefix=False), Techniques(leave_when_done=False)],
    ids=["none", "no shared prefix", "nobody leaves"],
)
def test_every_technique_writes_the_same_texts(techniques: Techniques, strategy: str) -> None:
    model = writers.llama(len(TOKENIZER), seed=5, end_bias=3.0)
    prompts = writers.prompts(10, seed=1)
    expected = writer(model, Techniques(), strategy=strategy).generate(prompts)
    assert 0 < expected.truncated.mean() < 1 or expected.tokens.std() > 0
    assert_same(writer(model, techniques, strategy=strategy).generate(prompts), expected)


def test_the_switches_do_what_they_say() -> None:
    model = writers.llama(len(TOKENIZER), seed=5, end_bias=3.0)
    shapes: list[tuple[int, ...]] = []
    model.register_forward_pre_hook(
        lambda _, __, inputs: shapes.append(tuple(inputs["input_ids"].shape)), with_kwargs=True
    )
    prompts = writers.prompts(12, seed=1)
    writer(model, NOTHING).generate(prompts)
    distinct = len(set(prompts))
    assert [rows for rows, _ in shapes] == [distinct] * len(shapes), "no prefix run alone, and nobody left"
    whole = shapes.copy()
    shapes.clear()
    writer(model, Techniques(shared_prefix=False)).generate(prompts)
    assert shapes[0] == whole[0] and shapes[-1][0] < distinct
    assert all(later[0] <= earlier[0] for earlier, later in pairwise(shapes))
    shapes.clear()
    writer(model, Techniques(leave_when_done=False)).generate(prompts)
    assert shapes[0][0] == 1 and shapes[1][1] == whole[0][1] - shapes[0][1]
