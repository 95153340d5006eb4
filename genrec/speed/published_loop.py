"""The published way to generate, plain: Hugging Face `generate` over batches of eight in data-set order.

The yardstick of `generation_speed`.
"""

from __future__ import annotations

import copy
import gc
from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.progress import report
from bench.schema import Int64Array
from genrec.config import GenerateSettings
from genrec.decoding.batches import is_out_of_memory, plan

BATCH_SIZE = 8


def published_loop(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    settings: GenerateSettings,
    *,
    token_budget: int | None = None,
) -> list[list[str]]:
    """Texts of each prompt, best beam first.

    As published, device memory is given back after each batch of eight. With `token_budget`, batches
    are of like length instead, longest first, and as large as that many tokens allow, each beam with
    its copy of the prompt; a batch that does not fit is halved.
    """
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.padding_side = tokenizer.truncation_side = "left"
    written: list[list[str]] = [[] for _ in prompts]
    waiting, done = _batches(tokenizer, prompts, settings, token_budget), 0
    while waiting:
        rows = waiting.pop(0)
        try:
            texts = _generate(model, tokenizer, [prompts[row] for row in rows], settings)
        except (RuntimeError, MemoryError) as error:
            if len(rows) == 1 or not is_out_of_memory(error):
                raise
            texts = []
        if texts:
            for row, user in zip(rows, texts, strict=True):
                written[row] = user
            done += len(rows)
            report("published loop", done, len(prompts))
        else:
            waiting[:0] = np.array_split(rows, 2)
        if token_budget is None or not texts:
            _clear_cache()
    return written


def _batches(
    tokenizer: Any, prompts: Sequence[str], settings: GenerateSettings, token_budget: int | None
) -> list[Int64Array]:
    if token_budget is None:
        rows = np.arange(len(prompts))
        return [rows[start : start + BATCH_SIZE] for start in range(0, len(rows), BATCH_SIZE)]
    limit = settings.max_seq_length - settings.max_new_tokens
    lengths = [min(limit, len(ids)) for ids in tokenizer(list(prompts), verbose=False)["input_ids"]]
    return plan(np.array(lengths), settings.max_new_tokens, token_budget // settings.num_beams)


def _generate(model: Any, tokenizer: Any, prompts: list[str], settings: GenerateSettings) -> list[list[str]]:
    import torch

    beams = settings.num_beams
    inputs = tokenizer(
        prompts,
        return_tensors="pt",
        padding=True,
        truncation=True,
        max_length=settings.max_seq_length - settings.max_new_tokens,
        return_token_type_ids=False,
    ).to(model.device)
    with torch.inference_mode():
        made = model.generate(
            **inputs,
            num_beams=beams,
            num_return_sequences=beams,
            max_new_tokens=settings.max_new_tokens,
            length_penalty=settings.length_penalty,
            do_sample=False,
            pad_token_id=tokenizer.pad_token_id,
        )
    texts = tokenizer.batch_decode(
        made[:, inputs["input_ids"].shape[1] :],
        skip_special_tokens=True,
        clean_up_tokenization_spaces=False,
    )
    return [texts[start : start + beams] for start in range(0, len(texts), beams)]


def _clear_cache() -> None:
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
