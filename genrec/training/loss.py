"""Next-token loss summed over the tokens that carry it, without ever holding all logits."""

from __future__ import annotations

from typing import Any

LOGITS_PER_CHUNK = 1 << 25
"""Logits that exist at one time, 134 MB in float32: 261 positions at a vocabulary of 128,256."""

PLAIN_HEADS = frozenset(
    {"llama", "mistral", "qwen2", "qwen3", "olmo", "olmo2", "smollm3", "gpt2", "gpt_neox", "phi"}
)
"""Model types whose logits are the output layer applied to the last hidden state, unscaled."""


def loss_sum(model: Any, input_ids: Any, position_ids: Any, labels: Any) -> Any:
    """Sum of the cross-entropy over positions with a label, natural log; `labels` are already shifted.

    Logits are made for labelled positions only, LOGITS_PER_CHUNK at a time, and made again in the
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

    if not len(targets):
        return hidden.sum() * 0.0
    size = max(1, LOGITS_PER_CHUNK // causal.config.vocab_size)
    if len(targets) <= size:
        return chunk_loss(hidden, targets)
    chunks = zip(hidden.split(size), targets.split(size), strict=True)
    return sum(checkpoint(chunk_loss, states, answers, use_reentrant=False) for states, answers in chunks)
