"""The model card of a submission: a small YAML file, checked field by field."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench.record import SPLIT_PATTERN, TIES_PATTERN
from bench.submission.report import SubmissionError, shown

MAX_CARD_BYTES = 16 * 1024
MAX_BRACKETS = 50
"""A card nests two levels; the parser's time grows with the square of open brackets."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DeclaredCost(_Part):
    """What the authors say their runs took; shown as declared, not measured."""

    fit_seconds: float | None = Field(default=None, ge=0, description="Wall time of training.")
    recommend_seconds: float | None = Field(default=None, ge=0, description="Wall time of all lists.")
    users_per_second: float | None = Field(default=None, gt=0)
    peak_vram_gb: float | None = Field(default=None, gt=0, description="Largest GPU memory, 10^9 bytes.")
    peak_ram_gb: float | None = Field(default=None, gt=0, description="Largest main memory, 10^9 bytes.")
    energy_kwh: float | None = Field(default=None, gt=0)


class ModelCard(_Part):
    """Who made the model, from what, and how."""

    display_name: str = Field(default="", max_length=120)
    authors: str = Field(default="", max_length=400)
    link: str = Field(default="", max_length=400, pattern=r"^(https?://\S+)?$")
    licence: str = Field(default="", max_length=100)
    description: str = Field(default="", max_length=2000)
    base_model: str = Field(default="", max_length=200, description="Pretrained weights, or 'none'.")
    training_data: str = Field(default="", max_length=1000, description="Everything that was learned from.")
    tuned_on: str = Field(
        default="", max_length=200, description="What chose settings: validation, none, ..."
    )
    parameters: int | None = Field(default=None, ge=0, description="Number of weights.")
    seeds: list[int] = Field(default_factory=list, max_length=100)
    hardware: str = Field(default="", max_length=200)
    fingerprint: str | None = Field(
        default=None, pattern=r"^[0-9a-f]{64}$", description="Data the lists are for."
    )
    ties: str | None = Field(default=None, pattern=TIES_PATTERN, description="Tie rule the lists are for.")
    split: str | None = Field(default=None, pattern=SPLIT_PATTERN, description="Split the lists are for.")
    seen_items: Literal["kept", "removed"] | None = Field(
        default=None, description="Published outcomes: items of the own history, in the lists or not."
    )
    cost: DeclaredCost = Field(default_factory=DeclaredCost)


def read_card(path: Path) -> ModelCard:
    """Read and check a card; every fault is named in one SubmissionError."""
    try:
        body = path.read_bytes()
    except OSError as error:
        raise SubmissionError(f"the card '{path}' cannot be read: {error.strerror or error}") from None
    if len(body) > MAX_CARD_BYTES:
        raise SubmissionError(f"the card '{path.name}' is over {MAX_CARD_BYTES // 1024} KiB")
    return parse_card(body, path.name)


def parse_card(body: bytes, name: str) -> ModelCard:
    """Check the text of a card."""
    content = _load_yaml(body, name)
    if not isinstance(content, dict):
        raise SubmissionError(f"the card '{name}' must be 'field: value' lines; fields: {_fields()}")
    try:
        return ModelCard.model_validate(content)
    except ValidationError as error:
        faults = [_fault(fault) for fault in error.errors(include_input=False, include_url=False)]
        raise SubmissionError(f"the card '{name}' has faults: {'; '.join(faults[:10])}") from None


def _load_yaml(body: bytes, name: str) -> Any:
    import yaml

    try:
        text = body.decode("utf-8-sig")
        if text.count("[") + text.count("{") > MAX_BRACKETS:
            raise SubmissionError(
                f"the card '{name}' has over {MAX_BRACKETS} brackets; it is 'field: value' lines"
            )
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise SubmissionError(f"the card '{name}' uses YAML aliases (*name), which are not accepted")
        return yaml.safe_load(text)
    except UnicodeDecodeError:
        raise SubmissionError(f"the card '{name}' is not UTF-8") from None
    except (yaml.YAMLError, ValueError, TypeError, OverflowError, RecursionError) as error:
        brief = " ".join(str(error).split())[:200]
        raise SubmissionError(f"the card '{name}' is not YAML: {brief}") from None


def _fault(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        known = list(DeclaredCost.model_fields) if len(fault["loc"]) > 1 else list(ModelCard.model_fields)
        close = get_close_matches(where.rpartition(".")[2], known, n=1)
        return f"unknown field {shown(where)}" + (f", did you mean '{close[0]}'?" if close else "")
    return f"{shown(where)}: {fault['msg']}"


def _fields() -> str:
    return ", ".join(ModelCard.model_fields)
