"""The constants of a model: one declaration each of default, what is allowed, and what a tuner searches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from bench.errors import ConfigError, unknown_name
from bench.tuning.space import OneOf, Real, Space, Whole


class Constants(BaseModel):
    """Base of all constants. A range (`bench.tuning.space`) in a field's annotation is its search range."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Self:
        """Check constants that a user or a tuner gave; ConfigError names the first that is not allowed."""
        for name in given:
            if name not in cls.model_fields:
                raise unknown_name("constant", name, cls.model_fields)
        try:
            return cls(**given)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            raise ConfigError(f"constant '{name}': {first['msg']}, got {first['input']!r}") from None

    @classmethod
    def space(cls) -> Space:
        """Give the search range of each constant that has one."""
        return {
            name: part
            for name, field in cls.model_fields.items()
            for part in field.metadata
            if isinstance(part, Whole | Real | OneOf)
        }


class TunableModel:
    """A model whose constants are a subclass's `Settings`: checked when it is made, searched by a tuner."""

    Settings: ClassVar[type[Constants]]

    def __init__(self, *, seed: int = 0, **constants: Any) -> None:
        self.seed = seed
        self.settings: Any = self.Settings.read(constants)
        self.parameters: Mapping[str, Any] = self.settings.model_dump()

    @classmethod
    def space(cls) -> Space:
        """Give the search range of each constant."""
        return cls.Settings.space()
