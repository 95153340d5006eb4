"""The users that decide: a split's own validation users, or a share of all users.

A larger share is drawn from the training sequences: the last purchase of a drawn user becomes a validation
target and is no longer learned from, so that no count has seen what is asked. Test targets are in no
training data, so none can be asked here.
"""

from __future__ import annotations

import random
import re
from dataclasses import replace

import numpy as np

from bench.arrays import cut
from bench.errors import ConfigError
from bench.schema import Examples, Histories, Int64Array, TrainingData

SPLIT_USERS = "split"
"""Ask the validation users that the split names."""
_SHARE = re.compile(r"(\d{1,2}(?:\.\d{1,3})?|100)%")


def validation_share(text: str) -> float | None:
    """Read `split` (None) or a percentage such as `20%`; anything else is an error."""
    if text == SPLIT_USERS:
        return None
    match = _SHARE.fullmatch(text)
    if match is None or not float(match[1]):
        raise ConfigError(
            f"--validation takes '{SPLIT_USERS}' or a share of the users such as 20%, got '{text}'"
        )
    return float(match[1]) / 100


def with_validation(data: TrainingData, share: float | None, seed: int) -> TrainingData:
    """Give training data whose validation examples are of this share of the users (None: as they are).

    The split's own validation users come first; if they are too many, as many as wanted are drawn of them,
    if too few, others of two training purchases or more are drawn in addition.
    """
    own = data.validation
    if share is None:
        return data
    everybody = np.union1d(data.train.users, own.histories.users)
    wanted = max(1, round(share * len(everybody)))
    rng = random.Random(seed)
    if wanted <= len(own):
        return replace(data, validation=_take(own, _drawn(rng, np.arange(len(own)), wanted)))
    free = np.flatnonzero((data.train.lengths >= 2) & ~np.isin(data.train.users, own.histories.users))
    rows = _drawn(rng, free, min(wanted - len(own), len(free)))
    train, drawn = hold_out_last(data.train, rows)
    return replace(data, train=train, validation=_joined(own, drawn))


def hold_out_last(sequences: Histories, rows: Int64Array) -> tuple[Histories, Examples]:
    """Take the last purchase out of these sequences, none of which is empty, and make it a target."""
    last = sequences.indptr[rows + 1] - 1
    keep = sequences.lengths
    keep[rows] -= 1
    rest = _heads(sequences, keep)
    held_out = Examples(
        histories=rest.take(rows),
        targets=sequences.items[last],
        request_times=None if sequences.times is None else sequences.times[last],
    )
    return rest, held_out


def _drawn(rng: random.Random, rows: Int64Array, count: int) -> Int64Array:
    return np.array(sorted(rng.sample(rows.tolist(), count)), dtype=np.int64)


def _take(examples: Examples, rows: Int64Array) -> Examples:
    times = examples.request_times
    return Examples(
        histories=examples.histories.take(rows),
        targets=examples.targets[rows],
        request_times=None if times is None else times[rows],
    )


def _heads(sequences: Histories, keep: Int64Array) -> Histories:
    """Cut out the first `keep` items of each sequence."""
    indptr, source = cut(sequences.indptr[:-1], keep)
    return replace(
        sequences,
        indptr=indptr,
        items=sequences.items[source],
        times=None if sequences.times is None else sequences.times[source],
    )


def _joined(first: Examples, second: Examples) -> Examples:
    """Put two sets of examples one after the other."""
    ours, theirs = first.histories, second.histories
    return Examples(
        histories=Histories(
            indptr=np.concatenate([ours.indptr, ours.indptr[-1] + theirs.indptr[1:]]),
            items=np.concatenate([ours.items, theirs.items]),
            users=np.concatenate([ours.users, theirs.users]),
            times=_both(ours.times, theirs.times),
        ),
        targets=np.concatenate([first.targets, second.targets]),
        request_times=_both(first.request_times, second.request_times),
    )


def _both(first: Int64Array | None, second: Int64Array | None) -> Int64Array | None:
    return None if first is None or second is None else np.concatenate([first, second])
