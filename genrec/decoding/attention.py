"""Attention for decoding: scaled dot products that copy no keys for grouped queries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import AttentionInterface

from bench.errors import ConfigError

_NAME = "genrec_grouped_sdpa"


def grouped_sdpa(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    dropout: float = 0.0,
    scaling: float | None = None,
    **_: Any,
) -> tuple[Any, None]:
    """Attend with (rows, heads, length, width) queries to fewer key heads; the mask is boolean.

    In a decoding step the queries of one group are laid along the length, so that every key is read
    once where it lies. (Repeating the keys for each head of the group would copy the whole cache at
    each layer and step.) A long prompt against itself is the other way round: there the mask would
    be the larger thing to repeat.
    """
    rows, heads, length, width = query.shape
    groups = heads // key.shape[1]
    folded = attention_mask is not None and 1 < groups and groups * length <= key.shape[2]
    if folded:
        query = query.reshape(rows, heads // groups, groups * length, width)
        attention_mask = attention_mask.repeat(1, 1, groups, 1)
    elif groups > 1:
        key = key.repeat_interleave(groups, dim=1)
        value = value.repeat_interleave(groups, dim=1)
    output = torch.nn.functional.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=attention_mask,
        scale=scaling,
        is_causal=attention_mask is None and length > 1,
    )
    return output.reshape(rows, heads, length, -1).transpose(1, 2).contiguous(), None


@contextmanager
def decoding_attention(model: Any) -> Iterator[None]:
    """Let the model attend through `grouped_sdpa` inside this block.

    Raises ConfigError for a model whose attention cannot be replaced, or that looks back over a
    window shorter than its context: both would read the masks of this package wrongly.
    """
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    _check_full_attention(base.config.get_text_config())
    AttentionInterface.register(_NAME, grouped_sdpa)
    before = base.config._attn_implementation
    base.set_attn_implementation(_NAME)
    if base.config._attn_implementation != _NAME:
        raise ConfigError(
            f"{type(base).__name__} does not take another attention function; generation needs a causal "
            "model of the Hugging Face family with exchangeable attention, such as LLaMA, Qwen or Mistral"
        )
    try:
        yield
    finally:
        base.set_attn_implementation(before)


def _check_full_attention(config: Any) -> None:
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    if kinds != {"full_attention"}:
        raise ConfigError(
            f"the model has layers of kind {', '.join(sorted(kinds))}; generation handles full attention "
            "only: choose a base model such as LLaMA or Qwen"
        )
