"""What of each user's sequence is learned from and what is asked: the rules, by name.

Every rule says the same three things: how many of a user's first purchases are learned from, and which
place in the sequence is the validation target and which the test target. A history is always all that
stands before its target.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
from numpy.typing import NDArray

from bench.errors import ConfigError, DataError
from bench.schema import Int32Array, Int64Array

LOO = "loo"
LEAVE_ONE_OUT = "leave-one-out"
"""The stored name of `loo`, which both read."""
LOO2, TIME, TIME_LOO, SOURCE = "loo2", "time", "time-loo", "source"
DEFAULT_QUANTILE = 0.9
"""Of `time-loo` without a cut."""
VALIDATION_SHARE = 0.05
VALIDATION_SEED = 42
ALLOWED = (
    "loo, loo2, time:<date or quantile> (time:2014-01-31, time:0.9), time-loo, time-loo:<same>, source (the "
    "data's own split, where it comes with one)"
)

_CUT = re.compile(r"(time|time-loo):(\d{4}-\d{2}-\d{2}|0?\.\d{1,6})")


@dataclass(frozen=True, kw_only=True)
class SplitRule:
    """A rule by its parts."""

    kind: str
    """leave-one-out, loo2, time, time-loo or source."""
    cut: date | float | None = None
    """A day (it begins at midnight UTC), or the share of all purchases that lies before the cut."""

    @property
    def name(self) -> str:
        """The name that is stored, which `parse_split` reads."""
        if self.cut is None:
            return self.kind
        return f"{self.kind}:{self.cut.isoformat() if isinstance(self.cut, date) else format(self.cut, 'g')}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Sequences:
    """The purchases of all users of a split in their order: user by user, oldest first."""

    lengths: Int64Array
    items: Int32Array
    times: Int64Array
    parts: NDArray[np.int8] | None = None
    """Ascending within a user, under the rule `source`: 0 learned from, 1 for validation, 2 for test."""

    @property
    def starts(self) -> Int64Array:
        """(users,) where each user's purchases begin."""
        return np.cumsum(self.lengths) - self.lengths


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """What a rule makes of some sequences; users are rows, ascending, and places count from 0."""

    learned: Int64Array
    """(users,) how many of the first purchases are learned from."""
    validation_users: Int32Array
    validation_places: Int64Array
    test_users: Int32Array
    test_places: Int64Array
    cut: int | None = None
    """Unix seconds: learned from is only what happened before."""
    unseen_users: int = 0
    """Users with nothing before the cut."""


def parse_split(text: str) -> SplitRule:
    """Read the name of a split, as typed or as stored; an unknown one raises ConfigError."""
    if text in (LOO, LEAVE_ONE_OUT):
        return SplitRule(kind=LEAVE_ONE_OUT)
    if text in (LOO2, SOURCE):
        return SplitRule(kind=text)
    if text == TIME_LOO:
        return SplitRule(kind=TIME_LOO, cut=DEFAULT_QUANTILE)
    match = _CUT.fullmatch(text)
    if match is None:
        raise ConfigError(f"unknown split '{text}'. Allowed: {ALLOWED}")
    kind, cut = match.groups()
    if "-" in cut:
        try:
            return SplitRule(kind=kind, cut=date.fromisoformat(cut))
        except ValueError as error:
            raise ConfigError(f"split '{text}': {cut} is no day ({error})") from None
    if not 0 < float(cut) < 1:
        raise ConfigError(f"split '{text}': a quantile lies between 0 and 1")
    return SplitRule(kind=kind, cut=float(cut))


def plan(rule: SplitRule, sequences: Sequences) -> Plan:
    """Apply a rule to users of three purchases or more; DataError if it leaves nobody to test on."""
    if rule.kind == LEAVE_ONE_OUT:
        return _leave_one_out(sequences)
    if rule.kind == LOO2:
        return _leave_two_out(sequences)
    if rule.kind == SOURCE:
        return _of_the_source(sequences)
    return _by_time(rule, sequences)


def _leave_one_out(sequences: Sequences) -> Plan:
    lengths = sequences.lengths
    everyone = np.arange(len(lengths), dtype=np.int32)
    drawn = _drawn(everyone)
    held_out = np.ones(len(lengths), dtype=np.int64)
    held_out[drawn] = 2
    return Plan(
        learned=lengths - held_out,
        validation_users=drawn,
        validation_places=lengths[drawn] - 2,
        test_users=everyone,
        test_places=lengths - 1,
    )


def _leave_two_out(sequences: Sequences) -> Plan:
    lengths = sequences.lengths
    everyone = np.arange(len(lengths), dtype=np.int32)
    return Plan(
        learned=lengths - 2,
        validation_users=everyone,
        validation_places=lengths - 2,
        test_users=everyone,
        test_places=lengths - 1,
    )


def _of_the_source(sequences: Sequences) -> Plan:
    """Ask for the first item of the source's test part, and validate on the first of its validation part."""
    if sequences.parts is None:
        raise DataError("split source: these data come without a split of their own; see --split for others")
    learned, valid, test = (
        np.add.reduceat((sequences.parts == part).astype(np.int64), sequences.starts) for part in range(3)
    )
    known = learned + valid
    test_users = np.flatnonzero((test > 0) & (known > 0)).astype(np.int32)
    validation_users = np.flatnonzero((valid > 0) & (learned > 0)).astype(np.int32)
    if not len(test_users):
        raise DataError("split source: no user of its test part has a purchase in the other parts")
    return Plan(
        learned=learned,
        validation_users=validation_users,
        validation_places=learned[validation_users],
        test_users=test_users,
        test_places=known[test_users],
        unseen_users=int(((test > 0) & (known == 0)).sum()),
    )


def _by_time(rule: SplitRule, sequences: Sequences) -> Plan:
    """Split at one moment for all: before it is learned from, after it is asked.

    Who has nothing before the cut has, under `time`, no history to answer from, and is left out.
    """
    cut = _moment(rule, sequences.times)
    lengths = sequences.lengths
    before = np.add.reduceat((sequences.times < cut).astype(np.int64), sequences.starts)
    goes_on = before < lengths
    asked = goes_on & (before > 0) if rule.kind == TIME else goes_on
    if not asked.any():
        raise DataError(
            f"split {rule.name}: no user has purchases both before and after "
            f"{datetime.fromtimestamp(cut, UTC):%Y-%m-%d %H:%M:%S} UTC; choose another cut"
        )
    test_users = np.flatnonzero(asked).astype(np.int32)
    drawn = _drawn(np.flatnonzero(asked & (before >= 2)).astype(np.int32))
    learned = before.copy()
    learned[drawn] -= 1
    return Plan(
        learned=learned,
        validation_users=drawn,
        validation_places=before[drawn] - 1,
        test_users=test_users,
        test_places=(before if rule.kind == TIME else lengths - 1)[test_users],
        cut=cut,
        unseen_users=int((before == 0).sum()),
    )


def _moment(rule: SplitRule, times: Int64Array) -> int:
    if isinstance(rule.cut, date):
        return int(datetime(rule.cut.year, rule.cut.month, rule.cut.day, tzinfo=UTC).timestamp())
    assert rule.cut is not None
    place = int(rule.cut * len(times))
    return int(np.partition(times, place)[place])


def _drawn(users: Int32Array) -> Int32Array:
    """Draw 5 % as `random.seed(42); random.sample(sorted_ids, int(0.05 * users))` would; no global seed."""
    places = random.Random(VALIDATION_SEED).sample(range(len(users)), int(VALIDATION_SHARE * len(users)))
    return users[np.array(sorted(places), dtype=np.int64)]
