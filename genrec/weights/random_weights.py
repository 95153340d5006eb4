"""Checkpoints with random weights in the exact shapes of the published bases.

They cost what the real ones cost and know nothing: for measuring time and memory without the
weights. A record made from one is of kind cost-only.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.files.atomic import replace_folder
from genrec.weights.base_model import default_device, quiet
from genrec.weights.shapes import Shape, llama_config
from genrec.weights.tokenizer import train_tokenizer

MAX_POSITIONS = 131_072
TOKENIZER_VOCABULARY = 4096
"""Trained on the titles themselves, this many tokens cut them about as finely as a LLaMA 3 tokenizer does."""


def write_random_checkpoint(folder: Path, shape: Shape, texts: Sequence[str], *, seed: int = 0) -> Path:
    """Write a bf16 checkpoint of this shape, to be loaded as any base model; a whole one there is kept.

    Embedding and output layer keep the published vocabulary; the tokenizer, trained on `texts`, uses
    the first part of it. Weights are drawn on the GPU if there is one; they take 2 bytes each.
    """
    import torch
    from transformers import LlamaForCausalLM

    if (folder / "config.json").is_file():
        return folder
    tokenizer = train_tokenizer(texts, min(TOKENIZER_VOCABULARY, shape.vocab_size))
    config = llama_config(
        shape,
        max_positions=MAX_POSITIONS,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    default = torch.get_default_dtype()
    devices = range(torch.cuda.device_count())
    with torch.random.fork_rng(devices=devices), default_device(), quiet():
        torch.manual_seed(seed)
        torch.set_default_dtype(torch.bfloat16)
        try:
            model = LlamaForCausalLM(config)
        finally:
            torch.set_default_dtype(default)

        def save(temporary: Path) -> None:
            model.save_pretrained(temporary)
            tokenizer.save_pretrained(temporary)

        replace_folder(folder, save)
    return folder
