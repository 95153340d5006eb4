"""What is measured: data, places and sizes; true sizes for a GPU, tiny ones to try it on a CPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.schema import Split
from genrec.weights.shapes import LLAMA_SHAPES, Shape


@dataclass(frozen=True, kw_only=True, eq=False)
class Scale:
    """Sizes of everything that is run."""

    name: str
    shapes: Mapping[str, Shape]
    """Shapes of the random-weight models, by size ('1b')."""
    base_settings: tuple[str, ...] = ()
    """Overrides of the published presets, beside the base model itself."""
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
    prompts=6,
    steps=3,
    warmup_steps=1,
    repeats=1,
    copy_bytes=2**20,
    matmul_size=64,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Setting:
    """Data, places and sizes of a measurement."""

    dataset: str
    split: Split
    results_dir: Path
    work: Path
    """Work folder: artefacts and random checkpoints."""
    scale: Scale
    seed: int = 0

    def command(self, case: str) -> str:
        """What to type to measure a case again."""
        return f"pytest bench --benchmark --dataset {self.dataset} -k {case}"


def device_name() -> str:
    """Name of the GPU that torch uses, or 'cpu'."""
    import torch

    return str(torch.cuda.get_device_name()) if torch.cuda.is_available() else "cpu"
