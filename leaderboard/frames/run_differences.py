"""What runs that are compared differ in besides quality: the settings of the models, cost, machine."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.labels import COSTS, machine_text
from bench.record import Record
from leaderboard.frames import formatting
from leaderboard.frames.model_sizes import model_size

MAX_SETTINGS = 60
_SHOWN = {
    "users_per_second": formatting.count,
    "latency_ms": lambda value: formatting.seconds(None if value is None else value / 1000),
    "peak_vram_bytes": formatting.size,
    "peak_rss_bytes": formatting.size,
    "energy_joules": formatting.energy,
}


def cost_rows(records: Sequence[Record]) -> list[tuple[str, list[str]]]:
    """Give one row a figure of cost that any of the runs has: its name, and its value in each run."""
    rows = []
    for name, cost in COSTS.items():
        values = [cost.of(record.cost) for record in records]
        if any(value is not None for value in values):
            label = f"{cost.label} ({cost.note})" if cost.note else cost.label
            rows.append((label, [_SHOWN.get(name, formatting.seconds)(value) for value in values]))
    sizes = [model_size(record) for record in records]
    if any(size == size for size in sizes):
        rows.append(("Parameters", [formatting.count(size) for size in sizes]))
    rows.append(("Hardware", [machine_text(record) for record in records]))
    return rows


def setting_rows(records: Sequence[Record]) -> list[tuple[str, list[str]]]:
    """Give one row a setting in which the runs differ; those that most runs have come first."""
    found = [dict(_settings(record)) for record in records]
    names = dict.fromkeys(name for settings in found for name in settings)
    rows = []
    for name in names:
        values = [settings.get(name, formatting.MISSING) for settings in found]
        if len(set(values)) > 1:
            rows.append((name, values))
    return sorted(rows, key=lambda row: row[1].count(formatting.MISSING))


def _settings(record: Record) -> Iterator[tuple[str, str]]:
    yield "kind", record.model.kind
    yield "seed", str(record.seed)
    yield "depth of the lists", str(record.depth)
    yield "commit", record.environment.commit[:8]
    yield from _flat(record.model.parameters, "")


def _flat(settings: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in settings.items():
        path = f"{prefix}{str(name)[:80]}"
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{path}.")
        else:
            yield path, _shown(value)


def _shown(value: Any) -> str:
    if isinstance(value, float) and math.isfinite(value):
        return formatting.figure(value)
    return value if isinstance(value, str) else json.dumps(value)
