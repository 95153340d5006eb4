"""What a report measures: data, places and sizes; true sizes for a GPU, tiny ones to try it on a CPU."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.schema import Split
from genrec.weights.shapes import LLAMA_SHAPES, Shape


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Sizes of everything that is run."""

    name: str
    shapes: Mapping[str, Shape]
    """Shapes of the random-weight models, by size ('1b')."""
    base_settings: tuple[str, ...] = ()
    """Overrides of the published presets, beside the base model itself."""
    preset: str
    """The model trained from scratch."""
    prompts: int
    """Real prompts that generation is timed on."""
    steps: int
    """Optimizer steps of a timed fine-tuning run, of which `warmup_steps` are not counted."""
    warmup_steps: int
    repeats: int
    """Times that a generation is timed; the median counts."""
    copy_bytes: int
    matmul_size: int


TRUE = Scale(
    name="true",
    shapes={name.removeprefix("llama-"): shape for name, shape in LLAMA_SHAPES.items()},
    preset="llama-60m",
    prompts=256,
    steps=14,
    warmup_steps=4,
    repeats=3,
    copy_bytes=4 * 2**30,
    matmul_size=8192,
)

_TINY_SHAPE = Shape(
    hidden_size=32, layers=2, heads=2, kv_heads=1, head_dim=16,
    intermediate_size=64, vocab_size=400, tie_embeddings=True,
)  # fmt: skip

TINY = Scale(
    name="tiny",
    shapes={size: _TINY_SHAPE for size in TRUE.shapes},
    base_settings=(
        "finetune.max_seq_length=96", "finetune.batch_size=2", "finetune.gradient_accumulation=2",
        "generate.max_seq_length=128", "generate.max_new_tokens=6", "generate.num_beams=2",
    ),
    preset="llama-tiny",
    prompts=6,
    steps=3,
    warmup_steps=1,
    repeats=1,
    copy_bytes=2**20,
    matmul_size=64,
)  # fmt: skip

SCALES = {scale.name: scale for scale in (TRUE, TINY)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Setting:
    """One report: its data, its places and its sizes."""

    dataset: str
    split: Split
    results_dir: Path
    work: Path
    """Work folder: artefacts, random checkpoints, and what has been measured."""
    scale: Scale
    sizes: tuple[str, ...]
    seed: int = 0

    @property
    def folder(self) -> Path:
        """Where this report keeps what it has measured: another card or other data is another report."""
        card = re.sub(r"[^a-z0-9]+", "-", device_name().lower()).strip("-")
        return self.work / "gpu-report" / f"{card}-{self.scale.name}-{self.split.fingerprint[:12]}"

    def command(self, part: str) -> str:
        """What to type to measure a part again."""
        tiny = "" if self.scale is TRUE else f" --shape {self.scale.name} --device cpu"
        return (
            f"genrec-bench gpu-report --parts {part} --dataset {self.dataset} "
            f"--sizes {','.join(self.sizes)} --afresh{tiny}"
        )


def device_name() -> str:
    """Name of the GPU that torch uses, or 'cpu'."""
    import torch

    return str(torch.cuda.get_device_name()) if torch.cuda.is_available() else "cpu"
