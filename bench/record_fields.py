"""What the fields of a record may hold: no number without a range, no text without a length."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

Amount = Annotated[float, Field(ge=0, le=1e18)]
"""Seconds, joules, rates: nothing negative, nothing that no run takes."""
Bytes = Annotated[int, Field(ge=0, le=10**18)]
Score = Annotated[float, Field(ge=0, le=1e6)]
Count = Annotated[int, Field(ge=0, le=10**12)]
Name = Annotated[str, Field(max_length=80)]
"""What a table shows in one cell, or names a file's part."""
Line = Annotated[str, Field(max_length=400)]
Text = Annotated[str, Field(max_length=4000)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def _in_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError("is outside the calendar in UTC") from None


UtcTime = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A time with its zone; one without means another moment on every machine."""


class Part(BaseModel):
    """Base of all parts of a record: unknown fields are refused, and what was read stays as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
