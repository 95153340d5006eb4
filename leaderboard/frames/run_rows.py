"""One record -> data frames for its page. Pure; a record's free-form details are read with suspicion."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import pandas as pd

from bench.labels import GROUP_LABELS
from bench.metrics.definitions import CUTOFFS
from bench.record import VIEWS, Record, View
from leaderboard.frames import formatting

_MAX_POINTS, _MAX_ROWS = 5_000, 200
_FINETUNING_MEMORY = {
    "rss_bytes": "RAM",
    "vram_allocated_bytes": "VRAM allocated",
    "vram_reserved_bytes": "VRAM reserved",
}


def metrics_frame(record: Record) -> pd.DataFrame:
    """Give every metric in both views at all cut-offs: view, metric, cutoff, value, low, high."""
    rows = []
    for view in VIEWS:
        for name, found in (getattr(record.metrics, view) if record.metrics else {}).items():
            metric, _, cutoff = name.partition("@")
            if cutoff.isdigit():
                rows.append(
                    {
                        "view": view,
                        "metric": metric,
                        "cutoff": int(cutoff),
                        "value": found.value,
                        "low": found.low,
                        "high": found.high,
                    }
                )
    frame = pd.DataFrame(rows, columns=["view", "metric", "cutoff", "value", "low", "high"])
    return frame.astype({"value": float, "low": float, "high": float})


def slices_frame(record: Record, view: View, metric: str) -> pd.DataFrame:
    """Give a metric by group of users: slice, group, users, value, low, high, in the record's order."""
    groups = record.metrics.slices.get(record.shown_view(view), {}) if record.metrics else {}
    rows = []
    for kind, members in groups.items():
        for member in members[:_MAX_ROWS]:
            found = member.metrics.get(metric)
            rows.append(
                {
                    "slice": GROUP_LABELS.get(kind, kind),
                    "group": member.label,
                    "users": member.users,
                    "value": found.value if found else None,
                    "low": found.low if found else None,
                    "high": found.high if found else None,
                }
            )
    frame = pd.DataFrame(rows, columns=["slice", "group", "users", "value", "low", "high"])
    return frame.astype({"value": float, "low": float, "high": float})


def slice_metrics(record: Record) -> list[str]:
    """Name the metrics that the slices of a record hold."""
    slices = record.metrics.slices.get(record.shown_view("seen_kept"), {}) if record.metrics else {}
    names = (name for members in slices.values() for member in members for name in member.metrics)
    return list(dict.fromkeys(names))


def stage_frame(record: Record) -> pd.DataFrame:
    """Give the wall time by stage, in the order of the run: stage, seconds, share."""
    seconds = record.cost.wall_seconds
    total = sum(seconds.values()) or 1.0
    rows = [{"stage": name, "seconds": value, "share": value / total} for name, value in seconds.items()]
    return pd.DataFrame(rows, columns=["stage", "seconds", "share"])


def memory_frame(record: Record) -> pd.DataFrame:
    """Give memory over time in long form: seconds, stage, memory ('RAM' or 'VRAM'), bytes."""
    rows = []
    for sample in record.cost.memory_timeline[:_MAX_POINTS]:
        rows.append((sample.seconds, sample.stage, "RAM", sample.rss_bytes))
        if sample.vram_bytes is not None:
            rows.append((sample.seconds, sample.stage, "VRAM", sample.vram_bytes))
    return pd.DataFrame(rows, columns=["seconds", "stage", "memory", "bytes"])


def finetuning_memory_frame(record: Record) -> pd.DataFrame:
    """Give memory over the time of fine-tuning, which an earlier process may have done; as `memory_frame`.

    Read from `details["finetuning"]["memory_timeline"]`, a list of {"seconds": ..., "rss_bytes": ...,
    "vram_allocated_bytes": ..., "vram_reserved_bytes": ...}.
    """
    facts = record.details.get("finetuning")
    timeline = facts.get("memory_timeline") if isinstance(facts, Mapping) else None
    rows = []
    for sample in timeline[:_MAX_POINTS] if isinstance(timeline, list) else ():
        if isinstance(sample, Mapping) and is_number(sample.get("seconds")):
            rows += [
                (float(sample["seconds"]), "fine-tuning", memory, float(sample[name]))
                for name, memory in _FINETUNING_MEMORY.items()
                if is_number(sample.get(name))
            ]
    return pd.DataFrame(rows, columns=["seconds", "stage", "memory", "bytes"])


def loss_frame(record: Record) -> pd.DataFrame:
    """Give the loss curve that a model reported: step, series, loss; empty where it has none.

    Read from `details["loss_curve"]`, a list of {"step": ..., "<name of a loss>": ...}.
    """
    curve = record.details.get("loss_curve")
    rows = []
    for point in curve[:_MAX_POINTS] if isinstance(curve, list) else ():
        if isinstance(point, Mapping) and is_number(point.get("step")):
            rows += [
                (float(point["step"]), name.replace("_", " "), float(value))
                for name, value in point.items()
                if "loss" in name and is_number(value)
            ]
    return pd.DataFrame(rows, columns=["step", "series", "loss"])


def tiers_frame(record: Record) -> tuple[pd.DataFrame, str]:
    """Give a tiered row's curve: share of users with the costly row, value, seconds; and what the value is.

    Read from `details["tiers"]["curve"]`, a list of {"share": ..., "<metric>": ..., "seconds": ...}.
    """
    found = record.details.get("tiers")
    curve = found.get("curve") if isinstance(found, Mapping) else None
    rows, metric = [], ""
    for point in curve[:_MAX_ROWS] if isinstance(curve, list) else ():
        if isinstance(point, Mapping) and is_number(point.get("share")) and is_number(point.get("seconds")):
            names = [name for name in point if "@" in name and is_number(point[name])]
            if names:
                metric = names[0]
                rows.append((float(point["share"]), float(point[metric]), float(point["seconds"])))
    return pd.DataFrame(rows, columns=["share", "value", "seconds"]), metric


def decoding_frame(record: Record, view: View, metric: str) -> pd.DataFrame:
    """Give what decodings brought on validation users: strategy, kind, tokens, speed, value.

    Read from `details["decoding_budget"]`; `tokens` are those written for a user, `speed` is users/s.
    """
    tried = record.details.get("decoding_budget")
    rows = []
    for row in tried[:_MAX_ROWS] if isinstance(tried, list) else ():
        if isinstance(row, Mapping) and isinstance(row.get(view), Mapping):
            figures = [row.get("tokens_per_user"), row.get("users_per_second"), row[view].get(metric)]
            if all(map(is_number, figures)):
                name = str(row.get("strategy"))
                rows.append((name, name.partition(":")[0], *map(float, figures)))
    frame = pd.DataFrame(rows, columns=["strategy", "kind", "tokens", "speed", "value"])
    return frame[frame["tokens"] > 0]


def health_rows(record: Record) -> list[tuple[str, str]]:
    """Give the generation health that a model reported, as names and values for people."""
    health = record.details.get("generation_health")
    return list(islice(_flat(health), _MAX_ROWS)) if isinstance(health, Mapping) else []


def is_number(value: Any) -> bool:
    """Whether a value of unknown origin is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _flat(mapping: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in mapping.items():
        label = str(name)[:80].replace("_", " ")
        if is_number(value):
            yield label, formatting.figure(value)
        else:
            yield label, "–" if value is None else str(value)[:200]


def cutoffs(record: Record) -> list[int]:
    """Name the cut-offs that a record was scored at."""
    return sorted(set(metrics_frame(record)["cutoff"])) or list(CUTOFFS)
