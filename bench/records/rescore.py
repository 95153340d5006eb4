"""Make a record again from its ranked lists or ranks, and name whatever does not come out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from bench.metrics.definitions import METRICS
from bench.metrics.ranking import evaluate, evaluate_ranks
from bench.metrics.slices import SLICES
from bench.record import VIEWS, Audit, Estimate, Metrics, Record
from bench.records.audits import AGAINST_OTHERS, DRAWN, audit
from bench.records.list_files import read_lists
from bench.records.status import status_of
from bench.records.store import StoredRecord
from bench.records.target_ranks import ranks_table, read_outcomes, read_ranks
from bench.records.upload_audits import PROTOCOL, audit_own_purchases
from bench.schema import Rankings, Split
from bench.statistics.draws import METHOD

VALUE_TOLERANCE, INTERVAL_TOLERANCE = 1e-12, 1e-9


def rescore(stored: StoredRecord, split: Split) -> list[str]:
    """Score a record again; name every number, the status and every audit that does not come out.

    Demanded is that all it holds is right, and that it holds what every record of its schema version
    has; a metric that came later may be missing. Intervals and drawn audits are demanded where the
    record was drawn as this version draws. What an audit says of other rows is not made again: they
    were those of its day.
    """
    record, recorded = stored.record, stored.record.metrics
    if recorded is None:
        return []
    if record.published_view is not None:
        ranks = read_outcomes(stored, split)
        scored = evaluate_ranks(split, ranks, record.published_view, record.depth)
        return list(_differences(record, recorded, scored))
    lists = read_lists(stored, split)
    messages = list(_differences(record, recorded, evaluate(split, lists, depth=record.depth)))
    expected = ranks_table(split, lists)
    for view, ranks in read_ranks(stored).items():
        if not np.array_equal(ranks, np.asarray(expected[view])):
            messages.append(f"{stored.ranks_path.name} does not follow from the ranked lists ({view})")
    made = audit(split, lists)
    if record.source == "submission":
        made.append(audit_own_purchases(split, lists))
    return [*messages, *_status(record, lists), *_audits(record, made)]


def _status(record: Record, lists: Rankings) -> Iterator[str]:
    """A run of the harness asks for every user; a submission may leave some out."""
    status = "complete" if record.source == "harness" else status_of(lists)
    if record.status != status:
        yield f"its status is recorded as {record.status}, but its lists are {status}"


def _audits(record: Record, made: Sequence[Audit]) -> Iterator[str]:
    assert record.metrics is not None
    found = {one.name: one for one in record.audits}
    for new in made:
        old = found.get(new.name)
        if old is None:
            yield f"the audit {new.name} is missing"
        elif new.name in AGAINST_OTHERS:
            continue
        elif old.verdict != new.verdict:
            yield f"the audit {new.name} is recorded as {old.verdict} but gives {new.verdict}"
        elif not (new.name in DRAWN and record.metrics.draws != METHOD) and not _same(
            old.value, new.value, INTERVAL_TOLERANCE
        ):
            yield f"the audit {new.name} is recorded with {old.value} but gives {new.value}"
    if record.source == "submission" and PROTOCOL not in found:
        yield f"the audit {PROTOCOL} is missing"
    unknown = found.keys() - {new.name for new in made} - {*AGAINST_OTHERS, PROTOCOL}
    for name in sorted(unknown):
        yield f"the audit {name} is not known here, so it cannot be checked"


def _differences(record: Record, recorded: Metrics, scored: Metrics) -> Iterator[str]:
    parts = {"value": VALUE_TOLERANCE}
    if recorded.draws == METHOD:
        parts |= {"low": INTERVAL_TOLERANCE, "high": INTERVAL_TOLERANCE}
    for view in VIEWS:
        yield from _compare(record, view, getattr(recorded, view), getattr(scored, view), parts)
        old, new = recorded.slices.get(view, {}), scored.slices.get(view, {})
        if unknown := sorted(old.keys() - new.keys()):
            yield f"{view}: the slices {', '.join(unknown)} are not known here, so they cannot be checked"
        if missing := sorted(new.keys() - old.keys()):
            needed = [kind for kind in missing if SLICES[kind] <= record.schema_version]
            if needed:
                yield f"{view}: the slices {', '.join(needed)} are missing"
        for kind in (kind for kind in new if kind in old):
            named = {group.label: group for group in old[kind]}
            if odd := sorted(named.keys() ^ {group.label for group in new[kind]}):
                yield f"{view}, {kind}: other groups of users: {', '.join(odd)}"
            for group in new[kind]:
                if group.label in named:
                    place, other = f"{view}, {kind} {group.label}", named[group.label]
                    if other.users != group.users:
                        yield f"{place}: {other.users} users are recorded, there are {group.users}"
                    yield from _compare(record, place, other.metrics, group.metrics, parts)


def _compare(
    record: Record,
    place: str,
    recorded: Mapping[str, Estimate],
    scored: Mapping[str, Estimate],
    parts: Mapping[str, float],
) -> Iterator[str]:
    if missing := [name for name in scored if name not in recorded and _required(name, record)]:
        yield f"{place}: metrics missing: {', '.join(missing)}"
    if unknown := sorted(recorded.keys() - scored.keys()):
        yield f"{place}: metrics not known here, so they cannot be checked: {', '.join(unknown)}"
    for metric in (metric for metric in scored if metric in recorded):
        old, new = recorded[metric], scored[metric]
        for part, tolerance in parts.items():
            left, right = getattr(old, part), getattr(new, part)
            if not _same(left, right, tolerance):
                yield f"{place}: {metric} {part} is recorded as {left} but scores as {right}"


def _required(metric: str, record: Record) -> bool:
    since = METRICS[metric.partition("@")[0]].schema
    return since is not None and since <= record.schema_version


def _same(left: float | None, right: float | None, tolerance: float) -> bool:
    return left is right if left is None or right is None else abs(left - right) <= tolerance
