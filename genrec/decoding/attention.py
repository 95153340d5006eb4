"""Attention for decoding: scaled dot products that copy no keys for grouped queries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import AttentionInterface

from bench.errors import ConfigError

_NAME = "genrec_grouped_sdpa"
_NOT_KNOWN_HERE = ("softcap", "s_aux", "position_bias")
_INSTEAD = "choose a base model with plain attention, such as LLaMA, Qwen or Mistral"


def grouped_sdpa(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    dropout: float = 0.0,
    scaling: float | None = None,
    **others: Any,
) -> tuple[Any, None]:
    """Attend with (rows, heads, length, width) queries to fewer key heads; the mask is boolean.

    In a decoding step the queries of one group are laid along the length, so that every key is read
    once where it lies. (Repeating the keys for each head of the group would copy the whole cache at
    each layer and step.) A long prompt against itself is the other way round: there the mask would
    be the larger thing to repeat.
    """
    for name in _NOT_KNOWN_HERE:
        if others.get(name) is not None:
            raise ConfigError(
                f"{type(module).__name__} attends with '{name}', which is not known here; {_INSTEAD}"
            )
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
def decoding_attention(model: Any, longest: int) -> Iterator[None]:
    """Let the model attend through `grouped_sdpa` inside this block, to at most `longest` positions.

    Raises ConfigError for a model whose attention cannot be replaced, or that does not look back over
    all `longest` positions: it would read the masks of this package wrongly.
    """
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    _check_looks_back(base.config.get_text_config(), longest)
    AttentionInterface.register(_NAME, grouped_sdpa)
    before = base.config._attn_implementation
    try:
        base.set_attn_implementation(_NAME)
    except ValueError:
        pass  # it takes no scaled dot products: refused below
    if base.config._attn_implementation != _NAME:
        raise ConfigError(f"the attention of {type(base).__name__} cannot be replaced; {_INSTEAD}")
    try:
        yield
    finally:
        base.set_attn_implementation(before)


def _check_looks_back(config: Any, longest: int) -> None:
    window = getattr(config, "sliding_window", None)
    kinds = set(getattr(config, "layer_types", None) or [])
    if kinds - {"full_attention", "sliding_attention"}:
        raise ConfigError(f"the model has layers of kind {', '.join(sorted(kinds))}; {_INSTEAD}")
    if window is not None and window < longest and kinds != {"full_attention"}:
        raise ConfigError(
            f"the model looks back over {window} positions and generate.max_seq_length is {longest}; "
            f"lower it, or {_INSTEAD}"
        )
