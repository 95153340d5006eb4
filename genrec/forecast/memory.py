"""How much device memory a stage needs, from shapes alone; used before anything is loaded.

Bytes, by part. The coefficients of the activations were counted, not guessed: a test counts what
autograd keeps for a block and compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from genrec.config import FinetuneSettings, GenerateSettings
from genrec.training.loss import LOGITS_PER_CHUNK
from genrec.weights.shapes import Shape

NF4_BYTES = 0.5 + (1 + 4 / 256) / 64
"""A 4-bit weight, its 64th of an 8-bit scale, and of that a 256th of an fp32 scale."""

CONTEXT_BYTES = 0.5 * 2**30
"""CUDA context, cuBLAS workspaces and kernels; an assumption, it differs between drivers."""

OPTIMIZER_BYTES = {"adamw": 8.0, "adamw_8bit": 2 * (1 + 4 / 256), "paged_adamw_8bit": 2 * (1 + 4 / 256)}
"""Both moments of one trainable weight: fp32, or 8-bit with one fp32 scale for each 256."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Peak device memory of one stage, bytes by part."""

    parts: Mapping[str, float]

    @property
    def total(self) -> float:
        """Sum over the parts."""
        return sum(self.parts.values())


def weight_bytes(shape: Shape, *, four_bit: bool, bytes_each: int = 2) -> float:
    """Weights at rest: blocks in NF4 or plain, embedding, output layer and norms always plain."""
    plain = shape.embedding_parameters + shape.norm_parameters
    return shape.block_parameters * (NF4_BYTES if four_bit else bytes_each) + plain * bytes_each


def trainable_parameters(shape: Shape, settings: FinetuneSettings) -> int:
    """Weights that training changes: the adapters, or all with `full`."""
    return shape.parameters if settings.backend == "full" else shape.lora_parameters(settings.lora_r)


def block_activation_bytes(shape: Shape, *, full: bool) -> float:
    """What autograd keeps of one block for one token, bf16 compute, attention that keeps no scores.

    18 h + 6 q + 4 kv + 8 i with adapters on a bf16 base; 26 h + 4 q + 4 kv + 8 i with fp32 weights under
    bf16 autocast. h hidden, q and kv widths of all query / key heads, i the inner width of the MLP.
    """
    hidden_bytes, query_bytes = (26, 4) if full else (18, 6)
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    return hidden_bytes * shape.hidden_size + query_bytes * queries + 4 * keys + 8 * shape.intermediate_size


def finetune_memory(shape: Shape, settings: FinetuneSettings, *, longest: int) -> Memory:
    """Peak of fine-tuning with texts of up to `longest` tokens, at the moment of the largest batch.

    weights      NF4 (or bf16) blocks + bf16 rest; fp32 for `full`
    adapters     fp32 adapters; gradients fp32; optimizer both moments
    activations  with checkpointing the input of each block and one block whole, else all blocks whole;
                 twice the largest linear layer in bf16 for what NF4 unpacks
    logits       one chunk of them: bf16 copy, fp32 copy, log-softmax, its gradient twice (16 bytes each)

    Published for batch 4, length 1,024 on an RTX A5000 (unsloth): under 4 GB at 1B, 5.5 at 3B, 9 at 8B;
    this gives 3.0, 5.0 and 9.4 GB. Those bounds allow no full logits (4 x 1,024 x 128,256 of them are
    2.1 GB in fp32 alone, and several copies exist), and most batches are far from full length: the mean
    text of Beauty has some 230 tokens. unsloth also moves block inputs to the host, which we do not.
    """
    full = settings.backend == "full"
    length = min(longest, settings.max_seq_length)
    width = settings.max_seq_length if settings.batching == "packed" else length
    tokens = settings.batch_size * width
    trainable = trainable_parameters(shape, settings)
    block = block_activation_bytes(shape, full=full) * tokens
    stream = shape.hidden_size * tokens * (4 if full else 2)
    activations = shape.layers * stream + block if settings.gradient_checkpointing else shape.layers * block
    unpacked = 2 * 2 * max(inputs * outputs for inputs, outputs in shape.projections.values())
    parts = {
        "weights": weight_bytes(shape, four_bit=settings.four_bit, bytes_each=4 if full else 2),
        "adapters": 0.0 if full else 4.0 * trainable,
        "gradients": 4.0 * trainable,
        "optimizer": OPTIMIZER_BYTES[settings.optimizer] * trainable,
        "activations": activations + (unpacked if settings.four_bit else 0),
        "logits": 16.0 * min(LOGITS_PER_CHUNK, tokens * shape.vocab_size),
        "context": CONTEXT_BYTES,
    }
    return Memory(parts={name: value for name, value in parts.items() if value})


def kv_bytes(shape: Shape) -> int:
    """Keys and values of one token in all layers, bf16."""
    return 2 * 2 * shape.layers * shape.kv_heads * shape.head_dim


def user_bytes(shape: Shape, settings: GenerateSettings, *, prompt: int) -> float:
    """Device memory of one user: cache of the prompt, once, and of each continuation; their logits twice."""
    sequences = settings.continuations
    cache = (prompt + sequences * settings.max_new_tokens) * kv_bytes(shape)
    return cache + sequences * shape.vocab_size * 8.0


def generate_memory(
    shape: Shape, finetuned: FinetuneSettings, settings: GenerateSettings, *, longest: int
) -> Memory:
    """Least memory that generation needs: weights, adapters, and a batch of the one longest prompt.

    More memory makes larger batches and is faster; it is not needed.
    """
    full = finetuned.backend == "full"
    prompt = min(longest, settings.max_seq_length - settings.max_new_tokens)
    parts = {
        "weights": weight_bytes(shape, four_bit=finetuned.four_bit),
        "adapters": 0.0 if full else 4.0 * shape.lora_parameters(finetuned.lora_r),
        "one user": user_bytes(shape, settings, prompt=prompt)
        + block_activation_bytes(shape, full=full) * prompt,
        "context": CONTEXT_BYTES,
    }
    return Memory(parts={name: value for name, value in parts.items() if value})
