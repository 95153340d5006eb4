"""What the fields of a record may hold, and the part that says what a run took, on what machine.

No number is without a range, and no text without a length.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

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


class Latency(Part):
    """One user's request on its own, milliseconds, over a sample of users."""

    p50: Amount
    p95: Amount
    users: int = Field(ge=1, description="Size of the sample.")


class PeakVram(Part):
    """Peak device memory in bytes, three ways."""

    allocated: Bytes | None = Field(default=None, description="Held by tensors (torch).")
    reserved: Bytes | None = Field(default=None, description="Held by torch's allocator.")
    process: Bytes | None = Field(default=None, description="Held by the process, as the driver counts.")


class MemorySample(Part):
    """Memory at one moment."""

    seconds: Amount = Field(description="Since the start of the run.")
    stage: Name
    rss_bytes: Bytes
    vram_bytes: Bytes | None = Field(default=None, description="Process-wide, or null without a GPU.")


class Cost(Part):
    """What the run took. A figure that could not be measured is null, never 0."""

    wall_seconds: dict[Name, Amount] = Field(
        description="By stage: load, start, fit, recommend, latency, score."
    )
    users_per_second: Amount | None = Field(description="Test users / recommend seconds.")
    latency_ms: Latency | None = None
    start_rss_bytes: Bytes | None = Field(
        default=None, description="Resident memory when fit began: interpreter, libraries, data."
    )
    peak_rss_bytes: Bytes | None = None
    peak_vram_bytes: PeakVram | None = None
    energy_joules: Amount | None = Field(default=None, description="GPU energy over fit and recommend.")
    memory_timeline: list[MemorySample] = Field(default_factory=list)
    source: Literal["measured", "declared"] = Field(
        default="measured", description="Measured by the harness, or declared by the submitter."
    )

    @property
    def peak_device_bytes(self) -> int | None:
        """Peak device memory: the largest of the counts that are known, which is what a device must have."""
        peak = self.peak_vram_bytes
        counts = (peak.allocated, peak.reserved, peak.process) if peak else ()
        return max((count for count in counts if count is not None), default=None)


class Environment(Part):
    """Where the run took place."""

    commit: str = Field(pattern=r"^[0-9a-z]{1,64}$", description="Commit of the harness, or 'unknown'.")
    dirty: bool | None = Field(description="Uncommitted changes in the harness; null if unknown.")
    packages: dict[Name, Name] = Field(description="Versions that matter to a result.")
    cpu: Line
    cores: Count | None = None
    gpu: Line | None = None
    driver: Name | None = None
    os: Line
    python: Name
