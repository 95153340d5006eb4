"""Whether a generative model can run here, found out before anything is loaded.

Each obstacle is one line: what is missing, and the command or setting that gets it.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Literal

from bench.errors import Unavailable
from genrec.config import FinetuneSettings, Preset

EXTRA = "pip install 'genrec-bench[llm]'"
UNSLOTH_PYTHON = "GENREC_BENCH_UNSLOTH_PYTHON"
"""Environment variable: the Python of a separate environment that holds unsloth."""

NO_UNSLOTH = (
    "unsloth is not installed; get it with: pip install 'genrec-bench[unsloth]', "
    f"or name the Python of another environment in {UNSLOTH_PYTHON}"
)


def check_available(preset: Preset, name: str, *, finetuned: bool) -> None:
    """Raise Unavailable if packages, GPU, weights or device memory are missing.

    `finetuned`: the artefact is finished, so that only generation has to fit.
    """
    _require_packages(preset, finetuned=finetuned)
    require_gpu(preset, name)
    folder = None
    if preset.base_model is not None:
        from genrec.weights.base_model import find_base_model

        folder = find_base_model(preset.base_model, preset.revision).folder
    _require_memory(preset, name, folder, finetuned=finetuned)


def import_libraries(preset: Preset) -> None:
    """Import what fit and recommend will use: seconds that are a start-up's, not the model's."""
    import safetensors.torch  # noqa: F401
    from transformers.models.auto import modeling_auto, tokenization_auto  # noqa: F401
    from transformers.models.llama import modeling_llama  # noqa: F401

    import bench.retrieval.bm25  # noqa: F401
    import genrec.decoding.engine  # noqa: F401

    if preset.finetune.backend != "full":
        import peft  # noqa: F401
    if preset.finetune.four_bit or preset.finetune.optimizer != "adamw":
        import bitsandbytes  # noqa: F401


def _require_packages(preset: Preset, *, finetuned: bool) -> None:
    settings = preset.finetune
    needed = ["torch", "transformers", "tokenizers"]
    if settings.backend != "full":
        needed.append("peft")
    if settings.four_bit or settings.optimizer != "adamw":
        needed.append("bitsandbytes")
    missing = [package for package in needed if importlib.util.find_spec(package) is None]
    if missing:
        raise Unavailable(f"not installed: {', '.join(missing)}; get it with: {EXTRA}")
    if settings.backend == "unsloth" and not finetuned and not has_unsloth():
        raise Unavailable(f"{NO_UNSLOTH}, or --set finetune.backend=peft")


Chosen = Literal["unsloth", "peft", "full"]
"""A backend of training (see `genrec.training.backends`) that `auto` can become."""


def choose_backend(settings: FinetuneSettings) -> Chosen:
    """Resolve 'auto': unsloth where it is installed, a GPU is there and the layout suits it, else peft."""
    if settings.backend != "auto":
        return settings.backend
    if settings.batching == "packed" or not has_unsloth() or importlib.util.find_spec("torch") is None:
        return "peft"
    import torch

    return "unsloth" if torch.cuda.is_available() else "peft"


def has_unsloth() -> bool:
    """Whether unsloth is in this environment, or another one is named that should hold it."""
    return bool(os.environ.get(UNSLOTH_PYTHON)) or importlib.util.find_spec("unsloth") is not None


def require_gpu(preset: Preset, name: str) -> None:
    """Raise Unavailable for a preset that needs a GPU where there is none."""
    import torch

    if preset.needs_gpu and not torch.cuda.is_available():
        raise Unavailable(
            f"{name} needs a CUDA GPU and there is none here; to see what it would take: "
            f"genrec-bench estimate {name}; to run it on the CPU, very slowly: --set needs_gpu=false"
        )


def _require_memory(preset: Preset, name: str, folder: Path | None, *, finetuned: bool) -> None:
    import torch

    if not torch.cuda.is_available():
        return
    from genrec.forecast.memory import finetune_memory, generate_memory
    from genrec.weights.base_model import shape_of_checkpoint
    from genrec.weights.shapes import shape_of

    if preset.architecture is not None:
        shape = shape_of(preset.architecture)
    else:
        assert folder is not None  # Preset: exactly one of base_model and architecture
        shape = shape_of_checkpoint(folder)
    longest = preset.finetune.max_seq_length
    stages = {"generation": generate_memory(shape, preset.finetune, preset.generate, longest=longest)}
    if not finetuned:
        stages["fine-tuning"] = finetune_memory(shape, preset.finetune, longest=longest)
    free, _ = torch.cuda.mem_get_info()
    for stage, memory in stages.items():
        if memory.total > free:
            raise Unavailable(
                f"{name} needs about {memory.total / 2**30:.1f} GiB of GPU memory for {stage} and "
                f"{free / 2**30:.1f} GiB are free; where it goes: genrec-bench estimate {name} "
                f"--gpu {free / 2**30:.0f}GB; a smaller batch: --set finetune.batch_size=1"
            )
