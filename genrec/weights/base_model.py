"""Base models on this machine: finding their files, naming their revision, loading their weights.

The hub is never contacted: what is not on the disk is reported with the command that fetches it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.errors import Unavailable
from genrec.gguf_weights import converted, is_gguf
from genrec.weights.shapes import Shape

EDGE_BYTES = 1 << 20
"""Bytes at each end of a local weight file that go into its revision."""


@dataclass(frozen=True, kw_only=True)
class BaseCheckpoint:
    """A checkpoint on the disk."""

    name: str
    folder: Path
    revision: str
    """Commit of a hub snapshot, or a hash over the content of a local folder or file."""
    licence: str | None = None
    """As the package or the model card beside the weights names it."""


def find_base_model(name: str, revision: str | None = None) -> BaseCheckpoint:
    """Find a GGUF file (converted at first sight), a local folder, or a complete snapshot in the hub cache.

    Raises Unavailable, with the command that gets it, if files are missing.
    """
    if is_gguf(name):
        folder, digest, licence = converted(name, revision)
        return BaseCheckpoint(name=name, folder=folder, revision=digest, licence=licence)
    if Path(name).expanduser().is_dir():
        folder = Path(name).expanduser().resolve()
        _require_files(folder, f"the folder '{name}' is not a complete checkpoint: it has no")
        return BaseCheckpoint(
            name=name, folder=folder, revision=_content_revision(folder), licence=_licence(folder)
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    flag = f" --revision {revision}" if revision else ""
    command = f"get it with: hf download {name}{flag}"
    try:
        folder = Path(snapshot_download(name, revision=revision, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        raise Unavailable(f"the weights of '{name}' are not on this machine; {command}") from None
    _require_files(folder, f"the weights of '{name}' are only partly on this machine ({command}); missing:")
    return BaseCheckpoint(name=name, folder=folder, revision=folder.name, licence=_licence(folder))


def shape_of_checkpoint(folder: Path) -> Shape:
    """Read the shape out of a checkpoint's configuration; for other families than LLaMA, nearly."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    heads = config.num_attention_heads
    return Shape(
        hidden_size=config.hidden_size,
        layers=config.num_hidden_layers,
        heads=heads,
        kv_heads=getattr(config, "num_key_value_heads", None) or heads,
        head_dim=getattr(config, "head_dim", None) or config.hidden_size // heads,
        intermediate_size=getattr(config, "intermediate_size", None) or 4 * config.hidden_size,
        vocab_size=config.vocab_size,
        tie_embeddings=config.tie_word_embeddings,
    )


def default_device() -> Any:
    """The GPU if there is one, else the CPU."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back transformers' own progress bars, which would tear up the harness's live line."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def recompute_activations(model: Any) -> None:
    """Turn gradient checkpointing on: block activations are made again in the backward pass."""
    # transformers 5.23 renamed the method and warns at the former name
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    enable({"use_reentrant": False})


def load_base_model(folder: Path, *, four_bit: bool, device: Any) -> Any:
    """Load a causal LM: bf16 on a GPU and fp32 on a CPU, its blocks in 4-bit NF4 if asked for."""
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    dtype = torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32
    quantization = None
    if four_bit:
        quantization = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    with quiet():
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            quantization_config=quantization,
            device_map={"": device} if device.type == "cuda" else None,
            local_files_only=True,
        )
    if four_bit:
        keep_unpacked(model)
    return model


def with_precision(model: Any, precision: str) -> Any:
    """Give the model in `bf16` or `fp32`, or as it was loaded (`auto`), ready to be asked."""
    import torch

    if precision != "auto":
        model = model.to({"bf16": torch.bfloat16, "fp32": torch.float32}[precision])
    return model.requires_grad_(False).eval()


def keep_unpacked(model: Any) -> None:
    """Have 4-bit layers compute alike on every CPU.

    Where a CPU has AVX512-BF16, bitsandbytes packs a layer's weights anew when it is first evaluated, for a
    kernel that takes no layer of fewer than 64 columns, computes in bf16 whatever is asked for, and gives no
    gradient: training that goes on after an evaluation would lose what flows through the layer.
    """
    for layer in model.modules():
        if hasattr(layer, "support_avx512bf16_for_cpu"):
            layer.support_avx512bf16_for_cpu = False


def _require_files(folder: Path, message: str) -> None:
    index = folder / "model.safetensors.index.json"
    wanted = ["config.json"]
    if index.is_file():
        wanted += sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    else:
        wanted.append("model.safetensors")
    missing = [name for name in wanted if not (folder / name).is_file()]
    if missing:
        raise Unavailable(f"{message} {', '.join(missing)}")


def _licence(folder: Path) -> str | None:
    """Read the licence out of the head of a model card, as hub snapshots carry one."""
    card = folder / "README.md"
    if not card.is_file():
        return None
    _, _, rest = card.read_text(encoding="utf-8", errors="replace").partition("---\n")
    try:
        head = yaml.safe_load(rest.partition("\n---")[0])
    except yaml.YAMLError:
        return None
    named = head.get("license") if isinstance(head, dict) else None
    return named if isinstance(named, str) else None


def _content_revision(folder: Path) -> str:
    """Hash the configuration, and of each weight file its size and both its ends."""
    digest = hashlib.sha256((folder / "config.json").read_bytes())
    for path in sorted(folder.glob("*.safetensors")):
        size = path.stat().st_size
        digest.update(f"{path.name}\0{size}\0".encode())
        with path.open("rb") as file:
            digest.update(file.read(EDGE_BYTES))
            file.seek(max(0, size - EDGE_BYTES))
            digest.update(file.read(EDGE_BYTES))
    return digest.hexdigest()[:40]
