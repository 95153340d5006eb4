"""What a model's own process does: construct it, fit it, ask for lists, time single requests, hand back.

Started by `bench.run.process`. Reports of progress go out by what was the standard output; what a
model prints goes to the standard error. When the harness ends, however it ends, so does this process.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bench.cost.meter import Meter, latency_of, measure_latency, thinned
from bench.errors import BenchError, ModelError, RankingError
from bench.guard import untouched
from bench.metrics.ranking import check_rankings
from bench.models import create
from bench.progress import listening, report
from bench.recommender import (
    ChecksAvailability,
    KeepsAnswers,
    Recommender,
    SelfReporting,
    TimesRequests,
)
from bench.record_parts import Cost, Latency, PeakVram
from bench.run.handover import Answer, Job, read_inputs, read_job, write_answer, write_failure
from bench.schema import Generations, Histories, Rankings

TIMELINE_SAMPLES = 600
"""Of memory over time, in a record."""
REPORT_SECONDS = 0.05
"""Progress is passed on no more often than this; nobody reads faster."""


def main(folder: Path) -> None:
    """Do the job that lies in `folder`, and leave the answer or the reason that there is none."""
    harness = _Harness()
    name = "?"
    try:
        job = read_job(folder)
        name = job.entry.name
        with listening(harness.tell):
            answer = _answer(job, folder, harness)
        write_answer(folder, answer)
    except KeyboardInterrupt:
        sys.exit(130)
    except BenchError as error:
        write_failure(folder, error)
    except BaseException as error:  # SystemExit too: the model must not decide how this ends
        write_failure(folder, _described(error, name))
    harness.close()


class _Harness:
    """The two pipes to the process that started this one."""

    def __init__(self) -> None:
        self._control = os.dup(0)
        self._reports = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
        with Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        os.dup2(2, 1)
        if hasattr(os, "register_at_fork"):  # a model's forked workers must not keep the pipe open
            os.register_at_fork(after_in_child=self.close)
        self._last: dict[str, float] = {}

    def wait_for_inputs(self) -> None:
        """Wait until the harness says that the data are there; from then on, end when it ends."""
        if not os.read(self._control, 1):
            os._exit(1)
        threading.Thread(target=self._end_with_it, daemon=True).start()

    def tell(self, what: str, done: int, total: int, note: str) -> None:
        """Pass a report of progress on: the first, the last, and some in between."""
        now = time.monotonic()
        if done < total and now - self._last.get(what, 0.0) < REPORT_SECONDS:
            return
        self._last[what] = now
        print(json.dumps([what, done, total, note]), file=self._reports)

    def close(self) -> None:
        """Tell the harness that nothing more will come."""
        self._reports.close()

    def _end_with_it(self) -> None:
        os.read(self._control, 1)
        os._exit(1)


def _answer(job: Job, folder: Path, harness: _Harness) -> Answer:
    name = job.entry.name
    model = create(job.entry, seed=job.seed, **job.arguments)
    started = time.monotonic() - job.spawned
    harness.wait_for_inputs()  # while the data set is read, which is no cost of the model
    begun = time.monotonic()
    inputs = read_inputs(folder)
    data, histories, depth = inputs.data, inputs.histories, inputs.depth
    if isinstance(model, ChecksAvailability):
        model.check_available(data)
    with Meter() as meter:
        meter.wall_seconds["start"] = started + time.monotonic() - begun
        start_rss_bytes = meter.rss_bytes()
        with untouched(model, name, data=data), meter.stage("fit", energy=True), _shown("fit", 1):
            model.fit(data)
        with (
            untouched(model, name, histories=histories, data=data),
            meter.stage("recommend", energy=True),
            _shown("recommend", len(histories)),
        ):
            lists = model.recommend(histories, depth)
        rankings = _checked(lists, name, users=len(histories), items=len(data.catalogue), depth=depth)
        # read now: the single requests below must not change what the run reports
        details, generations = _own_report(model)
        parameters = _plain(getattr(model, "parameters", {}), f"parameters of model '{name}'")
        with untouched(model, name, histories=histories), meter.stage("latency"), _shown("latency", 1):
            latency = _latency(model, histories, depth)
    return Answer(
        rankings=rankings,
        generations=generations,
        details=details,
        parameters=parameters,
        cost=_cost(meter, start_rss_bytes, latency, len(histories), details),
    )


@contextmanager
def _shown(stage: str, total: int) -> Iterator[None]:
    """Report a stage's start and end; what the model reports in between is its own."""
    report(stage, 0, total)
    yield
    report(stage, total, total)


