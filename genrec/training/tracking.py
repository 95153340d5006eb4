"""Sends training curves to an experiment tracker, where the settings ask for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.errors import Unavailable
from genrec.config import Tracker

Log = Callable[[Mapping[str, float], int], None]
"""Takes values by name, and the optimizer step they belong to."""


@contextmanager
def open_log(tracker: Tracker, folder: Path, run_name: str, parameters: Mapping[str, Any]) -> Iterator[Log]:
    """Open the tracker for one run; TensorBoard files go to `folder`/tensorboard.

    Raises Unavailable if the tracker's package is not installed.
    """
    try:
        yield from _OPEN[tracker](folder, run_name, parameters)
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] == tracker:
            raise Unavailable(f"report_to: {tracker} needs a package: pip install {tracker}") from None
        raise


def _none(folder: Path, run_name: str, parameters: Mapping[str, Any]) -> Iterator[Log]:
    yield lambda values, step: None


def _tensorboard(folder: Path, run_name: str, parameters: Mapping[str, Any]) -> Iterator[Log]:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder / "tensorboard")) as writer:
        writer.add_text("parameters", str(dict(parameters)))

        def log(values: Mapping[str, float], step: int) -> None:
            for name, value in values.items():
                writer.add_scalar(name, value, step)

        yield log


def _wandb(folder: Path, run_name: str, parameters: Mapping[str, Any]) -> Iterator[Log]:
    import wandb

    with wandb.init(name=run_name, dir=folder, config=dict(parameters)) as run:
        yield lambda values, step: run.log(dict(values), step=step)


def _mlflow(folder: Path, run_name: str, parameters: Mapping[str, Any]) -> Iterator[Log]:
    import mlflow

    with mlflow.start_run(run_name=run_name):
        mlflow.log_params(dict(parameters))
        yield lambda values, step: mlflow.log_metrics(dict(values), step=step)


_OPEN: dict[str, Callable[[Path, str, Mapping[str, Any]], Iterator[Log]]] = {
    "none": _none,
    "tensorboard": _tensorboard,
    "wandb": _wandb,
    "mlflow": _mlflow,
}
