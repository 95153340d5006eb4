"""The process in which unsloth trains: `python -m genrec.training.backends.unsloth_process FOLDER`.

Reads the unfinished artefact in FOLDER and its texts, trains with the loop that all backends share,
and leaves adapter, tokenizer and training.json there. Started by `genrec.training.backends.unsloth`.
"""

from __future__ import annotations

import unsloth  # isort: skip  # before transformers, which it patches

import json
import sys
from pathlib import Path
from typing import Any

from bench.progress import listening
from genrec import artefact
from genrec.artefact import Artefact
from genrec.training.backends import Trainable
from genrec.training.backends.unsloth import CORPUS, MARK
from genrec.training.corpus import Corpus
from genrec.training.finetune import train_into
from genrec.weights.base_model import BaseCheckpoint, find_base_model, keep_unpacked
from genrec.weights.shapes import LORA_TARGETS
from genrec.weights.tokenizer import load_tokenizer


def main(folder: Path) -> None:
    """Train what is in `folder`, telling the starter how far it has come."""
    begun = artefact.read(folder)
    begun = begun.model_copy(update={"versions": artefact.package_versions()})
    artefact.write(folder, begun)
    corpus = Corpus(**json.loads((folder / CORPUS).read_text(encoding="utf-8")))
    base = find_base_model(str(begun.base_model), begun.base_revision)
    with listening(lambda *progress: _say({"progress": progress})):
        carried = train_into(folder, begun, corpus, load_tokenizer(base.folder), lambda: build(begun, base))
    _say({"carried_seconds": carried})


def build(begun: Artefact, base: BaseCheckpoint) -> Trainable:
    """Load the base model and its adapters through unsloth."""
    settings = begun.settings.finetune
    model, _ = unsloth.FastLanguageModel.from_pretrained(
        str(base.folder),
        max_seq_length=settings.max_seq_length,
        load_in_4bit=settings.four_bit,
        local_files_only=True,
    )
    keep_unpacked(model)
    model = unsloth.FastLanguageModel.get_peft_model(
        model,
        r=settings.lora_r,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        bias="none",
        target_modules=list(LORA_TARGETS),
        use_gradient_checkpointing="unsloth" if settings.gradient_checkpointing else False,
        random_state=begun.seed,
    )
    return Trainable(model=model, loss_sum=loss_sum, subfolder="adapter")


def loss_sum(model: Any, input_ids: Any, position_ids: Any, labels: Any) -> Any:
    """Summed loss through unsloth's own forward pass, whose fused kernel never holds all logits."""
    import torch

    # the model shifts labels itself: undo our shift
    unshifted = torch.full_like(labels, -100)
    unshifted[:, 1:] = labels[:, :-1]
    loss = model(input_ids=input_ids, position_ids=position_ids, labels=unshifted).loss
    return loss * (unshifted != -100).sum()


def _say(message: dict[str, Any]) -> None:
    print(MARK + json.dumps(message), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
