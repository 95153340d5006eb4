"""Leave-one-out: interactions -> what is learned from and what is asked, with a fingerprint.

Canonical form of the fingerprint (SHA-256). Each part is preceded by its length in bytes, as an
8-byte little-endian integer; texts are UTF-8, lists of texts are JSON (ASCII, no spaces), numbers
are little-endian int64:

1. "genrec-bench/1", the name of the split and the tie rule;
2. the reviewer ids, sorted, of the users in the split;
3. the item ids and, as a second list, their titles (cut as the reader cuts them), in catalogue order;
4. for each user in that order the number of purchases; then all users' purchases in the order of the
   split, as catalogue rows; then their times, in Unix seconds;
5. the rows of the validation users, ascending.

So it depends on what was split and how, never on the bytes of the files. Brand, categories and price
are outside of it: they do not decide the split, and sources of the same data differ in them.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.datasets import load
from bench.errors import ConfigError, DataError
from bench.schema import Catalogue, Examples, Histories, Int32Array, Int64Array, Interactions, Split

LEAVE_ONE_OUT = "leave-one-out"
SECONDS_PER_DAY = 86_400
MIN_PURCHASES = 3
"""One to test on, one to validate on, one to learn from."""
VALIDATION_SHARE = 0.05
VALIDATION_SEED = 42

_SHUFFLED = re.compile(r"shuffled:(\d{1,10})")


def load_split(name: str, *, ties: str = "file", data_dir: Path | None = None) -> Split:
    """Read a data set by name and split it."""
    shuffle_seed(ties)  # before minutes go into reading
    return leave_one_out(load(name, data_dir), dataset=name, ties=ties)


def leave_one_out(interactions: Interactions, *, dataset: str, ties: str = "file") -> Split:
    """Hold out each user's last item for test and, for 5 % of users, the one before for validation.

    Purchases are ordered by time; those of one time stand in file order (`ties="file"`), or those
    of one day in random order (`ties="shuffled:<seed>"`). Users with fewer than three purchases
    are dropped and counted; the catalogue stays whole.
    """
    seed = shuffle_seed(ties)
    kept, dropped = _users_with_enough(interactions)
    if not kept.any():
        raise DataError(f"{dataset}: no user has {MIN_PURCHASES} purchases or more, so nothing can be split")
    user_ids = tuple(np.array(interactions.user_ids, dtype=object)[kept].tolist())
    rows = _ordered_rows(interactions, kept, seed)
    items, times = interactions.items[rows], interactions.timestamps[rows]
    lengths = np.bincount(interactions.users, minlength=len(kept))[kept].astype(np.int64)
    ends = np.cumsum(lengths)

    validation_users = _validation_users(len(user_ids))
    held_out = np.ones(len(user_ids), dtype=np.int64)
    held_out[validation_users] = 2
    everyone = np.arange(len(user_ids), dtype=np.int32)
    days = times // SECONDS_PER_DAY
    return Split(
        dataset=dataset,
        name=LEAVE_ONE_OUT,
        ties=ties,
        fingerprint=_fingerprint(
            ties, user_ids, interactions.catalogue, lengths, items, times, validation_users
        ),
        catalogue=interactions.catalogue,
        user_ids=user_ids,
        interactions=len(rows),
        train=_heads(items, ends, lengths, everyone, lengths - held_out),
        validation=Examples(
            histories=_heads(items, ends, lengths, validation_users, lengths[validation_users] - 2),
            targets=items[ends[validation_users] - 2],
        ),
        test=Examples(histories=_heads(items, ends, lengths, everyone, lengths - 1), targets=items[ends - 1]),
        same_day=days[ends - 1] == days[ends - 2],
        users_dropped=dropped,
    )


def shuffle_seed(ties: str) -> int | None:
    """Give the seed of `shuffled:<seed>`, None for `file`; anything else is an error."""
    if ties == "file":
        return None
    match = _SHUFFLED.fullmatch(ties)
    if match is None:
        raise ConfigError(f"unknown tie rule '{ties}'. Allowed: file, shuffled:<seed> (such as shuffled:0)")
    return int(match[1])


def _users_with_enough(interactions: Interactions) -> tuple[NDArray[np.bool_], int]:
    counts = np.bincount(interactions.users, minlength=len(interactions.user_ids))
    kept = counts >= MIN_PURCHASES
    return kept, int(len(kept) - kept.sum())


def _ordered_rows(interactions: Interactions, kept: NDArray[np.bool_], seed: int | None) -> NDArray[np.int64]:
    """Give the row numbers of the kept users' purchases, by user, then in the order of the tie rule."""
    order = np.lexsort((interactions.timestamps, interactions.users))  # stable: file order breaks ties
    order = order[kept[interactions.users[order]]]
    if seed is None:
        return order
    keys = np.random.Generator(np.random.PCG64(seed)).random(len(order))
    days = interactions.timestamps[order] // SECONDS_PER_DAY
    return order[np.lexsort((keys, days, interactions.users[order]))]


def _validation_users(users: int) -> Int32Array:
    """Draw as `random.seed(42); random.sample(sorted_ids, int(0.05 * users))` would; no global seed."""
    drawn = random.Random(VALIDATION_SEED).sample(range(users), int(VALIDATION_SHARE * users))
    return np.array(sorted(drawn), dtype=np.int32)


def _heads(
    items: Int32Array, ends: Int64Array, lengths: Int64Array, users: Int32Array, keep: Int64Array
) -> Histories:
    """Cut out the first `keep` items of these users' sequences."""
    indptr = np.zeros(len(users) + 1, dtype=np.int64)
    np.cumsum(keep, out=indptr[1:])
    starts = (ends - lengths)[users]
    source = np.repeat(starts - indptr[:-1], keep) + np.arange(indptr[-1])
    return Histories(indptr=indptr, items=items[source], users=users)


def _fingerprint(
    ties: str,
    user_ids: Sequence[str],
    catalogue: Catalogue,
    lengths: Int64Array,
    items: Int32Array,
    times: Int64Array,
    validation_users: Int32Array,
) -> str:
    digest = hashlib.sha256()
    texts = (user_ids, catalogue.item_ids, catalogue.titles)
    parts = [b"genrec-bench/1", LEAVE_ONE_OUT.encode(), ties.encode()]
    parts += [json.dumps(list(column), separators=(",", ":")).encode() for column in texts]
    parts += [column.astype("<i8").tobytes() for column in (lengths, items, times, validation_users)]
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()