def _checked(lists: Any, name: str, *, users: int, items: int, depth: int) -> Rankings:
    try:
        rankings = check_rankings(lists, items, users)
        if rankings.shape[1] > depth:
            raise RankingError(f"asked for {depth} items a user, got {rankings.shape[1]}")
    except RankingError as error:
        raise ModelError(f"model '{name}' broke the contract of ranked lists: {error}") from None
    return rankings


def _own_report(model: Recommender) -> tuple[dict[str, Any], Generations | None]:
    if not isinstance(model, SelfReporting):
        return {}, None
    return _plain(model.details(), f"details() of {type(model).__name__}"), model.generations()


def _plain(facts: Mapping[str, Any], whose: str) -> dict[str, Any]:
    try:
        plain: dict[str, Any] = json.loads(json.dumps(dict(facts), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ModelError(f"{whose} must be plain JSON without NaN: {error}") from None
    return plain


def _latency(model: Recommender, histories: Histories, depth: int) -> Latency | None:
    if isinstance(model, TimesRequests) and (seconds := model.request_seconds()) is not None:
        return latency_of(seconds)
    ask = model.recommend_afresh if isinstance(model, KeepsAnswers) else model.recommend
    with listening(lambda *_: None):  # a model reports each single request as a whole run
        return measure_latency(lambda row: ask(histories.take(np.array([row])), depth), len(histories))


def _cost(
    meter: Meter, start_rss_bytes: int, latency: Latency | None, users: int, details: Mapping[str, Any]
) -> Cost:
    carried, peaks = details.get("carried_seconds", {}), details.get("carried_peak_bytes", {})
    wall = {name: round(seconds + carried.get(name, 0.0), 4) for name, seconds in meter.wall_seconds.items()}
    return Cost(
        wall_seconds=wall,
        users_per_second=round(users / wall["recommend"], 3) if wall["recommend"] > 0 else None,
        latency_ms=latency,
        start_rss_bytes=start_rss_bytes,
        peak_rss_bytes=max(meter.peak_rss_bytes, peaks.get("rss", 0)),
        peak_vram_bytes=_with_carried(meter.peak_vram_bytes, peaks),
        energy_joules=meter.energy_joules,
        memory_timeline=thinned(
            meter.timeline, TIMELINE_SAMPLES, lambda at: at.rss_bytes, lambda at: at.vram_bytes or 0
        ),
    )


def _with_carried(measured: PeakVram | None, peaks: Mapping[str, int]) -> PeakVram | None:
    """Raise the peaks of this process to those of the work that was taken over."""
    carried = {name: peaks[name] for name in ("allocated", "reserved") if name in peaks}
    if not carried:
        return measured
    known = measured or PeakVram()
    return known.model_copy(
        update={name: max(count, getattr(known, name) or 0) for name, count in carried.items()}
    )


def _described(error: BaseException, name: str) -> ModelError:
    """Say what the model raised, with its traceback from the model's own code on."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == __file__ and frames.tb_next:
        frames = frames.tb_next
    trace = "".join(traceback.format_exception(type(error), error, frames)).strip()
    return ModelError(f"model '{name}' raised {type(error).__name__}: {error}\n\n{trace}")
