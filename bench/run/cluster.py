"""One model on several machines: users in shards, one for each worker that Ray starts; needs the extra `ray`.

A worker goes through all that a run on one machine does (`bench.run.worker`: a process of the model's own,
read-only inputs, measured), for its shard of the users. Lists do not depend on which users are asked for
together, which `bench.contract` tests, so the shards put in order are the lists of one process. A worker that
dies is started again by Ray, and only its shard is done again.

Machines need the same packages as this one, and a model that keeps what it learned (GENREC_BENCH_WORK) a
folder that all of them see; else each fits anew.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench.errors import BenchError, ConfigError, ModelError
from bench.progress import report
from bench.record_parts import Cost
from bench.run.handover import Answer, Inputs, Job
from bench.run.process import ModelProcess
from bench.schema import Generations, Histories, TrainingData

MISSING = "workers need Ray, which is not installed: pip install -e '.[ray]'"
RETRIES = 3
"""How often a shard is begun again whose worker died."""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Where the workers are: on this machine or, with an address, on a cluster that is running."""

    workers: int
    address: str | None = None


def ask_workers(cluster: Cluster, job: Job, inputs: Inputs) -> Answer:
    """Have each worker asked for a shard of the users; give one answer, users in order.

    Raises what stopped a model, as `ModelProcess.ask` does, ModelError where workers kept dying, and
    ConfigError for a cluster that cannot be joined.
    """
    import ray

    with _joined(cluster):
        ask = ray.remote(_ask_shard).options(max_retries=RETRIES, num_gpus=_gpus_each(cluster.workers))
        data = ray.put(inputs.data)
        shards = [
            inputs.histories.take(rows)
            for rows in np.array_split(np.arange(len(inputs.histories)), cluster.workers)
            if len(rows)
        ]
        waiting = [ask.remote(job, data, shard, inputs.depth) for shard in shards]
        answers: dict[Any, tuple[str, Answer]] = {}
        try:
            while len(answers) < len(waiting):
                ready, _ = ray.wait([one for one in waiting if one not in answers])
                answers |= {one: ray.get(one) for one in ready}
                report("workers", len(answers), len(waiting))
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, BenchError):
                raise error.cause from None
            raise ModelError(f"a worker of model '{job.entry.name}' failed: {error}") from None
        except ray.exceptions.RayError as error:
            raise ModelError(
                f"a worker of model '{job.entry.name}' died {RETRIES + 1} times: {error}"
            ) from None
    return _merged([answers[one] for one in waiting], shards)


def _ask_shard(job: Job, data: TrainingData, histories: Histories, depth: int) -> tuple[str, Answer]:
    """Run in a worker: ask a process of the model's own for this shard; also give the machine's name."""
    with ModelProcess(replace(job, spawned=time.monotonic())) as process:
        return socket.gethostname(), process.ask(Inputs(data=data, histories=histories, depth=depth))


@contextmanager
def _joined(cluster: Cluster) -> Iterator[None]:
    import ray

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    local: dict[str, Any] = {"num_cpus": cluster.workers} if cluster.address is None else {}
    try:
        ray.init(address=cluster.address or "local", include_dashboard=None if cluster.address else False,
                 configure_logging=False, log_to_driver=False, **local)  # fmt: skip
    except (ConnectionError, ValueError) as error:
        raise ConfigError(f"cannot join the Ray cluster {cluster.address}: {error}") from None
    try:
        yield
    finally:
        ray.shutdown()


def _gpus_each(workers: int) -> float:
    """Give each worker its share of the cluster's GPUs, at most one."""
    import ray

    return min(1.0, float(ray.cluster_resources().get("GPU", 0)) / workers)


def _merged(answers: Sequence[tuple[str, Answer]], shards: Sequence[Histories]) -> Answer:
    """Put the shards' answers together; what a run as a whole says of itself is the first worker's."""
    first = answers[0][1]
    costs = [
        {
            "machine": machine,
            "users": len(shard),
            "wall_seconds": answer.cost.wall_seconds,
            "peak_rss_bytes": answer.cost.peak_rss_bytes,
        }
        for (machine, answer), shard in zip(answers, shards, strict=True)
    ]
    texts = [answer.generations for _, answer in answers]
    return Answer(
        rankings=np.concatenate([answer.rankings for _, answer in answers]),
        generations=_in_order([one for one in texts if one is not None]),
        details={**first.details, "workers": costs},
        parameters=first.parameters,
        cost=_of_all([answer.cost for _, answer in answers], sum(map(len, shards))),
    )


def _in_order(parts: Sequence[Generations]) -> Generations | None:
    if not parts:
        return None
    lengths = np.concatenate([np.diff(part.indptr) for part in parts])
    return Generations(
        users=np.concatenate([part.users for part in parts]),
        indptr=np.concatenate([[0], np.cumsum(lengths)]),
        texts=tuple(text for part in parts for text in part.texts),
        log_likelihoods=np.concatenate([part.log_likelihoods for part in parts]),
        items=np.concatenate([part.items for part in parts]),
    )


def _of_all(costs: Sequence[Cost], users: int) -> Cost:
    """Time and memory of the worker that took most of each; energy of all; single requests of the first."""
    stages = list(costs[0].wall_seconds)
    wall = {stage: max(cost.wall_seconds.get(stage, 0.0) for cost in costs) for stage in stages}
    energies = [cost.energy_joules for cost in costs if cost.energy_joules is not None]
    largest = max(costs, key=lambda cost: cost.peak_rss_bytes or 0)
    return largest.model_copy(
        update={
            "wall_seconds": wall,
            "users_per_second": round(users / wall["recommend"], 3) if wall.get("recommend") else None,
            "latency_ms": costs[0].latency_ms,
            "energy_joules": sum(energies) if energies else None,
        }
    )
