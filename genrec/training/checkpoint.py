"""The state of a training run on disk: enough to go on as if nothing had happened.

One file, replaced atomically: trainable weights, optimizer, random generators and progress. Weights
of the best evaluation lie beside it in a file of their own, named by their step, so that a kill
between the two writes leaves a checkpoint whose best weights are still there.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.files.atomic import replace_file

CHECKPOINT = "checkpoint.pt"


@dataclass(kw_only=True)
class Progress:
    """How far training has come; plain numbers only."""

    step: int = 0
    """Optimizer steps done."""
    finished: bool = False
    best_loss: float | None = None
    best_step: int = 0
    evaluations_since_best: int = 0
    seconds: float = 0.0
    """Training time over all attempts."""
    tokens: int = 0
    """Real tokens read, padding not counted."""
    padded_tokens: int = 0
    """Tokens computed, padding counted."""
    train_loss: list[tuple[int, float]] = field(default_factory=list)
    """(step, mean loss per token since the entry before)."""
    eval_loss: list[tuple[int, float]] = field(default_factory=list)
    memory: list[dict[str, float]] = field(default_factory=list)
    """Samples of at most one a second: seconds, step, rss_bytes, and on a GPU vram_*_bytes."""


def trainable(model: Any) -> dict[str, Any]:
    """Parameters that training changes, by name; tied ones appear once."""
    return {name: value for name, value in model.named_parameters() if value.requires_grad}


def load_weights(model: Any, weights: Mapping[str, Any]) -> None:
    """Copy weights saved from `trainable` back into the model."""
    import torch

    parameters = trainable(model)
    if parameters.keys() != weights.keys():
        raise ValueError("the saved weights are of another model")
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(weights[name])


def save(folder: Path, model: Any, optimizer: Any, progress: Progress) -> None:
    """Write the whole state, then drop the best weights that it no longer names."""
    import torch

    state = {
        "weights": {name: value.detach().cpu() for name, value in trainable(model).items()},
        "optimizer": optimizer.state_dict(),
        "progress": asdict(progress),
        "rng": torch.get_rng_state(),
        "rng_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
    }
    replace_file(folder / CHECKPOINT, lambda path: torch.save(state, path))
    for path in folder.glob("best-*.safetensors"):
        if path != best_path(folder, progress.best_step):
            path.unlink()


def restore(folder: Path, model: Any, optimizer: Any) -> Progress | None:
    """Bring model and optimizer to the state of the checkpoint; None where there is none to use.

    A damaged checkpoint is set aside as `checkpoint.pt.damaged` and training starts anew.
    """
    import torch

    path = folder / CHECKPOINT
    if not path.is_file():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        progress = Progress(**state["progress"])
        load_weights(model, state["weights"])
        optimizer.load_state_dict(state["optimizer"])
    except Exception as error:  # torch reports damage in many types
        path.replace(path.with_name(f"{CHECKPOINT}.damaged"))
        warnings.warn(f"{path} cannot be used ({error}); training starts anew", stacklevel=2)
        return None
    torch.set_rng_state(state["rng"])
    if state["rng_cuda"]:
        torch.cuda.set_rng_state_all(state["rng_cuda"])
    return progress


def remove(folder: Path) -> None:
    """Delete what only a run that goes on would need."""
    for path in (folder / CHECKPOINT, *folder.glob("best-*.safetensors")):
        path.unlink(missing_ok=True)


def best_path(folder: Path, step: int) -> Path:
    """Where the weights of the best evaluation lie."""
    return folder / f"best-{step}.safetensors"


def save_best(folder: Path, model: Any, step: int) -> None:
    """Keep the weights as they are at this step."""
    from safetensors.torch import save_file

    weights = {name: value.detach().cpu().contiguous() for name, value in trainable(model).items()}
    replace_file(best_path(folder, step), lambda path: save_file(weights, path))


def load_best(folder: Path, model: Any, step: int) -> None:
    """Put the best weights back into the model."""
    from safetensors.torch import load_file

    load_weights(model, load_file(best_path(folder, step)))
