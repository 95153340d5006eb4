"""Which prompts go together: of like length, and as many as the memory holds.

A batch is measured in positions: users x (longest prompt + room for what is written). The settings
and messages call them tokens.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.schema import Int64Array

CPU_BUDGET = 16_384
"""Tokens in a batch on a CPU: larger ones were not faster there, and hold more memory."""

FREE_SHARE = 0.8
"""Share of the free device memory that the first batch may take."""


def batch_tokens(lengths: Int64Array, room: int) -> int:
    """Tokens in a batch of prompts of these lengths."""
    return len(lengths) * (int(lengths.max()) + room)


def plan(lengths: Int64Array, room: int, budget: int) -> list[Int64Array]:
    """Split prompts, longest first, into batches of at most `budget` tokens, or one prompt."""
    order = np.argsort(-lengths, kind="stable")
    batches, start = [], 0
    while start < len(order):
        size = max(1, budget // (int(lengths[order[start]]) + room))
        batches.append(order[start : start + size])
        start += size
    return batches


def token_budget(model: Any, *, longest: int, steps: int) -> int:
    """Find how many tokens a batch may have on the model's device."""
    import torch

    if model.device.type != "cuda":
        return CPU_BUDGET
    free, _ = torch.cuda.mem_get_info(model.device)
    idle = torch.cuda.memory_reserved(model.device) - torch.cuda.memory_allocated(model.device)
    return max(1, int(FREE_SHARE * (free + idle) / bytes_per_token(model, longest=longest, steps=steps)))


def bytes_per_token(model: Any, *, longest: int, steps: int) -> int:
    """Estimate the memory that one token of a batch takes at the worst moment.

    Keys and values in all layers; one layer's activations while the prompts run (eight vectors of
    the hidden size, three of the intermediate one) and their row of the attention mask; and the
    float32 logits of a step with two copies, shared by the tokens that a branch may write.
    """
    config = model.config.get_text_config()
    wide = model.dtype.itemsize
    heads = config.num_attention_heads
    head_size = getattr(config, "head_dim", None) or config.hidden_size // heads
    kv_heads = getattr(config, "num_key_value_heads", None) or heads
    inner = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    cache = 2 * config.num_hidden_layers * kv_heads * head_size * wide
    activations = (8 * config.hidden_size + 3 * inner) * wide
    mask = longest * (1 + wide)
    logits = 3 * 4 * config.vocab_size // steps
    return int(cache + activations + mask + logits)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell a lack of memory from other errors, on a GPU or a CPU."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)
