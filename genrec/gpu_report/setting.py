"""What a report measures: data, places and sizes; true sizes for a GPU, tiny ones to try it on a CPU."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.schema import Split
from genrec.shapes import LLAMA_SHAPES, Shape


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
    preset_settings: tuple[str, ...] = ()
    candidates: tuple[tuple[str, ...], ...]
    """Overrides of that preset, of which the best on validation is taken."""
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
    # a part may be stopped at any time; a checkpoint a minute loses little
    preset_settings=("finetune.checkpoint_minutes=1",),
    # All see about as many tokens. A model of 0.24 million weights, one epoch on a CPU, put 4 (loss on the
    # text), 7 (four windows), 11 (loss on the target) and 11 (both) of 1,118 validation targets among its
    # first five: too few to decide by.
    candidates=(
        (),
        ("finetune.train_windows=4", "finetune.epochs=3"),
        ("finetune.train_windows=4", "finetune.epochs=3", "finetune.loss_on=target"),
    ),
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
    preset_settings=(
        "architecture.vocab_size=400", "architecture.hidden_size=32", "architecture.intermediate_size=64",
        "architecture.heads=2", "architecture.kv_heads=2", "finetune.max_steps=4", "finetune.batch_size=4",
        "finetune.max_seq_length=128", "generate.max_seq_length=128", "generate.max_new_tokens=8",
        "generate.num_beams=2", "generate.calrec_samples=3",
    ),
    candidates=((), ("finetune.learning_rate=1.0e-3",)),
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
    load_split: Callable[[str], Split]
    """Gives the split of a tie rule."""
    results_dir: Path
    work: Path
    """Work folder: artefacts, random checkpoints, and what has been measured."""
    scale: Scale
    sizes: tuple[str, ...]
    seed: int = 0
    _splits: dict[str, tuple[Split, float]] = field(default_factory=dict)

    def split(self, ties: str = "file") -> Split:
        """The split of a tie rule, read once."""
        return self._loaded(ties)[0]

    def load_seconds(self, ties: str = "file") -> float:
        """What reading that split took."""
        return self._loaded(ties)[1]

    @property
    def folder(self) -> Path:
        """Where this report keeps what it has measured: another card or other data is another report."""
        card = re.sub(r"[^a-z0-9]+", "-", device_name().lower()).strip("-")
        return self.work / "gpu-report" / f"{card}-{self.scale.name}-{self.split().fingerprint[:12]}"

    def command(self, part: str) -> str:
        """What to type to measure a part again."""
        tiny = "" if self.scale is TRUE else f" --shape {self.scale.name} --device cpu"
        return (
            f"genrec-bench gpu-report --parts {part} --dataset {self.dataset} "
            f"--sizes {','.join(self.sizes)} --afresh{tiny}"
        )

    def _loaded(self, ties: str) -> tuple[Split, float]:
        if ties not in self._splits:
            start = time.perf_counter()
            split = self.load_split(ties)
            self._splits[ties] = (split, time.perf_counter() - start)
        return self._splits[ties]


def device_name() -> str:
    """Name of the GPU that torch uses, or 'cpu'."""
    import torch

    return str(torch.cuda.get_device_name()) if torch.cuda.is_available() else "cpu"
