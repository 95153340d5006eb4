"""Run one model on one split: in a process of its own, then score and record what it answered."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.cost.environment import describe_environment
from bench.errors import RecordError
from bench.files.placing import file_sha256
from bench.metrics.ranking import evaluate
from bench.metrics.starving import room_for_removal, trimmed
from bench.models import ModelEntry
from bench.progress import report
from bench.record import DEPTH, VERSION_FOLDER, ModelInfo, Record, dataset_info
from bench.records import store
from bench.records.audits import audit
from bench.run.cluster import Cluster, ask_workers
from bench.run.handover import Inputs, Job
from bench.run.process import ModelProcess
from bench.schema import Split
from bench.tuning.ledger import Ledger


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to run and where to keep the result."""

    entry: ModelEntry
    load: Callable[[], tuple[Split, float]]
    """Gives the split, and the seconds that reading and splitting took; called while the model starts up."""
    results_dir: Path
    command: str
    seed: int = 0
    depth: int = DEPTH
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Further keyword arguments of the model's constructor."""
    ledger: Ledger | None = None
    """How those arguments were chosen, where they were tuned."""
    cluster: Cluster | None = None
    """Workers that share the users; None for one process on this machine."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A finished run."""

    record: Record
    path: Path


def run(request: Request) -> Outcome:
    """Have the model fitted and asked for all test users' lists, score them and write the record.

    The model sees the training data and the test histories, in a process of its own; the targets
    stay here. Raises `bench.errors.Unavailable` if the model cannot run here, and ModelError for one
    that fails, writes into its inputs or gives lists that break the contract; nothing is written then.
    """
    created = datetime.now(UTC)
    entry = request.entry
    job = Job(
        entry=entry,
        seed=request.seed,
        arguments=request.arguments,
        spawned=time.monotonic(),
    )
    if request.cluster is not None:
        split, load_seconds = request.load()
        inputs = _inputs(split, request)
        answer = ask_workers(request.cluster, job, inputs)
    else:
        with ModelProcess(job) as process:  # it starts up while the data are read
            split, load_seconds = request.load()
            inputs = _inputs(split, request)
            answer = process.ask(inputs)
    rankings = trimmed(answer.rankings, inputs.histories, request.depth)
    report("score", 0, 1)
    begun = time.perf_counter()
    metrics = evaluate(split, rankings, depth=inputs.depth)
    audits = audit(split, rankings)
    score_seconds = time.perf_counter() - begun
    report("score", 1, 1)
    stages = {"load": load_seconds, **answer.cost.wall_seconds, "score": score_seconds}
    record = Record(
        status="complete",
        source="harness",
        created=created,
        command=_with_chosen(request.command, answer.details),
        seed=request.seed,
        depth=inputs.depth,
        removal_room=inputs.depth - request.depth,
        dataset=dataset_info(split),
        model=ModelInfo(
            name=entry.name,
            kind=entry.kind,
            parameters=answer.parameters,
            display_name=entry.display_name,
            authors=entry.authors,
            link=entry.link,
            uses_times=entry.uses_times,
            file_sha256=_file_digest(entry),
        ),
        metrics=metrics,
        cost=answer.cost.model_copy(
            update={"wall_seconds": {stage: round(seconds, 4) for stage, seconds in stages.items()}}
        ),
        environment=describe_environment(),
        details=answer.details,
        audits=audits,
        tuning=_with_test_scorings(request.ledger, split, request.results_dir),
    )
    path = store.write(record, split, rankings, answer.generations, request.results_dir)
    return Outcome(record=store.load_record(path).record, path=path)


def _inputs(split: Split, request: Request) -> Inputs:
    """Give what the model sees of the split, and how many items it is asked for a user."""
    histories, data = split.test.requests, split.training_data
    if not request.entry.uses_times:
        histories, data = histories.timeless(), data.timeless()
    room = room_for_removal(histories, request.depth)
    return Inputs(data=data, histories=histories, depth=request.depth + room)


def _with_chosen(command: str, details: Mapping[str, Any]) -> str:
    """Add the settings that were chosen on validation, of which the command typed says nothing."""
    chosen = details.get("chosen_settings")
    if not isinstance(chosen, list):
        return command
    return shlex.join([*shlex.split(command), *(word for one in chosen for word in ("--set", str(one)))])


def _file_digest(entry: ModelEntry) -> str | None:
    """SHA-256 of the file that a model of --model-file is in: its name alone would not bring it back."""
    path, _, _ = entry.target.rpartition(":")
    return file_sha256(Path(path)) if path.endswith(".py") else None


def _with_test_scorings(ledger: Ledger | None, split: Split, results_dir: Path) -> Ledger | None:
    """Add to the ledger how many records of the model on this data there are now, this run's included."""
    if ledger is None:
        return None
    earlier = 0
    for path in (results_dir / VERSION_FOLDER / split.dataset / ledger.model).glob("*Z-*.json"):
        try:
            earlier += store.load_record(path).record.dataset.fingerprint == split.fingerprint
        except RecordError:  # a note of invalidation, or a damaged file, which `results check` reports
            continue
    return ledger.model_copy(update={"scored_on_test": earlier + 1})
