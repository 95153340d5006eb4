"""A fused row as a record: the members' lists and costs put together, the weights with their ledger."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

from bench.cost.environment import describe_environment
from bench.fusion import tiers
from bench.fusion.members import test_lists, whole_cost
from bench.fusion.rrf import CONSTANTS, STEPS, Fusion, fuse
from bench.metrics.ranking import evaluate, ranks_in_view, user_outcomes
from bench.record import DEPTH, Record, View, dataset_info
from bench.record_parts import Cost
from bench.records import store
from bench.records.audits import audit
from bench.records.store import StoredRecord
from bench.schema import Int64Array, Split
from bench.submission.score import Entry, model_info
from bench.tuning.ledger import Ledger


def write_fused(
    entry: Entry,
    models: list[str],
    stored: list[StoredRecord],
    chosen: Fusion,
    split: Split,
    *,
    metric: str,
    view: View,
    command: str,
    results_dir: Path,
    seed: int,
) -> tuple[Path, Record]:
    """Fuse the test lists of the members' records by the chosen weights, score and write.

    Its cost is that of all members together and of the fusing.
    """
    created = datetime.now(UTC)
    begun = time.perf_counter()
    lists = [test_lists(one, split) for one in stored]
    rankings = fuse(lists, chosen.weights, chosen.constant, len(split.catalogue), DEPTH)
    cost = whole_cost([one.record for one in stored])
    environment = describe_environment()
    fusing = time.perf_counter() - begun
    parameters = {"weights": list(chosen.weights), "constant": chosen.constant}
    ledger = None
    if chosen.value is not None:
        ledger = Ledger(
            model=entry.name,
            dataset=split.dataset,
            split=split.name,
            ties=split.ties,
            fingerprint=split.fingerprint,
            command=command,
            created=created,
            commit=environment.commit,
            validation="validation users of the split",
            users=len(split.validation),
            metric=metric,
            view=view,
            sampler="grid",
            seed=seed,
            space={
                "weights": {"kind": "simplex", "step": 1 / STEPS},
                "constant": {"kind": "oneof", "options": list(CONSTANTS)},
            },
            trials=chosen.trials,
            seconds=round(fusing * chosen.trials, 1),
            default_value=None,
            value=chosen.value,
            chosen=parameters,
        )
    on_validation = f"validation_{metric}"
    members = [
        {"model": model, "record": one.id, "weight": weight}
        | ({} if value is None else {on_validation: value})
        for model, one, weight, value in zip(models, stored, chosen.weights, chosen.alone, strict=True)
    ]
    info = model_info(entry).model_copy(
        update={
            "display_name": f"Fused: {', '.join(models)}"[:120],
            "authors": "genrec-bench",
            "parameters": {"members": models, **parameters},
        }
    )
    record = Record(
        status="complete",
        source="harness",
        created=created,
        command=command,
        seed=seed,
        depth=DEPTH,
        dataset=dataset_info(split),
        model=info,
        metrics=evaluate(split, rankings),
        cost=_served(cost, {"fuse": fusing}, len(split.test)),
        environment=environment,
        details={
            "fusion": {"members": members} | ({} if chosen.value is None else {on_validation: chosen.value})
        },
        audits=audit(split, rankings),
        tuning=ledger,
    )
    path = store.write(record, split, rankings, None, results_dir)
    return path, store.load_record(path).record


def write_tiered(
    entry: Entry,
    stored: list[StoredRecord],
    order: Int64Array,
    share: float,
    split: Split,
    *,
    metric: str,
    view: View,
    command: str,
    results_dir: Path,
    seed: int,
) -> tuple[Path, Record]:
    """Serve the first `share` of the users in `order` by the second record, the others by the first.

    The record holds the curve of quality and seconds of serving against the share.
    """
    cheap, costly = (test_lists(one, split) for one in stored)
    count = round(share * len(order))
    rankings = cheap.copy()
    rankings[order[:count]] = costly[order[:count]]
    outcomes = [user_outcomes(ranks_in_view(lists, split.test, view), metric) for lists in (cheap, costly)]
    first, second = (one.record.cost.wall_seconds.get("recommend", 0.0) for one in stored)
    values = tiers.curve(order, *outcomes)
    points = [
        {"share": part, metric: value, "seconds": round(first * (1 - part) + second * part, 3)}
        for part, value in zip(tiers.SHARES, values, strict=True)
    ]
    cost = whole_cost([one.record for one in stored])
    names = [one.record.model.name for one in stored]
    info = model_info(entry).model_copy(
        update={
            "display_name": f"Tiered: {names[0]}, then {names[1]}"[:120],
            "authors": "genrec-bench",
            "parameters": {"cheap": names[0], "costly": names[1], "share": share},
        }
    )
    record = Record(
        status="complete",
        source="harness",
        created=datetime.now(UTC),
        command=command,
        seed=seed,
        depth=DEPTH,
        dataset=dataset_info(split),
        model=info,
        metrics=evaluate(split, rankings),
        cost=_served(cost, {"recommend": first * (1 - share) + second * share}, len(order)),
        environment=describe_environment(),
        details={"tiers": {"records": [one.id for one in stored], "share": share, "curve": points}},
        audits=audit(split, rankings),
    )
    path = store.write(record, split, rankings, None, results_dir)
    return path, store.load_record(path).record


def _served(cost: Cost, seconds: dict[str, float], users: int) -> Cost:
    """Put the seconds of stages in, and the rate at which all that is not fitting serves the users."""
    stages = {stage: round(value, 4) for stage, value in (cost.wall_seconds | seconds).items()}
    serving = sum(value for stage, value in stages.items() if stage != "fit")
    rate = round(users / serving, 3) if serving else None
    return cost.model_copy(update={"wall_seconds": stages, "users_per_second": rate})
