"""The row to beat: the strongest that no training made, on the same data."""

from __future__ import annotations

from collections.abc import Sequence

from bench.record import Record, View

UNTRAINED = ("baseline", "untrained")
"""Kinds whose rows count and search, and train nothing."""


def strongest_untrained(records: Sequence[Record], view: View, metric: str) -> Record | None:
    """Give the untrained record that is best by this metric, of equal ones the first; None without one.

    Partial records and published outcomes are left out: they are not of all users, or not run here; so are
    rows that use times, which are told more than those that they would be compared with.
    """
    measured = [one for one in records if _value(one, view, metric) is not None]
    return max(measured, key=lambda one: _value(one, view, metric) or 0.0, default=None)


def _value(record: Record, view: View, metric: str) -> float | None:
    if record.model.kind not in UNTRAINED or record.status != "complete" or record.published_view:
        return None
    if record.model.uses_times:
        return None
    found = getattr(record.metrics, view).get(metric) if record.metrics is not None else None
    return found.value if found else None
