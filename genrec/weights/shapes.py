"""Shapes of LLaMA models: the published bases by name, and the count of what is in them.

One table that the forecast, the random-weight checkpoints and the tests share. Knows no weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from genrec.config import ArchitectureSettings

LORA_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""The linear layers of a LLaMA block, all of which get an adapter."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Dimensions of one LLaMA model."""

    hidden_size: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate_size: int
    vocab_size: int
    tie_embeddings: bool
    rope_theta: float = 500_000.0

    @property
    def projections(self) -> dict[str, tuple[int, int]]:
        """Linear layers of one block, name -> (inputs, outputs)."""
        hidden, inner = self.hidden_size, self.intermediate_size
        queries, keys = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return {
            "q_proj": (hidden, queries),
            "k_proj": (hidden, keys),
            "v_proj": (hidden, keys),
            "o_proj": (queries, hidden),
            "gate_proj": (hidden, inner),
            "up_proj": (hidden, inner),
            "down_proj": (inner, hidden),
        }

    @property
    def block_parameters(self) -> int:
        """Parameters of the linear layers of all blocks: what 4-bit quantisation touches."""
        return self.layers * sum(inputs * outputs for inputs, outputs in self.projections.values())

    @property
    def embedding_parameters(self) -> int:
        """Parameters of the embedding, and of the output layer where it is not tied to it."""
        return self.vocab_size * self.hidden_size * (1 if self.tie_embeddings else 2)

    @property
    def norm_parameters(self) -> int:
        """Parameters of the RMS norms: two a block and one at the end."""
        return self.hidden_size * (2 * self.layers + 1)

    @property
    def parameters(self) -> int:
        """All parameters, a tied output layer counted once."""
        return self.block_parameters + self.embedding_parameters + self.norm_parameters

    def lora_parameters(self, rank: int) -> int:
        """Trainable parameters of rank-`rank` adapters on all linear layers of the blocks."""
        return self.layers * sum(rank * (inputs + outputs) for inputs, outputs in self.projections.values())


LLAMA_SHAPES: dict[str, Shape] = {
    "llama-1b": Shape(
        hidden_size=2048, layers=16, heads=32, kv_heads=8, head_dim=64,
        intermediate_size=8192, vocab_size=128_256, tie_embeddings=True,
    ),
    "llama-3b": Shape(
        hidden_size=3072, layers=28, heads=24, kv_heads=8, head_dim=128,
        intermediate_size=8192, vocab_size=128_256, tie_embeddings=True,
    ),
    "llama-8b": Shape(
        hidden_size=4096, layers=32, heads=32, kv_heads=8, head_dim=128,
        intermediate_size=14_336, vocab_size=128_256, tie_embeddings=False,
    ),
}  # fmt: skip
"""Llama 3.2 1B, 3.2 3B and 3.1 8B, keyed by the preset that is fine-tuned from them."""


def shape_of(architecture: ArchitectureSettings) -> Shape:
    """Shape of a model trained from scratch."""
    return Shape(
        hidden_size=architecture.hidden_size,
        layers=architecture.layers,
        heads=architecture.heads,
        kv_heads=architecture.kv_heads,
        head_dim=architecture.hidden_size // architecture.heads,
        intermediate_size=architecture.intermediate_size,
        vocab_size=architecture.vocab_size,
        tie_embeddings=architecture.tie_embeddings,
        rope_theta=architecture.rope_theta,
    )


def llama_config(shape: Shape, *, max_positions: int, **others: Any) -> Any:
    """Make the transformers configuration of a LLaMA of this shape; `others` are taken as they are."""
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=shape.vocab_size,
        hidden_size=shape.hidden_size,
        intermediate_size=shape.intermediate_size,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        max_position_embeddings=max_positions,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rope_theta},
        tie_word_embeddings=shape.tie_embeddings,
        **others,
    )
