"""A fused row as a record: the members' lists and costs put together, the weights with their ledger."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

from bench.cost.environment import describe_environment
from bench.fusion.members import test_lists, whole_cost
from bench.fusion.rrf import CONSTANTS, STEPS, Fusion, fuse
from bench.metrics.ranking import evaluate
from bench.record import DEPTH, Cost, Record, View, dataset_info
from bench.records import store
from bench.records.audits import audit
from bench.records.store import StoredRecord
from bench.schema import Split
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
    seconds, peak = whole_cost([one.record for one in stored])
    seconds["fuse"] = time.perf_counter() - begun
    serving = seconds["recommend"] + seconds["fuse"]
    environment = describe_environment()
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
        seconds=round(seconds["fuse"] * chosen.trials, 1),
        default_value=None,
        value=chosen.value,
        chosen={"weights": list(chosen.weights), "constant": chosen.constant},
    )
    members = [
        {"model": model, "record": one.id, "weight": weight, f"validation_{metric}": value}
        for model, one, weight, value in zip(models, stored, chosen.weights, chosen.alone, strict=True)
    ]
    info = model_info(entry).model_copy(
        update={
            "display_name": f"Fused: {', '.join(models)}"[:120],
            "authors": "genrec-bench",
            "parameters": {"members": models, **ledger.chosen},
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
        cost=Cost(
            wall_seconds={stage: round(value, 4) for stage, value in seconds.items()},
            users_per_second=round(len(split.test) / serving, 3) if serving else None,
            peak_rss_bytes=peak,
        ),
        environment=environment,
        details={"fusion": {"members": members, f"validation_{metric}": chosen.value}},
        audits=audit(split, rankings),
        tuning=ledger,
    )
    path = store.write(record, split, rankings, None, results_dir)
    return path, store.load_record(path).record
