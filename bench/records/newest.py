"""Which of a model's records stands for it in a table."""

from __future__ import annotations

from collections.abc import Iterable

from bench.marks import fullest
from bench.records.store import StoredRecord


def newest(records: Iterable[StoredRecord]) -> list[StoredRecord]:
    """Keep one record of each model, data set, fingerprint and tie rule (input and output: newest first).

    It is the newest of those that say most: a partial, shallow or declared row never replaces a full one.
    """
    groups: dict[tuple[str, ...], list[StoredRecord]] = {}
    for stored in records:
        dataset = stored.record.dataset
        key = (dataset.name, dataset.fingerprint, dataset.ties, stored.record.model.name)
        groups.setdefault(key, []).append(stored)
    kept = [group[fullest([one.record for one in group])] for group in groups.values()]
    return sorted(kept, key=lambda one: (one.record.created, one.id), reverse=True)
