"""Whether a copy of a data set is the standard one, and if not, what is wrong with it or differs first."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from bench.datasets.amazon.category_entries import CATEGORY_FAMILIES
from bench.datasets.entry import Counts, DatasetEntry
from bench.schema import Int64Array, Interactions, Split

EARLIEST = int(datetime(1990, 1, 1, tzinfo=UTC).timestamp())
"""No shop, and no rating of films, was on the net before."""
PARTS = ("users", "items", "titles", "purchases", "times")
"""What the content of a data set consists of, in the order in which differences are said."""
_DIGITS = 12


class Verdict(NamedTuple):
    """Whether a copy is a known one, and a line that says so."""

    standard: bool
    line: str


def verify(entry: DatasetEntry, interactions: Interactions, split: Split) -> Verdict:
    """Look for faults, then compare with the known fingerprint or, where none is known, published counts.

    `split` is leave-one-out, ties `file`.
    """
    counts = raw_counts(interactions)
    size = f"{counts.users:,} users, {counts.items:,} items, {counts.interactions:,} purchases"
    known = entry.fingerprints.get("file")
    if known == split.fingerprint:
        what = "unchanged since it was added" if entry.own else "the standard copy"
        return Verdict(True, f"{entry.name}: {what} (fingerprint {known[:_DIGITS]}, {size})")
    if split.fingerprint in entry.copies:
        what = f"known as {entry.copies[split.fingerprint]}"
        return Verdict(True, f"{entry.name}: {what} (fingerprint {split.fingerprint[:_DIGITS]}, {size})")
    reasons = faults(entry, interactions)
    if known is not None:
        reasons.append(f"fingerprint {split.fingerprint[:_DIGITS]}, standard {known[:_DIGITS]}")
    if entry.counts not in (None, counts):
        reasons.append(f"it has {size}; published are {_words(entry.counts)}")
    elif known is not None:
        reasons.append(f"it has {size}{_first_difference(entry, split)}")
    elif entry.counts is None and not reasons:
        return Verdict(False, f"{entry.name}: nothing is known to compare with; it has {size}")
    if reasons:
        return Verdict(False, f"{entry.name}: NOT the standard copy: {'; '.join(reasons)}")
    return Verdict(
        True,
        f"{entry.name}: the published counts ({size}); no fingerprint is known to compare with "
        f"{split.fingerprint[:_DIGITS]}",
    )


def faults(entry: DatasetEntry, interactions: Interactions) -> list[str]:
    """Say what makes a copy unfit: of another edition, without metadata, times that are no days."""
    found = []
    edition = CATEGORY_FAMILIES.get(entry.family)
    if edition and interactions.edition not in ("", edition):
        found.append(f"the files are of the {interactions.edition} edition, not of {edition}")
    if interactions.undescribed_items:
        lost = interactions.undescribed_interactions
        users = int((np.bincount(interactions.users, minlength=len(interactions.user_ids)) < 3).sum())
        found.append(
            f"the metadata say nothing of {interactions.undescribed_items:,} bought items, so {lost:,} "
            f"purchases are lost{f' and {users:,} users left with under 3' if users else ''}"
        )
    found += _times(interactions.timestamps)
    return found


def _times(times: Int64Array) -> list[str]:
    """Say which times cannot be: zeros, milliseconds, days before the net or after today."""
    latest = int(datetime.now(UTC).timestamp()) + 2 * 86_400
    late, early = times > latest, times < EARLIEST
    found = []
    if late.any():
        hint = ": milliseconds?" if np.median(times[late]) > 10**11 else ""
        found.append(f"{int(late.sum()):,} times lie in the future, such as {int(times[late][0])}{hint}")
    if early.any():
        found.append(f"{int(early.sum()):,} times lie before 1990, such as {int(times[early][0])}")
    return found


def part_digests(split: Split) -> dict[str, str]:
    """Give a digest of each part of the content of a leave-one-out split, by its name in `PARTS`."""
    histories, asked_at = split.test.histories, split.test.request_times
    ends = histories.indptr[1:]
    purchases = np.insert(histories.items, ends, split.test.targets).astype("<i8")
    texts = {"users": split.user_ids, "items": split.catalogue.item_ids, "titles": split.catalogue.titles}
    content = {name: json.dumps(list(column)).encode() for name, column in texts.items()}
    content["purchases"] = histories.lengths.astype("<i8").tobytes() + purchases.tobytes()
    if histories.times is not None and asked_at is not None:
        content["times"] = np.insert(histories.times, ends, asked_at).astype("<i8").tobytes()
    return {name: hashlib.sha256(data).hexdigest()[:_DIGITS] for name, data in content.items()}


def _first_difference(entry: DatasetEntry, split: Split) -> str:
    known: Mapping[str, str] = entry.parts
    own = part_digests(split)
    differing = [name for name in PARTS if name in known and known[name] != own.get(name)]
    if not differing:
        return ""
    same = [name for name in PARTS if name in known and name not in differing]
    agree = f" ({', '.join(same)} agree)" if same else ""
    return f"; the first difference is in the {differing[0]}{agree}"


def raw_counts(interactions: Interactions) -> Counts:
    """Give the size of the files before anything was left out, as it is published."""
    return Counts(
        users=len(interactions.user_ids),
        items=len(interactions.catalogue) + interactions.untitled_items + interactions.undescribed_items,
        interactions=len(interactions)
        + interactions.untitled_interactions
        + interactions.undescribed_interactions
        + interactions.duplicates_dropped,
    )


def _words(counts: Counts | None) -> str:
    assert counts is not None
    return f"{counts.users:,} users, {counts.items:,} items, {counts.interactions:,} purchases"
