"""A record of the toy split, and the lists behind it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np

from bench.cost.environment import describe_environment
from bench.metrics.ranking import evaluate
from bench.record import ModelInfo, Record, dataset_info
from bench.record_parts import Cost
from bench.schema import Split

RANKINGS = np.array([[3, 0, -1], [4, 5, 6], [2, -1, -1], [-1, -1, -1], [4, 1, 0], [7, 2, 3]], dtype=np.int32)


def make_record(split: Split, *, depth: int = 3, **changes: Any) -> Record:
    fields: dict[str, Any] = dict(
        status="complete",
        source="harness",
        created=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        command="pytest bench --benchmark",
        seed=0,
        depth=depth,
        dataset=dataset_info(split),
        model=ModelInfo(name="toy-model", kind="baseline", display_name="Toy"),
        metrics=evaluate(split, RANKINGS, depth=depth),
        cost=Cost(wall_seconds={"fit": 1.0}, users_per_second=6.0),
        environment=describe_environment(),
    )
    return Record(**{**fields, **changes})
