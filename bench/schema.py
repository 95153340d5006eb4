"""The vocabulary of everything else: catalogue, histories, split, ranked lists, recommender.

Inside the harness, items and users are row numbers; ids (ASINs, reviewer ids) appear only where
files are read and records are written. This module knows nothing of files, metrics or models.

Everything here is frozen, arrays included: each class takes over the arrays that it is given and makes
them read-only, so that nobody who works on a split can change it for those who come after. Arrays and
catalogue, which have files of their own, are part of the vocabulary and are imported from here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.arrays import BoolArray as BoolArray
from bench.arrays import FloatArray as FloatArray
from bench.arrays import Int32Array as Int32Array
from bench.arrays import Int64Array as Int64Array
from bench.arrays import cut, freeze
from bench.catalogue import Catalogue as Catalogue
from bench.catalogue import Interactions as Interactions
from bench.catalogue import Wording as Wording

NO_ITEM = -1
"""Fills a ranked list where a model returned nothing."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Histories:
    """One item sequence a user, oldest first, as one CSR pair.

    `users[i]` is the row of the i-th sequence's owner in the user table: it keys per-user random
    draws, so that a user gets the same list alone and in a batch.
    """

    indptr: Int64Array
    items: Int32Array
    users: Int32Array
    times: Int64Array | None = None
    """Unix seconds of each purchase, aligned with `items`; None where they are not known."""
    request_times: Int64Array | None = None
    """(users,) Unix seconds at which each user's list is asked for; None where nothing is told of it."""

    def __post_init__(self) -> None:
        if (
            len(self.indptr) != len(self.users) + 1
            or self.indptr[0] != 0
            or self.indptr[-1] != len(self.items)
        ):
            raise ValueError("indptr must start at 0, end at len(items) and have one entry more than users")
        if self.times is not None and len(self.times) != len(self.items):
            raise ValueError("times must be one a purchase, as items are")
        if self.request_times is not None and len(self.request_times) != len(self.users):
            raise ValueError("request times must be one a user")

        freeze(self)

    def __len__(self) -> int:
        return len(self.users)

    def __getitem__(self, row: int) -> Int32Array:
        return self.items[self.indptr[row] : self.indptr[row + 1]]

    def __iter__(self) -> Iterator[Int32Array]:
        return (self[row] for row in range(len(self)))

    @property
    def lengths(self) -> Int64Array:
        """Items in each sequence."""
        return np.diff(self.indptr)

    @classmethod
    def from_lists(cls, sequences: Iterable[Sequence[int]], users: Sequence[int] | None = None) -> Histories:
        """Build from Python lists of item rows; users are numbered 0, 1, ... unless given."""
        rows = [np.asarray(sequence, dtype=np.int32) for sequence in sequences]
        indptr = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum([len(row) for row in rows], out=indptr[1:])
        items = np.concatenate(rows) if rows else np.empty(0, dtype=np.int32)
        owners = np.arange(len(rows)) if users is None else users
        return cls(indptr=indptr, items=items.astype(np.int32), users=np.asarray(owners, dtype=np.int32))

    def take(self, rows: NDArray[Any]) -> Histories:
        """Give the sequences at these positions, in this order."""
        rows = np.asarray(rows, dtype=np.int64)
        indptr, source = cut(self.indptr[rows], self.lengths[rows])
        asked = self.request_times
        return Histories(
            indptr=indptr,
            items=self.items[source],
            users=self.users[rows],
            times=None if self.times is None else self.times[source],
            request_times=None if asked is None else asked[rows],
        )

    def timeless(self) -> Histories:
        """Give the sequences without any time."""
        return replace(self, times=None, request_times=None)


