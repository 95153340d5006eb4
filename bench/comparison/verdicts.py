"""Whether a row is better than the strongest row that needed no training: paired over users."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.comparison.compared_models import load_compared
from bench.comparison.paired import compare_metrics
from bench.errors import BenchError
from bench.record import Record, View
from bench.records.store import StoredRecord
from bench.statistics.paired_tests import ALPHA, PairedDifference

METRICS = ("recall@5", "ndcg@5")
UNTRAINED = ("baseline", "untrained")
"""Kinds of models that no weight was fitted for."""
VIEW: View = "seen_removed"
_RESAMPLES = 2_000


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A row against a baseline, metric by metric; positive differences are the row's."""

    name: str
    baseline: str
    differences: Mapping[str, PairedDifference]

    def words(self, metric: str) -> str:
        """Say who is better by a metric, as far as the users can tell."""
        found = self.differences[metric]
        if found.undecided(ALPHA):
            return found.verdict(self.name, self.baseline)
        return "better" if found.difference.value > 0 else "worse"


def strongest_baseline(records: Iterable[StoredRecord], like: Record) -> StoredRecord | None:
    """Give the newest record of the baseline with the best nDCG@5 on the same data as `like`, or None.

    Input: newest first. Published outcomes and `like` itself are none to hold against.
    """
    newest: dict[str, StoredRecord] = {}
    for stored in records:
        record = stored.record
        if (
            record.model.kind in UNTRAINED
            and record.source == "harness"
            and record.status == "complete"
            and record.dataset.fingerprint == like.dataset.fingerprint
            and record.model.name != like.model.name
            and _strength(record) is not None
        ):
            newest.setdefault(record.model.name, stored)
    return max(newest.values(), key=lambda stored: _strength(stored.record) or 0.0, default=None)


def verdict(stored: StoredRecord, baseline: StoredRecord, *, metrics: Sequence[str] = METRICS) -> Verdict:
    """Compare a row with a baseline, seen items removed where the row's lists allow it.

    Raises BenchError for rows that may not be compared.
    """
    found = compare_metrics(
        load_compared([stored]),
        load_compared([baseline]),
        metrics=metrics,
        view=VIEW,
        resamples=_RESAMPLES,
    )
    return Verdict(name=stored.record.model.name, baseline=baseline.record.model.name, differences=found)


def published_verdicts(rows: Sequence[StoredRecord]) -> str:
    """Markdown: each row of published outcomes against the strongest baseline of its board, or ''."""
    published = [one for one in rows if one.record.published_view is not None and one.record.depth >= 5]
    lines = []
    for stored in published:
        baseline = strongest_baseline(rows, stored.record)
        if baseline is None:
            continue
        try:
            found = verdict(stored, baseline)
        except BenchError:
            continue  # ranks that cannot be read are a finding of `results check`
        cells = [f"`{found.name}`", f"`{found.baseline}`", *(_cell(found, metric) for metric in METRICS)]
        lines.append(f"| {' | '.join(cells)} |")
    if not lines:
        return ""
    head = "| published row † | against, seen items removed | Recall@5 | nDCG@5 |"
    return "\n".join([head, "|---|---|---|---|", *lines]) + "\n"


def _cell(found: Verdict, metric: str) -> str:
    paired = found.differences[metric]
    low, high = paired.difference.low, paired.difference.high
    counts = f"{paired.won:,} won, {paired.lost:,} lost"
    return f"{paired.difference.value:+.4f} [{low:+.4f}, {high:+.4f}], {counts}: {found.words(metric)}"


def _strength(record: Record) -> float | None:
    found = None if record.metrics is None else getattr(record.metrics, VIEW).get("ndcg@5")
    return None if found is None else found.value
