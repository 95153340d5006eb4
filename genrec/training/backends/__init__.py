"""Where the model that is trained comes from. All backends share the texts, the loop and the artefact.

peft      base model in 4-bit (or plain), LoRA adapters, through transformers and bitsandbytes
full      all weights: a LLaMA from scratch, or a whole base model
unsloth   base model and adapters through unsloth, in a process of its own
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from genrec.training.loop import LossSum
from genrec.weights.base_model import quiet


@dataclass(frozen=True, kw_only=True)
class Trainable:
    """A model ready to be trained."""

    model: Any
    loss_sum: LossSum
    subfolder: Literal["adapter", "model"]
    """Where the artefact keeps what was trained."""

    def save(self, folder: Path) -> None:
        """Write the trained weights to `folder`."""
        # peft would otherwise ask the hub whether the base model's vocabulary has changed
        extra = {"save_embedding_layers": False} if self.subfolder == "adapter" else {}
        with quiet():
            self.model.save_pretrained(folder, **extra)
