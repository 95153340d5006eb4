"""Small things that the tests of fine-tuning share: a shop, presets, and a base checkpoint on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bench.schema import Catalogue, Examples, Histories, TrainingData
from genrec.config import Preset
from genrec.training.finetune import scratch_tokenizer
from genrec.weights.shapes import Shape, llama_config

ITEMS = 24


def shop(users: int = 40, *, fingerprint: str = "a" * 64, seed: int = 0) -> TrainingData:
    """A shop where item i is nearly always followed by item i + 1: a model that learns must find it."""
    rng = np.random.default_rng(seed)
    nouns = ["cream", "soap", "brush", "oil", "mask", "lotion", "gel", "balm"]
    colours = ["red", "green", "blue"]
    titles = tuple(f"{colours[i % 3]} {nouns[i % 8]}" for i in range(ITEMS))
    catalogue = Catalogue(
        item_ids=tuple(f"B{i:03d}" for i in range(ITEMS)),
        titles=titles,
        brands=(None,) * ITEMS,
        categories=((),) * ITEMS,
        prices=(None,) * ITEMS,
    )
    starts = rng.integers(0, ITEMS, users)
    sequences = [[(start + step) % ITEMS for step in range(rng.integers(3, 7))] for start in starts]
    validation = Examples(
        histories=Histories.from_lists([sequence[:-1] for sequence in sequences[:8]], range(8)),
        targets=np.array([sequence[-1] for sequence in sequences[:8]], dtype=np.int32),
    )
    train = [sequence[:-1] if row < 8 else sequence for row, sequence in enumerate(sequences)]
    return TrainingData(
        dataset="toy",
        fingerprint=fingerprint,
        catalogue=catalogue,
        train=Histories.from_lists(train),
        validation=validation,
    )


def scratch_preset(**finetune: Any) -> Preset:
    """A model from scratch of two layers, trained for a handful of steps."""
    settings = {
        "backend": "full",
        "four_bit": False,
        "max_seq_length": 128,
        "batch_size": 4,
        "gradient_accumulation": 2,
        "learning_rate": 5e-3,
        "warmup_steps": 2,
        "optimizer": "adamw",
        "epochs": 2,
        "gradient_checkpointing": False,
    }
    return Preset.model_validate(
        {
            "architecture": {
                "vocab_size": 400, "hidden_size": 32, "intermediate_size": 64,
                "layers": 2, "heads": 2, "kv_heads": 2, "initializer_range": 0.15,
            },
            "finetune": {**settings, **finetune},
            "generate": {"max_new_tokens": 16, "max_seq_length": 128, "num_beams": 3},
        }
    )  # fmt: skip


def compact_preset(base: Path, **finetune: Any) -> Preset:
    """LoRA in fp32 on the checkpoint, with short prompts of which every line is learned from."""
    plain = {"four_bit": False, "loss_on": "lines", "train_windows": 9, "lora_layers": 1}
    return adapter_preset(
        base, prompt="compact", item_format="plain", history_items=3, **{**plain, **finetune}
    )


def adapter_preset(
    base: Path,
    *,
    prompt: str = "published",
    item_format: str = "title",
    history_items: int | None = None,
    **finetune: Any,
) -> Preset:
    """LoRA on the checkpoint that `base_checkpoint` wrote, 4-bit unless said otherwise."""
    settings = scratch_preset().finetune.model_dump() | {"backend": "peft", "four_bit": True, "lora_r": 4}
    return Preset.model_validate(
        {
            "base_model": str(base),
            "prompt": prompt,
            "item_format": item_format,
            "history_items": history_items,
            "finetune": {**settings, **finetune},
            "generate": {"max_new_tokens": 16, "max_seq_length": 128, "num_beams": 3},
        }
    )


def base_checkpoint(folder: Path, data: TrainingData, **sizes: int) -> Path:
    """Write a LLaMA with random weights and its tokenizer, as a hub snapshot would hold them."""
    import torch
    from transformers import LlamaForCausalLM

    tokenizer = scratch_tokenizer(data, scratch_preset())
    widths = {"hidden_size": 64, "head_dim": 32, "intermediate_size": 128, **sizes}
    shape = Shape(
        **widths, layers=2, heads=2, kv_heads=1,
        vocab_size=len(tokenizer), tie_embeddings=True, rope_theta=10_000.0,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = LlamaForCausalLM(
            llama_config(shape, max_positions=256, bos_token_id=0, eos_token_id=1, pad_token_id=2)
        )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
