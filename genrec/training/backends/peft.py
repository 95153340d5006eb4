"""Backend `peft`: LoRA adapters on a base model held in 4-bit NF4, or in bf16 / fp32 where that is off."""

from __future__ import annotations

from typing import Any

from bench.errors import ConfigError
from genrec.config import FinetuneSettings
from genrec.training.backends import Trainable
from genrec.training.loss import loss_sum
from genrec.weights.base_model import BaseCheckpoint, default_device, load_base_model, recompute_activations


def build(settings: FinetuneSettings, base: BaseCheckpoint) -> Trainable:
    """Load the base model and put fp32 adapters on the linear layers of its blocks, or of the upper ones.

    The embedding and the output layer stay as loaded (bf16 on a GPU): casting them to fp32, as
    peft's own preparation does, would cost 2 GB more at 8B.
    """
    from peft import LoraConfig, get_peft_model

    model = load_base_model(base.folder, four_bit=settings.four_bit, device=default_device())
    model.requires_grad_(False)
    if settings.gradient_checkpointing:
        recompute_activations(model)
    adapters = LoraConfig(
        r=settings.lora_r,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        bias="none",
        task_type="CAUSAL_LM",
        **_targets(model, settings.lora_layers),
    )
    return Trainable(model=get_peft_model(model, adapters), loss_sum=loss_sum, subfolder="adapter")


def _targets(model: Any, upper: int | None) -> dict[str, Any]:
    """Where adapters go, as peft wants to be told."""
    if upper is None:
        return {"target_modules": "all-linear"}
    import torch

    layers = model.config.get_text_config().num_hidden_layers
    if upper > layers:
        raise ConfigError(f"finetune.lora_layers={upper}, and the base model has {layers} blocks")
    head = model.get_output_embeddings()
    linear = {
        name.rpartition(".")[2]
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and module is not head
    }
    return {"target_modules": sorted(linear), "layers_to_transform": list(range(layers - upper, layers))}
