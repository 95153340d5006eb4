"""Records of kind cost-only: what something costs, measured on a model whose quality means nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.cost.environment import describe_environment
from bench.record import DEPTH, ModelInfo, Record, dataset_info
from bench.record_parts import Cost
from bench.records import store
from genrec.speed.setting import Setting


def write_cost_record(
    setting: Setting,
    case: str,
    name: str,
    display_name: str,
    *,
    cost: Cost,
    details: Mapping[str, Any],
    parameters: Mapping[str, Any] | None = None,
) -> Path:
    """Write one record without metrics and lists; the environment says card, driver, packages, commit."""
    record = Record(
        status="cost-only",
        source="harness",
        created=datetime.now(UTC),
        command=setting.command(case),
        seed=setting.seed,
        depth=DEPTH,
        dataset=dataset_info(setting.split),
        model=ModelInfo(
            name=name,
            kind="cost-only",
            parameters=dict(parameters or {}),
            display_name=display_name,
            authors="genrec-bench",
        ),
        metrics=None,
        cost=cost,
        environment=describe_environment(),
        details={"case": case, "sizes": setting.scale.name, **details},
    )
    return store.write(record, setting.split, None, None, setting.results_dir)


def write_table_record(
    setting: Setting, case: str, name: str, display_name: str, rows: Sequence[Mapping[str, Any]]
) -> Path:
    """Write a whole table as the details of one record."""
    cost = Cost(wall_seconds={}, users_per_second=None)
    return write_cost_record(
        setting, case, name, display_name, cost=cost, details={"table": [dict(row) for row in rows]}
    )
