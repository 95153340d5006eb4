"""What a run will take before it is started: memory, floating-point operations, hours.

Time is operations / (peak rate x MFU) for everything that is limited by arithmetic. A decoding step
is not: it takes as long as reading the weights and the cache from device memory, or as launching its
kernels, whichever is longer. Each assumption is a named constant below and is printed with the result.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bench.schema import Int64Array
from genrec.config import FinetuneSettings, GenerateSettings, Preset
from genrec.forecast.gpus import Gpu
from genrec.forecast.memory import (
    Memory,
    finetune_memory,
    generate_memory,
    kv_bytes,
    trainable_parameters,
    user_bytes,
    weight_bytes,
)
from genrec.training.batching import padded_tokens
from genrec.weights.shapes import Shape

MFU = 0.3
"""Share of the data-sheet FLOP/s that fine-tuning and the reading of prompts reach.

Operations of recomputation count in: elsewhere this share is called HFU, and MFU without them.
"""

BANDWIDTH_SHARE = 0.6
"""Share of the data-sheet bytes/s that a decoding step reaches."""

LAUNCH_SECONDS_PER_LAYER = 0.8e-3
"""Least time of one layer in one decoding step, when kernels are launched one by one from Python."""

USABLE_SHARE = 0.95
"""Share of a card's memory that one process can fill before fragmentation stops it."""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """Lengths in tokens of the texts that a run goes through."""

    train: Int64Array
    prompts: Int64Array
    counted_by: str
    """How the tokens were counted."""


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a model's run on one card would take."""

    parameters: int
    trainable_parameters: int
    finetune_memory: Memory
    generate_memory: Memory
    epoch_tokens: int
    """Real tokens of one epoch, padding not counted."""
    epoch_padded_tokens: int
    epochs: float
    finetune_flops: float
    """All epochs; early stopping may end sooner."""
    finetune_hours: float
    generate_flops: float
    generate_hours: float
    users_a_batch: int

    def fits(self, memory: Memory, gpu: Gpu) -> bool:
        """Whether the stage's peak is within the card's usable memory."""
        return memory.total <= USABLE_SHARE * gpu.memory_bytes


def forecast(preset: Preset, shape: Shape, workload: Workload, gpu: Gpu, *, mfu: float = MFU) -> Forecast:
    """Forecast fine-tuning and generation of one preset on one card."""
    settings, generation = preset.finetune, preset.generate
    lengths = np.minimum(workload.train, settings.max_seq_length)
    prompts = np.minimum(workload.prompts, generation.max_seq_length - generation.max_new_tokens)
    padded = padded_tokens(
        lengths,
        layout=settings.batching,
        batch_size=settings.batch_size,
        per_step=settings.batch_size * settings.gradient_accumulation,
        max_length=settings.max_seq_length,
    )
    epochs = _epochs(settings, len(lengths))
    flops = epochs * padded * finetune_flops_per_token(shape, settings, context=float(lengths.mean()))
    users = users_a_batch(shape, settings, generation, prompts, gpu)
    return Forecast(
        parameters=shape.parameters,
        trainable_parameters=trainable_parameters(shape, settings),
        finetune_memory=finetune_memory(shape, settings, longest=int(lengths.max())),
        generate_memory=generate_memory(shape, settings, generation, longest=int(prompts.max())),
        epoch_tokens=int(lengths.sum()),
        epoch_padded_tokens=padded,
        epochs=epochs,
        finetune_flops=flops,
        finetune_hours=flops / (gpu.flops_per_second * mfu) / 3600,
        generate_flops=generate_flops(shape, generation, prompts),
        generate_hours=generate_seconds(shape, settings, generation, prompts, gpu, users, mfu=mfu) / 3600,
        users_a_batch=users,
    )


def finetune_flops_per_token(shape: Shape, settings: FinetuneSettings, *, context: float) -> float:
    """Operations of one token in training, forward and backward.

    Forward: 2 for each weight of the blocks (F), the same for the output layer (H), and attention
    4 q (context / 2) a layer (A, causal). Backward: the gradient of activations costs another
    F + H + 2 A; the gradient of weights another F + H with `full`, and 3 x 2 for each adapter weight in
    all with LoRA. Checkpointing runs F + A again; logits are made again in chunks, another H.
    """
    blocks, head = 2.0 * shape.block_parameters, 2.0 * shape.vocab_size * shape.hidden_size
    attention = 4 * shape.heads * shape.head_dim * (context / 2) * shape.layers
    again = blocks + attention if settings.gradient_checkpointing else 0.0
    total = 2 * blocks + 3 * head + 3 * attention + again
    if settings.backend == "full":
        return total + blocks + head
    return total + 6.0 * shape.lora_parameters(settings.lora_r)


def users_a_batch(
    shape: Shape, settings: FinetuneSettings, generation: GenerateSettings, prompts: Int64Array, gpu: Gpu
) -> int:
    """Users that fit beside the weights in 80 % of what they leave free."""
    free = 0.8 * (gpu.memory_bytes - weight_bytes(shape, four_bit=settings.four_bit))
    each = user_bytes(shape, generation, prompt=math.ceil(float(prompts.mean())))
    return int(max(1, min(len(prompts), free // each)))


def generate_flops(shape: Shape, generation: GenerateSettings, prompts: Int64Array) -> float:
    """2 for each block weight and token: prompts once, then every continuation to its full length."""
    written = generation.continuations * generation.max_new_tokens
    head = 2.0 * shape.vocab_size * shape.hidden_size
    return float(prompts.sum() * 2.0 * shape.block_parameters) + len(prompts) * written * (
        2.0 * shape.block_parameters + head
    )


def generate_seconds(
    shape: Shape,
    settings: FinetuneSettings,
    generation: GenerateSettings,
    prompts: Int64Array,
    gpu: Gpu,
    users: int,
    *,
    mfu: float = MFU,
) -> float:
    """Prompts at the stated MFU, then `max_new_tokens` steps a batch: an upper bound, texts end sooner.

    A step takes the longest of its arithmetic at that MFU, its reads (weights, and the cache of every
    sequence at half its growth) at BANDWIDTH_SHARE, and LAUNCH_SECONDS_PER_LAYER.
    """
    rate = gpu.flops_per_second * mfu
    prefill = float(prompts.sum()) * 2 * shape.block_parameters / rate
    sequences = users * generation.continuations
    length = float(prompts.mean()) + generation.max_new_tokens / 2
    reads = weight_bytes(shape, four_bit=settings.four_bit) + sequences * length * kv_bytes(shape)
    arithmetic = sequences * 2.0 * (shape.block_parameters + shape.vocab_size * shape.hidden_size)
    step = max(
        arithmetic / rate,
        reads / (gpu.bytes_per_second * BANDWIDTH_SHARE),
        LAUNCH_SECONDS_PER_LAYER * shape.layers,
    )
    return prefill + math.ceil(len(prompts) / users) * generation.max_new_tokens * step


def _epochs(settings: FinetuneSettings, texts: int) -> float:
    steps_per_epoch = math.ceil(texts / (settings.batch_size * settings.gradient_accumulation))
    if settings.max_steps is None:
        return settings.epochs
    return min(settings.epochs, settings.max_steps / steps_per_epoch)
