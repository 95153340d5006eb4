"""What a model lets a tuner choose: one range for each constant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True)
class Whole:
    """A whole number from `low` to `high`, both included; `log` draws small ones as often as large ones."""

    low: int
    high: int
    log: bool = False


@dataclass(frozen=True)
class Real:
    """A number from `low` to `high`."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class OneOf:
    """One of these values, which have no order."""

    options: tuple[Any, ...]


Range = Whole | Real | OneOf
Space = Mapping[str, Range]


@runtime_checkable
class Tunable(Protocol):
    """A model class whose constants can be chosen: they are keyword arguments of its constructor."""

    @classmethod
    def space(cls) -> Space:
        """Name each constant that may be chosen, with the range to search."""
        ...
