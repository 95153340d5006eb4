"""The published way to generate, plain: Hugging Face `generate` over batches of eight in data-set order.

The yardstick of `generation_speed`; its parts can be changed one at a time.
"""

from __future__ import annotations

import copy
import gc
from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.progress import report
from genrec.config import GenerateSettings

BATCH_SIZE = 8


def published_loop(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    settings: GenerateSettings,
    *,
    batch_size: int = BATCH_SIZE,
    by_length: bool = False,
    clear_cache: bool = True,
) -> list[list[str]]:
    """Texts of each prompt, best beam first."""
    import torch

    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.padding_side = tokenizer.truncation_side = "left"
    lengths = [len(ids) for ids in tokenizer(list(prompts), verbose=False)["input_ids"]]
    order = (
        np.argsort([-length for length in lengths], kind="stable") if by_length else np.arange(len(prompts))
    )
    written: list[list[str]] = [[] for _ in prompts]
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        inputs = tokenizer(
            [prompts[row] for row in rows],
            return_tensors="pt",
            padding=True,
            truncation=True,
            max_length=settings.max_seq_length - settings.max_new_tokens,
            return_token_type_ids=False,
        ).to(model.device)
        with torch.inference_mode():
            made = model.generate(
                **inputs,
                num_beams=settings.num_beams,
                num_return_sequences=settings.num_beams,
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
        for place, row in enumerate(rows):
            written[row] = texts[place * settings.num_beams : (place + 1) * settings.num_beams]
        if clear_cache:
            _clear_cache()
        report("published loop", min(start + batch_size, len(order)), len(order))
    return written


def _clear_cache() -> None:
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