@dataclass(frozen=True, kw_only=True, eq=False)
class Examples:
    """Histories with the one item each user bought next."""

    histories: Histories
    targets: Int32Array
    request_times: Int64Array | None = None
    """(users,) Unix seconds of each target, the moment at which it is asked for; None where not known."""

    def __post_init__(self) -> None:
        freeze(self)

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def requests(self) -> Histories:
        """The histories together with the time at which each is asked about."""
        return replace(self.histories, request_times=self.request_times)


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingData:
    """All that a model may learn from. Test targets are not in it."""

    dataset: str
    fingerprint: str
    catalogue: Catalogue
    train: Histories
    """One sequence a user: everything but the test item (and the validation item, where there is one)."""
    validation: Examples
    split: str = "leave-one-out"
    ties: str = "file"
    text_fingerprint: str | None = None
    """SHA-256 of what a language model is given beside the histories: instruction and items' lines."""

    @property
    def generative_fingerprint(self) -> str:
        """Name all that a generative model learns from: the data and, unless as published, the wording."""
        if self.catalogue.wording == Wording():
            return self.fingerprint
        return hashlib.sha256(f"{self.fingerprint} {self.text_fingerprint}".encode()).hexdigest()

    def timeless(self) -> TrainingData:
        """Give the data without any time, as a model gets them that does not say that it uses times."""
        asked = self.validation
        validation = replace(asked, histories=asked.histories.timeless(), request_times=None)
        return replace(self, train=self.train.timeless(), validation=validation)


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """What is learned from, and what is asked of every model."""

    dataset: str
    name: str
    ties: str
    fingerprint: str
    catalogue: Catalogue
    user_ids: tuple[str, ...]
    """The test users."""
    interactions: int
    train: Histories
    validation: Examples
    test: Examples
    """One row a test user, in the order of `user_ids`: `test.histories.users` is 0, 1, 2, ..."""
    same_day: BoolArray
    """(users,) whether the test target shares its day with the last item of the history."""
    estimated_times: int = 0
    """Purchases of the data set whose time is marked as estimated."""
    users_dropped: int = 0
    """Users left out because they have fewer than three purchases."""
    other_user_ids: tuple[str, ...] = ()
    """Users who are learned from and not tested; their rows follow those of `user_ids`."""
    unseen_users: int = 0
    """Users with no purchase before the cut of a split by time: left out by `time`, which has no history of
    theirs, and tested by `time-loo`."""
    text_fingerprint: str | None = None
    """SHA-256 of what a language model is given beside the histories: instruction and items' lines."""
    cut: int | None = None
    """Unix seconds before which everything lies that a split by time learns from."""

    private: bool = False
    """Whether ids and titles stay out of records and of the board."""

    @property
    def written_user_ids(self) -> tuple[str, ...]:
        """What a record calls the test users: their ids or, where these are private, row numbers."""
        return _numbers(len(self.user_ids)) if self.private else self.user_ids

    @property
    def written_item_ids(self) -> tuple[str, ...]:
        """What a record calls the items: their ids or, where these are private, row numbers."""
        return _numbers(len(self.catalogue)) if self.private else self.catalogue.item_ids

    def masked(self) -> Split:
        """Give the split as the board may show it: without ids and titles, where these are private."""
        if not self.private:
            return self
        items = _numbers(len(self.catalogue))
        catalogue = replace(
            self.catalogue,
            item_ids=items,
            titles=tuple(f"item {number}" for number in items),
            brands=(None,) * len(items),
            categories=((),) * len(items),
        )
        others = tuple(str(len(self.user_ids) + row) for row in range(len(self.other_user_ids)))
        return replace(self, user_ids=self.written_user_ids, other_user_ids=others, catalogue=catalogue)

    @property
    def unseen_targets(self) -> int:
        """Test targets that are in no training sequence."""
        learned = np.zeros(len(self.catalogue), dtype=np.bool_)
        learned[self.train.items] = True
        return int((~learned[self.test.targets]).sum())

    def __post_init__(self) -> None:
        freeze(self)

    @property
    def training_data(self) -> TrainingData:
        """The part that a model's `fit` receives."""
        return TrainingData(
            dataset=self.dataset,
            fingerprint=self.fingerprint,
            catalogue=self.catalogue,
            train=self.train,
            validation=self.validation,
            split=self.name,
            ties=self.ties,
            text_fingerprint=self.text_fingerprint,
        )


def _numbers(count: int) -> tuple[str, ...]:
    return tuple(map(str, range(count)))


Rankings = Int32Array
"""(users, depth) item rows, best first, padded at the end with NO_ITEM."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Generations:
    """Texts that a generative model wrote, as CSR over users, best likelihood first within a user."""

    users: Int32Array
    indptr: Int64Array
    texts: tuple[str, ...]
    log_likelihoods: FloatArray
    """(texts,) sum over the generated tokens, natural log."""
    items: Int32Array
    """(texts,) the item that each text found first, or NO_ITEM."""
