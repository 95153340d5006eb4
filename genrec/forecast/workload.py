"""Lengths in tokens of the texts that a preset would train on and be asked with, for a forecast."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.errors import BenchError
from bench.schema import Int64Array, Split
from genrec.config import Preset
from genrec.forecast.estimate import Workload
from genrec.prompt_format import item_texts, prompts
from genrec.training.corpus import build_corpus
from genrec.training.finetune import scratch_tokenizer

BYTES_PER_TOKEN = 3.8
"""Assumed of LLaMA 3's tokenizer on product titles, where the tokenizer itself is not at hand."""


def measure_workload(split: Split, preset: Preset) -> Workload:
    """Count with the preset's own tokenizer if it is on this machine, else by bytes."""
    data = split.training_data
    corpus = build_corpus(data, preset)
    train = [
        prompt + target for prompt, target in zip(corpus.train_prompts, corpus.train_targets, strict=True)
    ]
    texts = item_texts(split.catalogue, preset)
    asked = prompts(split.test.histories, texts, preset, split.catalogue.wording)
    tokenizer = _tokenizer(split, preset)
    if tokenizer is None:
        how = f"{BYTES_PER_TOKEN} bytes a token (assumed; the tokenizer is not on this machine)"
        return Workload(train=_by_bytes(train) + 1, prompts=_by_bytes(asked), counted_by=how)

    def count(strings: Sequence[str]) -> Int64Array:
        encoded = tokenizer(list(strings), return_attention_mask=False, verbose=False)["input_ids"]
        return np.array([len(ids) for ids in encoded], dtype=np.int64)

    # one more for the end-of-text token of training
    return Workload(train=count(train) + 1, prompts=count(asked), counted_by="the model's own tokenizer")


def _tokenizer(split: Split, preset: Preset) -> Any:
    if importlib.util.find_spec("transformers") is None:
        return None
    if preset.architecture is not None:
        return scratch_tokenizer(split.training_data, preset)
    from genrec.weights.base_model import find_base_model
    from genrec.weights.tokenizer import load_tokenizer

    try:
        return load_tokenizer(find_base_model(str(preset.base_model), preset.revision).folder)
    except BenchError:
        return None


def _by_bytes(strings: Sequence[str]) -> Int64Array:
    sizes = np.fromiter((len(text.encode()) for text in strings), dtype=np.int64, count=len(strings))
    return np.ceil(sizes / BYTES_PER_TOKEN).astype(np.int64)
