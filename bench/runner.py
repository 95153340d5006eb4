"""Run one model on one split: fit, recommend, score, record. The one file that knows the whole sequence."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bench import store
from bench.audits import audit
from bench.environment import describe_environment
from bench.errors import BenchError
from bench.measure import Meter, measure_latency
from bench.metrics import check_rankings, evaluate
from bench.progress import listening, report
from bench.records import Cost, DatasetInfo, Latency, ModelInfo, Record
from bench.registry import ModelEntry, create
from bench.run.guard import untouched
from bench.schema import Caching, Demanding, Generations, Rankings, Recommender, SelfReporting, Split

DEPTH = 50


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to run and where to keep the result."""

    entry: ModelEntry
    split: Split
    load_seconds: float
    """What reading the data set and splitting it took."""
    results_dir: Path
    command: str
    seed: int = 0
    depth: int = DEPTH
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Further keyword arguments of the model's constructor."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A finished run."""

    record: Record
    path: Path


def run(request: Request) -> Outcome:
    """Fit the model, ask it for all test users' lists, score them and write the record.

    Raises `bench.errors.Unavailable` if the model cannot run here, and BenchError for lists that
    break the contract; nothing is written then.
    """
    split, name = request.split, request.entry.name
    histories = split.test.histories
    model = create(request.entry, seed=request.seed, **request.arguments)
    data = split.training_data
    if isinstance(model, Demanding):
        model.check_available(data)
    created = datetime.now(UTC)
    with Meter() as meter:
        meter.wall_seconds["load"] = request.load_seconds
        with untouched(model, name, data=data), meter.stage("fit", energy=True), _shown("fit", 1):
            model.fit(data)
        with (
            untouched(model, name, histories=histories, data=data),
            meter.stage("recommend", energy=True),
            _shown("recommend", len(split.test)),
        ):
            rankings = model.recommend(histories, request.depth)
        # read now: the single requests below must not change what the run reports
        details, generations = _own_report(model)
        with untouched(model, name, histories=histories), meter.stage("latency"), _shown("latency", 1):
            latency = _latency(model, split, request.depth)
        with meter.stage("score"), _shown("score", 1):
            rankings = _checked(rankings, request)
            metrics = evaluate(split, rankings)
            audits = audit(split, rankings)
    record = Record(
        status="complete",
        source="harness",
        created=created,
        command=request.command,
        seed=request.seed,
        depth=request.depth,
        dataset=dataset_info(split),
        model=_model_info(request.entry, model),
        metrics=metrics,
        cost=_cost(meter, latency, len(split.test), details.get("carried_seconds", {})),
        environment=describe_environment(),
        details=details,
        audits=audits,
    )
    path = store.write(record, split, rankings, generations, request.results_dir)
    return Outcome(record=store.load_record(path).record, path=path)


@contextmanager
def _shown(stage: str, total: int) -> Iterator[None]:
    """Report a stage's start and end; what the model reports in between is its own."""
    report(stage, 0, total)
    yield
    report(stage, total, total)


def dataset_info(split: Split) -> DatasetInfo:
    """Describe the split as a record does."""
    return DatasetInfo(
        name=split.dataset,
        fingerprint=split.fingerprint,
        ties=split.ties,
        split=split.name,
        users=len(split.test),
        items=len(split.catalogue),
        interactions=split.interactions,
        unseen_users=None if split.cut is None else split.unseen_users,
        unseen_targets=None if split.cut is None else split.unseen_targets,
    )


def _own_report(model: Recommender) -> tuple[dict[str, Any], Generations | None]:
    if not isinstance(model, SelfReporting):
        return {}, None
    details = dict(model.details())
    try:
        json.dumps(details, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BenchError(
            f"details() of {type(model).__name__} must be plain JSON without NaN: {error}"
        ) from None
    return details, model.generations()


def _latency(model: Recommender, split: Split, depth: int) -> Latency | None:
    ask = model.recommend_afresh if isinstance(model, Caching) else model.recommend
    histories = split.test.histories
    with listening(lambda *_: None):  # a model reports each single request as a whole run
        return measure_latency(lambda row: ask(histories.take(np.array([row])), depth), len(histories))


def _checked(rankings: Rankings, request: Request) -> Rankings:
    name, depth = request.entry.name, request.depth
    try:
        lists = check_rankings(rankings, len(request.split.catalogue), len(request.split.test))
    except BenchError as error:
        raise BenchError(f"model '{name}' broke the contract of ranked lists: {error}") from None
    if lists.shape[1] > depth:
        raise BenchError(f"model '{name}' returned lists of {lists.shape[1]} items, asked for {depth}")
    return lists


def _model_info(entry: ModelEntry, model: Recommender) -> ModelInfo:
    return ModelInfo(
        name=entry.name,
        kind=entry.kind,
        parameters=dict(getattr(model, "parameters", {})),
        display_name=entry.display_name,
        authors=entry.authors,
        link=entry.link,
    )


def _cost(meter: Meter, latency: Latency | None, users: int, carried: Mapping[str, float]) -> Cost:
    wall = {name: round(seconds + carried.get(name, 0.0), 4) for name, seconds in meter.wall_seconds.items()}
    return Cost(
        wall_seconds=wall,
        users_per_second=round(users / wall["recommend"], 3) if wall["recommend"] > 0 else None,
        latency_ms=latency,
        peak_rss_bytes=meter.peak_rss_bytes,
        peak_vram_bytes=meter.peak_vram_bytes,
        energy_joules=meter.energy_joules,
        memory_timeline=_thinned(meter.timeline),
    )


def _thinned(samples: list[Any], limit: int = 600) -> list[Any]:
    """Keep a long run's timeline readable: at most `limit` samples, evenly spread, ends kept."""
    if len(samples) <= limit:
        return samples
    return [samples[int(index)] for index in np.linspace(0, len(samples) - 1, num=limit)]
