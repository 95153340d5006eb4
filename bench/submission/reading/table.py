"""What every reader gives: a table of named columns, a sample of its rows, and its rows in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from bench.schema import Int64Array, Split

SAMPLE_ROWS = 200
"""Rows from which the roles of the columns are told."""

Column = Any
"""An Arrow array, or a list of Python values: text, numbers, lists, mappings, None."""
Wanted = Literal["id", "list", "number", "other"]
"""How a column is used. A row without an `id` or a `list` is a fault; numbers may be missing."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Some rows of the wanted columns, by the columns' positions."""

    columns: Mapping[int, Column]
    lines: Int64Array
    """Line (or row) of each, from 1."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A file as rows with named columns."""

    names: tuple[str, ...]
    sample: Sequence[Sequence[object]]
    """For each column the values of the first rows."""
    batches: Callable[[Mapping[int, Wanted]], Iterator[Batch]]
    """All rows of the wanted columns. A number may come as text that holds it."""
    declared: Mapping[str, str] = field(default_factory=dict)
    """What the file says of itself: `fingerprint`, `ties`, `split`, `dataset`."""
    keyed: bool = False
    """Whether this is a JSON object with a user as each key: column 0 the keys, column 1 the values."""
    named: bool = True
    """Whether the columns' names stand in the file."""
    place: str = "line"
    """What a row is called in messages."""

    def shown(self, position: int) -> str:
        """Give a column's name for a message."""
        from bench.submission.report import shown

        if self.keyed:
            return ("the object's keys", "the object's values")[position]
        return shown(self.names[position])


class Known:
    """The ids of a split's users and items: what tells a column of users from one of items."""

    def __init__(self, split: Split) -> None:
        self.split = split

    @cached_property
    def users(self) -> Mapping[str, int]:
        """Row of each user id."""
        return {user: row for row, user in enumerate(self.split.user_ids)}

    @cached_property
    def items(self) -> Mapping[str, int]:
        """Row of each item id."""
        return {item: row for row, item in enumerate(self.split.catalogue.item_ids)}


def row_numbers(first: int, count: int) -> Int64Array:
    """Give `count` numbers from `first`."""
    return np.arange(first, first + count, dtype=np.int64)
