"""Backend `full`: every weight is trained, of a LLaMA from scratch or of a whole base model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from genrec.config import Preset
from genrec.training.backends import Trainable
from genrec.training.loss import loss_sum
from genrec.weights.base_model import BaseCheckpoint, default_device, quiet, recompute_activations
from genrec.weights.shapes import llama_config, shape_of


def build(preset: Preset, tokenizer: Any, base: BaseCheckpoint | None) -> Trainable:
    """Make the model in fp32, on the GPU if there is one; fresh weights come from torch's generator."""
    import torch
    from transformers import AutoModelForCausalLM, LlamaForCausalLM

    if base is not None:
        with quiet():
            model = AutoModelForCausalLM.from_pretrained(
                base.folder, dtype=torch.float32, local_files_only=True
            )
    else:
        assert preset.architecture is not None  # Preset: exactly one of base_model and architecture
        # the tokenizer may have found fewer tokens than it was allowed
        shape = replace(shape_of(preset.architecture), vocab_size=len(tokenizer))
        config = llama_config(
            shape,
            max_positions=max(preset.finetune.max_seq_length, preset.generate.max_seq_length),
            initializer_range=preset.architecture.initializer_range,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
        model = LlamaForCausalLM(config)
    if preset.finetune.gradient_checkpointing:
        recompute_activations(model)
    return Trainable(model=model.to(default_device()), loss_sum=loss_sum, subfolder="model")
