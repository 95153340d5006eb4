"""The reproduction report as it is kept beside the records of a data set."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from bench.errors import RecordError
from bench.files.atomic import replace_text
from bench.files.ordinary import read_ordinary
from bench.record import VERSION_FOLDER
from bench.record_parts import UtcTime

FILE_NAME = "reproduction.json"
MAX_BYTES = 2**20
OWN_SOURCE = "own earlier computation"
"""Source of figures that nobody but this project has computed."""


class ReproducedRow(BaseModel):
    """One figure."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    section: str
    what: str
    metric: str
    published: float | None = Field(description="Null where nothing was published.")
    source: str = ""
    ours: float | None = Field(description="Null where it could not be run here; `why` says so.")
    difference: float | None = Field(description="Ours - published.")
    agrees: bool | None = Field(description="Whether ours rounds to the published digits.")
    why: str = ""


class Reproduction(BaseModel):
    """The whole report, as it is kept for the board."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int = 1
    dataset: str
    fingerprint: str
    created: UtcTime
    commit: str
    rows: list[ReproducedRow]


def save(found: Reproduction, results_dir: Path) -> Path:
    """Write the report where the board looks for it, replacing an older one whole."""
    path = results_dir / VERSION_FOLDER / found.dataset / FILE_NAME
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_text(path, found.model_dump_json(indent=1) + "\n")
    except OSError as error:
        raise RecordError(f"could not write {path}: {error.strerror or error}") from error
    return path


def load(dataset: str, results_dir: Path) -> Reproduction | None:
    """Read a saved report; None if there is none, RecordError if it is damaged."""
    path = results_dir / VERSION_FOLDER / dataset / FILE_NAME
    try:
        return Reproduction.model_validate(json.loads(read_ordinary(path, MAX_BYTES)))
    except FileNotFoundError:
        return None
    except (OSError, RecordError, ValueError, RecursionError) as error:
        raise RecordError(f"{path} is not a reproduction report: {str(error)[:200]}") from None
