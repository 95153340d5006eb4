"""Next-token loss summed over the tokens that carry it, without ever holding all logits."""

from __future__ import annotations

from typing import Any

CHUNK_TOKENS = 256
"""Positions whose logits exist at one time: 256 x 128,256 in float32 are 131 MB."""

PLAIN_HEADS = frozenset(
    {"llama", "mistral", "qwen2", "qwen3", "olmo", "olmo2", "smollm3", "gpt2", "gpt_neox", "phi"}
)
"""Model types whose logits are the output layer applied to the last hidden state, unscaled."""


def loss_sum(model: Any, input_ids: Any, position_ids: Any, labels: Any) -> Any:
    """Sum of the cross-entropy over positions with a label, natural log; `labels` are already shifted.

    Logits are made for labelled positions only, CHUNK_TOKENS at a time, and made again in the
    backward pass, so memory does not grow with vocabulary x length. Model types outside PLAIN_HEADS
    may scale their logits; they go through their own forward pass, which holds all of them.
    """
    import torch.nn.functional as functional
    from torch.utils.checkpoint import checkpoint

    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    if causal.config.model_type not in PLAIN_HEADS:
        logits = model(input_ids=input_ids, position_ids=position_ids, use_cache=False).logits
        return functional.cross_entropy(
            logits.flatten(0, 1).float(), labels.flatten(), ignore_index=-100, reduction="sum"
        )
    decoder, head = causal.base_model, causal.get_output_embeddings()
    hidden = decoder(input_ids=input_ids, position_ids=position_ids, use_cache=False).last_hidden_state
    wanted = labels.flatten() != -100
    hidden, targets = hidden.flatten(0, 1)[wanted], labels.flatten()[wanted]

    def chunk_loss(states: Any, answers: Any) -> Any:
        return functional.cross_entropy(head(states).float(), answers, reduction="sum")

    total = hidden.sum() * 0.0
    for states, answers in zip(hidden.split(CHUNK_TOKENS), targets.split(CHUNK_TOKENS), strict=True):
        total = total + checkpoint(chunk_loss, states, answers, use_reentrant=False)
    return total
