"""How people read the names in a record: labels of metrics, views, groups of users and costs, with units.

The one home of these words, for terminal, README, board, exports and checks. A metric's own label
and cut-offs come from `bench.metrics.definitions`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from bench.metrics.definitions import METRICS, QUALITY
from bench.record import DatasetInfo, Estimate, Record, View
from bench.record_parts import Cost

VIEW_LABELS: dict[View, str] = {"seen_kept": "seen items kept", "seen_removed": "seen items removed"}
VIEW_SHORT: dict[View, str] = {"seen_kept": "kept", "seen_removed": "removed"}
DEFAULT_VIEW: View = "seen_removed"
HEADLINE_CUTOFF = 5
HEADLINE = tuple(f"{name}@{HEADLINE_CUTOFF}" for name in QUALITY)
"""The metrics of tables that show one cut-off."""
RANKED_BY = "ndcg"
GROUP_LABELS = {
    "history_length": "Purchases of the user",
    "target_popularity": "Training purchases of the target",
    "same_day": "Target bought on the day of the purchase before",
    "shared_title": "Target shares its title with another item",
}
AUDIT_LABELS = {
    "target_in_history": "No answer stands in the history that a model is given",
    "shuffled_users": "The lists are made for their users: swapped, they fall to chance",
    "permuted_targets": "The scoring falls to chance with other answers",
    "identical_lists": "Users get lists of their own",
    "popularity_only": "The lists hold more than best sellers",
    "too_good": "The score is within reach of what is known",
    "copy": "The lists are not those of another row",
    "history": "The lists do not hold the answers of another split",
    "protocol": "The lists fit the rules that they are scored by",
}
"""What holds of a row where a check passes."""
PAIRED_TEST = (
    "paired randomisation test over users, exact where fewer than 200 of them differ and by the normal "
    "approximation above"
)


def data_note(info: DatasetInfo) -> str:
    """Say what a reader of rows on these data must know of the copy; empty where there is nothing."""
    notes = []
    if info.estimated_times:
        notes.append(f"{info.estimated_times:,} purchases of this copy have estimated times")
    if info.private:
        notes.append("private data: users and items are row numbers")
    if info.unseen_users:
        notes.append(f"{info.unseen_users:,} users have nothing before the cut")
    if info.unseen_targets:
        notes.append(f"{info.unseen_targets:,} targets were bought by nobody before it")
    return f" {'; '.join(notes)}." if notes else ""


def metric_label(metric: str) -> str:
    """Give a metric's label, with its cut-off if it has one: 'ndcg@5' -> 'nDCG@5'."""
    name, at, cutoff = metric.partition("@")
    return f"{METRICS[name].label if name in METRICS else name}{at}{cutoff}"


def with_metric_labels(text: str) -> str:
    """Give text with metrics as people read them: 'ndcg@5 is higher' -> 'nDCG@5 is higher'."""
    names = "|".join(map(re.escape, METRICS))
    return re.sub(rf"\b(?:{names})@[0-9]+", lambda found: metric_label(found.group()), text)


def estimate_text(estimate: Estimate | None, unknown: str = "-") -> str:
    """'0.0433 ± 0.0027': a value and half of its 95 % interval, or `unknown` where none was measured."""
    if estimate is None or estimate.value is None:
        return unknown
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.4f}"
    return f"{estimate.value:.4f} ± {(estimate.high - estimate.low) / 2:.4f}"


def p_value_text(value: float) -> str:
    """'0.040', or '< 0.001' for all that is smaller."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


@dataclass(frozen=True, kw_only=True)
class CostFigure:
    """One figure of what a run took."""

    label: str
    note: str = ""
    of: Callable[[Cost], float | None]
    """In seconds, bytes, joules, users a second; None where it was not measured."""


def _milliseconds(cost: Cost) -> float | None:
    return None if cost.latency_ms is None else cost.latency_ms.p50


COSTS: dict[str, CostFigure] = {
    "fit_seconds": CostFigure(label="Fit", note="wall time", of=lambda cost: cost.wall_seconds.get("fit")),
    "recommend_seconds": CostFigure(
        label="Recommend", note="wall time", of=lambda cost: cost.wall_seconds.get("recommend")
    ),
    "users_per_second": CostFigure(label="Users/s", note="recommend", of=lambda cost: cost.users_per_second),
    "latency_ms": CostFigure(label="Latency", note="p50, one user", of=_milliseconds),
    "peak_vram_bytes": CostFigure(label="Peak VRAM", of=lambda cost: cost.peak_device_bytes),
    "peak_rss_bytes": CostFigure(label="Peak RAM", of=lambda cost: cost.peak_rss_bytes),
    "energy_joules": CostFigure(label="Energy", note="GPU", of=lambda cost: cost.energy_joules),
}


def machine_text(record: Record, *, published: str = "-") -> str:
    """Name the machine of a run: the one that measured it, or the one that its submitter declared."""
    if record.published_view is not None:
        return published
    if record.cost.source == "declared":
        stated = record.card.get("hardware")
        return f"{stated[:60]} (declared)" if isinstance(stated, str) and stated else "not stated"
    environment = record.environment
    return environment.gpu or (f"CPU, {environment.cores} cores" if environment.cores else "CPU")


def bytes_text(count: float | None, unknown: str = "-") -> str:
    """'412 MB' or '7.0 GB' (powers of ten)."""
    if count is None:
        return unknown
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
