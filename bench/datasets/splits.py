"""Interactions -> what is learned from and what is asked, by a split rule and a tie rule, with a fingerprint.

Canonical form of the fingerprint (SHA-256). Each part is preceded by its length in bytes, as an
8-byte little-endian integer; texts are UTF-8, lists of texts are JSON (ASCII, no spaces), numbers
are little-endian int64:

1. "genrec-bench/1", the name of the split and the tie rule;
2. the reviewer ids, sorted, of the users in the split;
3. the item ids and, as a second list, their titles (cut as the reader cuts them), in catalogue order;
4. for each user in that order the number of purchases; then all users' purchases in the order of the
   split, as catalogue rows; then their times, in Unix seconds;
5. the rows of the validation users, ascending;
6. for every split but leave-one-out, whose name says it all: for each user the number of purchases learned
   from; the rows of the test users; the places of their targets; the places of the validation targets.

So it depends on what was split and how, never on the bytes of the files. Brand, categories and price
are outside of it: they do not decide the split, and sources of the same data differ in them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.arrays import cut
from bench.datasets import find_dataset, load
from bench.datasets.rules.split_rules import (
    LEAVE_ONE_OUT,
    LOO,
    SOURCE,
    Plan,
    Sequences,
    SplitRule,
    parse_split,
    plan,
)
from bench.datasets.rules.tie_rules import FILE, SECONDS_PER_DAY, ordered_rows, parse_ties
from bench.errors import DataError
from bench.retrieval.item_text import text_fingerprint
from bench.schema import Catalogue, Examples, Histories, Int32Array, Int64Array, Interactions, Split

MIN_PURCHASES = 3
"""One to test on, one to validate on, one to learn from."""


def load_split(name: str, *, ties: str = FILE, split: str = LOO, data_dir: Path | None = None) -> Split:
    """Read a data set by name and split it; `split` may be a typed name or one out of a record."""
    parse_ties(ties)  # before minutes go into reading
    parse_split(split)
    private = find_dataset(name, data_dir).private
    made = split_interactions(load(name, data_dir), dataset=name, ties=ties, split=split)
    return replace(made, private=True) if private else made


def leave_one_out(interactions: Interactions, *, dataset: str, ties: str = FILE) -> Split:
    """Hold out each user's last item for test and, for 5 % of users, the one before for validation."""
    return split_interactions(interactions, dataset=dataset, ties=ties)


def split_interactions(
    interactions: Interactions, *, dataset: str, ties: str = FILE, split: str = LOO
) -> Split:
    """Order each user's purchases by time and the tie rule, then split them.

    Users with fewer than three purchases are dropped and counted (under `source`, whoever the source's own
    split keeps is kept); the catalogue stays whole. The users who are tested come first, in the order of
    their ids; then those who are only learned from.
    """
    tie_rule, rule = parse_ties(ties), parse_split(split)
    counts = np.bincount(interactions.users, minlength=len(interactions.user_ids))
    by_part = rule.kind == SOURCE
    kept = counts >= (1 if by_part else MIN_PURCHASES)
    if not kept.any():
        raise DataError(f"{dataset}: no user has {MIN_PURCHASES} purchases or more, so nothing can be split")
    rows = ordered_rows(interactions, kept, tie_rule, by_part=by_part)
    sequences = Sequences(
        lengths=counts[kept].astype(np.int64),
        items=interactions.items[rows],
        times=interactions.timestamps[rows],
        parts=None if interactions.parts is None else interactions.parts[rows],
    )
    user_ids: NDArray[np.object_] = np.array(interactions.user_ids, dtype=object)[kept]
    planned = plan(rule, sequences)
    table = _user_table(planned)
    tested = len(planned.test_users)
    test = _examples(sequences, planned.test_users, planned.test_places, table)
    days = sequences.times // SECONDS_PER_DAY
    targets = sequences.starts[planned.test_users] + planned.test_places
    return Split(
        dataset=dataset,
        name=rule.name,
        ties=ties,
        fingerprint=_fingerprint(rule, ties, user_ids.tolist(), interactions.catalogue, sequences, planned),
        catalogue=interactions.catalogue,
        user_ids=tuple(user_ids[table[:tested]].tolist()),
        other_user_ids=tuple(user_ids[table[tested:]].tolist()),
        interactions=len(rows),
        train=_train(sequences, planned, table),
        validation=_examples(sequences, planned.validation_users, planned.validation_places, table),
        test=test,
        same_day=days[targets] == days[targets - 1],
        users_dropped=int(len(kept) - kept.sum()),
        unseen_users=planned.unseen_users,
        cut=planned.cut,
        estimated_times=interactions.estimated_times,
        text_fingerprint=text_fingerprint(interactions.catalogue),
    )


def _user_table(planned: Plan) -> Int32Array:
    """Give the users by row of the split: the tested ones, then the others that are learned from."""
    learned = planned.learned > 0
    learned[planned.test_users] = False
    return np.concatenate([planned.test_users, np.flatnonzero(learned).astype(np.int32)])


def _train(sequences: Sequences, planned: Plan, table: Int32Array) -> Histories:
    present = np.flatnonzero(planned.learned[table] > 0)
    users = table[present]
    return _heads(sequences, users, planned.learned[users], present.astype(np.int32))


def _examples(sequences: Sequences, users: Int32Array, places: Int64Array, table: Int32Array) -> Examples:
    row_of_user = np.full(len(sequences.lengths), -1, dtype=np.int32)
    row_of_user[table] = np.arange(len(table), dtype=np.int32)
    targets = sequences.starts[users] + places
    return Examples(
        histories=_heads(sequences, users, places, row_of_user[users]),
        targets=sequences.items[targets],
        request_times=sequences.times[targets],
    )


def _heads(sequences: Sequences, users: Int32Array, keep: Int64Array, rows: Int32Array) -> Histories:
    """Cut out the first `keep` items of these users' sequences; `rows` is who they are in the split."""
    indptr, source = cut(sequences.starts[users], keep)
    return Histories(indptr=indptr, items=sequences.items[source], users=rows, times=sequences.times[source])


def _fingerprint(
    rule: SplitRule,
    ties: str,
    user_ids: Sequence[str],
    catalogue: Catalogue,
    sequences: Sequences,
    planned: Plan,
) -> str:
    digest = hashlib.sha256()
    texts = (user_ids, catalogue.item_ids, catalogue.titles)
    parts = [b"genrec-bench/1", rule.name.encode(), ties.encode()]
    parts += [json.dumps(list(column), separators=(",", ":")).encode() for column in texts]
    numbers: list[NDArray[np.signedinteger]] = [
        sequences.lengths,
        sequences.items,
        sequences.times,
        planned.validation_users,
    ]
    if rule.kind != LEAVE_ONE_OUT:
        numbers += [planned.learned, planned.test_users, planned.test_places, planned.validation_places]
    parts += [column.astype("<i8").tobytes() for column in numbers]
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()
