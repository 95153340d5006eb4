"""What a model lets a tuner choose: one range for each constant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import yaml

from bench.errors import ConfigError


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


def read_constants(option: str, given: Sequence[str]) -> dict[str, Any]:
    """Read NAME=VALUE of an option, values as YAML writes them; ConfigError for anything else."""
    constants = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise ConfigError(f"{option} takes KEY=VALUE, got '{one}'")
        try:
            constants[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise ConfigError(f"{option} {name}: '{value}' is no number, text or truth value") from None
    return constants


def check_inside(space: Space, point: Mapping[str, Any]) -> None:
    """Raise ConfigError for a constant that is not searched, or lies outside its range."""
    for name, value in point.items():
        if name not in space:
            raise ConfigError(f"'{name}' is not among the constants to tune: {', '.join(space)}")
        found = space[name]
        if isinstance(found, OneOf):
            inside, range_ = value in found.options, str(found.options)
        else:
            inside = isinstance(value, int | float) and found.low <= value <= found.high
            range_ = f"{found.low} to {found.high}"
        if not inside:
            raise ConfigError(f"constant '{name}' is searched in {range_}, got {value!r}")
