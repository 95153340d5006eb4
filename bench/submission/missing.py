"""Users without an answer, and files made for other data: the same rules for lists, texts and outcomes."""

from __future__ import annotations

import numpy as np

from bench.records.status import MISSING_ALLOWED
from bench.schema import NO_ITEM, BoolArray, Rankings, Split
from bench.submission.report import Report, shown


def report_fingerprint(report: Report, declared: str, split: Split) -> None:
    """Compare the data that a file says it is for with the split."""
    if declared.lower() != split.fingerprint:
        place = f"{shown(declared, 70)} instead of {split.fingerprint}"
        report.error("fingerprint", "made for other data than this data set and tie rule", [place])


def answered(rankings: Rankings) -> BoolArray:
    """Say which users, (users,), have an item at all."""
    return np.asarray((rankings != NO_ITEM).any(axis=1))


def report_users(report: Report, seen: BoolArray, split: Split, *, allow_partial: bool) -> None:
    """Count users with an answer; too many without one are an error unless `allow_partial`."""
    missing = np.flatnonzero(~seen)
    report.users, report.missing_users = len(seen) - len(missing), len(missing)
    places = (shown(split.user_ids[at]) for at in missing)
    if not report.too_many_missing or allow_partial:
        report.warn("missing-user", "users without an answer, counted as misses", places, len(missing))
    else:
        what = f"users without an answer, over {MISSING_ALLOWED:.0%} of all"
        hint = f"Add them, or say {report.controls.partial}, which marks the row"
        report.error("missing-user", what, places, len(missing), hint)
