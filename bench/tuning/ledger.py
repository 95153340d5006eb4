"""The tuning ledger: what was tried, on whom, for how long, and what was chosen.

It is a YAML file that `genrec-bench tune` writes beside the model's code, and a part of the record of every
run that uses its constants.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from bench.errors import ConfigError
from bench.files.atomic import replace_text
from bench.schema import TrainingData


class Ledger(BaseModel):
    """What a tuning run did; stored in the record of a run with its constants."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    model: str = Field(max_length=64, description="Name of the model.")
    dataset: str = Field(max_length=64, description="Name of the data set.")
    split: str = Field(max_length=64, description="Split that the users come from.")
    ties: str = Field(max_length=64, description="Order of same-day purchases.")
    fingerprint: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of the data that was tuned on.")
    command: str = Field(max_length=2000, description="What to type to tune so again.")
    created: AwareDatetime = Field(description="With its zone; UTC.")
    commit: str = Field(max_length=64, description="Commit of the harness, or 'unknown'.")
    validation: str = Field(max_length=200, description="Which users decided. Test users are never asked.")
    users: int = Field(ge=1, description="How many they were.")
    metric: str = Field(max_length=64, description="What was maximised.")
    view: str = Field(max_length=64, description="On lists with the user's own items removed, or kept.")
    sampler: str = Field(max_length=64, description="How constants were drawn.")
    seed: int = Field(ge=0, description="Of the draws, the drawn users and the model.")
    space: dict[str, dict[str, Any]] = Field(description="What was searched, by constant.")
    trials: int = Field(ge=1, description="Sets of constants tried, the default ones first.")
    seconds: Annotated[float, Field(ge=0)] = Field(description="Wall time of all trials together.")
    default_value: float | None = Field(description="The metric with the model's own defaults.")
    value: float = Field(description="The metric with the chosen constants.")
    chosen: dict[str, Any] = Field(description="The constants that runs on this data use.")
    scored_on_test: int | None = Field(
        default=None,
        ge=1,
        description="In a record: how many records of this model on this data the results folder then held, "
        "this one included. Tuning by looking at test would show here.",
    )


def ledger_path(folder: Path, model: str, dataset: str, split: str, ties: str) -> Path:
    """Where the constants of a model for one data set, split and tie rule lie below `folder`."""
    rule = f"{split}.{ties}".replace(":", "-")
    return folder / dataset / f"{model}.{rule}.yaml"


def find_ledger(package: str, model: str, data: TrainingData) -> Ledger | None:
    """Find the constants that a package ships for a model of its own on this data, if there are any."""
    folder = files(package).joinpath("tuned")
    path = ledger_path(Path(str(folder)), model, data.dataset, data.split, data.ties)
    return read_ledger(path)


def write_ledger(path: Path, ledger: Ledger) -> None:
    """Write a ledger as YAML, in one step."""
    body = ledger.model_dump(mode="json", exclude={"scored_on_test"})
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_text(path, yaml.safe_dump(body, sort_keys=False, width=110))


def read_ledger(path: Path) -> Ledger | None:
    """Read a ledger; None where there is none. ConfigError says what is wrong with a damaged one."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the tuning ledger {path} is not readable: {error}") from None
    try:
        return Ledger.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, ValidationError) as error:
        first = str(error).splitlines()[0]
        raise ConfigError(
            f"the tuning ledger {path} is damaged ({first}); tune again, or delete the file to use the "
            "model's default constants"
        ) from None
