"""What a run and the process of its model hand each other, as files in a folder that only they know.

The model gets the training data and the test histories, never the test targets; its arrays lie on
memory that cannot be made writable. Back come arrays and plain JSON, which are read without pickle.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench import errors
from bench.errors import BenchError, ModelError
from bench.models import ModelEntry
from bench.record_parts import Cost
from bench.schema import Generations, Histories, Rankings, TrainingData

JOB, INPUTS, ANSWER, ARRAYS, FAILURE = (
    "job.pickle",
    "inputs.pickle",
    "answer.json",
    "arrays.npz",
    "failure.json",
)


@dataclass(frozen=True, kw_only=True)
class Job:
    """Which model to make, known before the data are."""

    entry: ModelEntry
    seed: int
    arguments: Mapping[str, Any]
    spawned: float
    """`time.monotonic()` when the process was asked for; all processes of a machine share that clock."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Inputs:
    """All that a model sees."""

    data: TrainingData
    histories: Histories
    depth: int
    """Items asked for a user."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """What the model made of it, and what that took."""

    rankings: Rankings
    generations: Generations | None
    details: dict[str, Any]
    parameters: dict[str, Any]
    cost: Cost
    """Without the stages that the harness goes through itself."""


def write_job(folder: Path, job: Job) -> None:
    """Leave the job for the model's process."""
    (folder / JOB).write_bytes(pickle.dumps(job))


def read_job(folder: Path) -> Job:
    """Read what `write_job` left."""
    job: Job = pickle.loads((folder / JOB).read_bytes())
    return job


def write_inputs(folder: Path, inputs: Inputs) -> None:
    """Leave the data, arrays apart from the rest."""
    buffers: list[pickle.PickleBuffer] = []
    rest = pickle.dumps(inputs, protocol=5, buffer_callback=buffers.append)
    with (folder / INPUTS).open("wb") as file:
        pickle.dump((rest, [bytes(buffer.raw()) for buffer in buffers]), file)


def read_inputs(folder: Path) -> Inputs:
    """Read what `write_inputs` left, the arrays on `bytes`, which nothing can make writable."""
    with (folder / INPUTS).open("rb") as file:
        rest, buffers = pickle.load(file)
    inputs: Inputs = pickle.loads(rest, buffers=buffers)
    return inputs


def write_answer(folder: Path, answer: Answer) -> None:
    """Leave the answer for the harness."""
    arrays = {"rankings": answer.rankings}
    texts = None
    if (generations := answer.generations) is not None:
        texts = generations.texts
        arrays |= {
            name: getattr(generations, name) for name in ("users", "indptr", "log_likelihoods", "items")
        }
    np.savez(folder / ARRAYS, **arrays)  # type: ignore[arg-type]  # numpy's stub knows no keywords
    rest = {
        "details": answer.details,
        "parameters": answer.parameters,
        "cost": answer.cost.model_dump(mode="json"),
        "texts": texts,
    }
    (folder / ANSWER).write_text(json.dumps(rest, allow_nan=False), encoding="utf-8")


def read_answer(folder: Path) -> Answer:
    """Read what `write_answer` left."""
    rest = json.loads((folder / ANSWER).read_text(encoding="utf-8"))
    with np.load(folder / ARRAYS, allow_pickle=False) as file:
        arrays = dict(file)
    rankings = arrays.pop("rankings")
    generations = None if rest["texts"] is None else Generations(texts=tuple(rest["texts"]), **arrays)
    return Answer(
        rankings=rankings,
        generations=generations,
        details=rest["details"],
        parameters=rest["parameters"],
        cost=Cost.model_validate(rest["cost"]),
    )


def write_failure(folder: Path, error: BenchError) -> None:
    """Leave the error for the harness, which raises it again."""
    failure = {"kind": type(error).__name__, "message": str(error)}
    (folder / FAILURE).write_text(json.dumps(failure), encoding="utf-8")


def raise_failure(folder: Path) -> None:
    """Raise what `write_failure` left, if it left anything."""
    path = folder / FAILURE
    if path.is_file():
        failure = json.loads(path.read_text(encoding="utf-8"))
        kind = getattr(errors, failure["kind"], ModelError)
        raise kind(failure["message"])
