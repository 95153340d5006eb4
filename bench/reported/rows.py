"""Numbers published elsewhere, with source and protocol: facts beside the board, never ranked in it."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bench.errors import ConfigError, unknown_name
from bench.record import NAME_PATTERN, Kind

METRIC_PATTERN = r"^(recall|ndcg|mrr)@[1-9][0-9]{0,2}$"
FIRST_SOURCES = ("gpt4rec", "nanogenrec", "gloss")
"""Sources whose rows stand first: the paper that the method follows, then the write-up's own."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Source(_Part):
    """Where a figure was published."""

    title: str = Field(min_length=1)
    link: str | None = Field(pattern=r"^https://", description="Paper or repository, where one is known.")
    stated_year: int | None = Field(default=None, alias="year", ge=1990, le=2100)

    @property
    def year(self) -> int | None:
        """The year of publication: as stated, or that of an arXiv number; None where neither is known."""
        number = re.search(r"arxiv\.org/abs/([0-9]{2})[0-9]{2}\.", self.link or "")
        return self.stated_year or (2000 + int(number.group(1)) if number else None)


class Protocol(_Part):
    """How a figure was measured; null where what was read does not say."""

    split: str = Field(min_length=1)
    users: int | None = Field(ge=1, description="Users in the mean.")
    users_note: str = ""
    items: int | None = Field(default=None, ge=1, description="Items ranked.")
    history: str = ""
    ranking: Literal["full", "sampled", "unknown"]
    seen_items: Literal["kept", "removed", "unknown"]

    @property
    def note(self) -> str:
        """The protocol in one line."""
        users = f"{self.users:,} users" if self.users else "number of users unknown"
        users += f" ({self.users_note})" if self.users_note else ""
        items = f"{self.items:,} items" if self.items else ""
        history = f"history: {self.history}" if self.history else ""
        tail = (f"{self.ranking} ranking", f"seen items {self.seen_items}")
        return "; ".join(part for part in (self.split, users, items, history, *tail) if part)


class ReportedCost(_Part):
    """What the authors say it took."""

    hardware: str = ""
    fit_hours: float | None = Field(default=None, gt=0)
    peak_vram_gb: float | None = Field(default=None, gt=0)
    note: str = ""


class ReportedSlice(_Part):
    """The figures of one group of users."""

    label: str
    users: int = Field(ge=1)
    metrics: dict[str, float]


class ReportedRow(_Part):
    """One model's figures as published, with everything needed to judge them."""

    id: str = Field(pattern=NAME_PATTERN)
    model: str = Field(min_length=1, max_length=80)
    kind: Kind
    dataset: str = Field(pattern=NAME_PATTERN)
    metrics: dict[str, float] = Field(min_length=1, description="metric@cutoff -> value.")
    source_id: str
    source: Source
    place: str = Field(min_length=1, description="Table, file or section.")
    protocol: Protocol
    read: Literal["primary", "quoted", "own"]
    comparable: bool
    reason: str = Field(min_length=1, description="Why the figure may, or may not, stand beside a record.")
    caveat: str = ""
    counterpart: str | None = Field(default=None, description="Model of this harness with the same method.")
    cost: ReportedCost | None = None
    slices: tuple[ReportedSlice, ...] = ()

    @model_validator(mode="after")
    def _check_metrics(self) -> ReportedRow:
        for metrics in (self.metrics, *(part.metrics for part in self.slices)):
            for name, value in metrics.items():
                if not re.match(METRIC_PATTERN, name) or not 0 < value < 1:
                    raise ValueError(f"{self.id}: '{name}: {value}' is not a metric@cutoff between 0 and 1")
        return self

    def interval(self, metric: str) -> tuple[float, float] | None:
        """Give the 95 % normal approximation to the binomial interval of a recall; None for others.

        A recall with one relevant item a user is a share of users: p +- 1.96 sqrt(p (1 - p) / users).
        """
        users, value = self.protocol.users, self.metrics.get(metric)
        if users is None or value is None or not metric.startswith("recall@"):
            return None
        half = 1.96 * (value * (1 - value) / users) ** 0.5
        return max(0.0, value - half), value + half

    @property
    def notes(self) -> str:
        """Caveat, interval where the sample is small, and why the row does not compare, in one line."""
        parts = [self.caveat] if self.caveat else []
        if self.protocol.users is not None and self.protocol.users < 10_000:
            for metric in self.metrics:
                if (interval := self.interval(metric)) is not None:
                    low, high = interval
                    users = self.protocol.users
                    parts.append(f"95 % interval of {metric} on about {users:,} users: {low:.4f}-{high:.4f}.")
        if not self.comparable:
            parts.append(f"Not comparable: {self.reason}.")
        return " ".join(parts)


@cache
def _all_rows() -> tuple[ReportedRow, ...]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one is ten times as fast
    text = (files("bench.reported") / "reported.yaml").read_text(encoding="utf-8")
    return parse_reported(yaml.load(text, Loader=loader))


def parse_reported(content: Any) -> tuple[ReportedRow, ...]:
    """Check the parsed YAML and join each row with its source and protocol; raise ConfigError if wrong."""
    try:
        sources, protocols = content["sources"], content["protocols"]
        rows = tuple(_row(entry, sources, protocols) for entry in content["rows"])
    except (ValidationError, KeyError, TypeError) as error:
        raise ConfigError(f"the table of reported numbers is malformed: {error}") from error
    ids = [row.id for row in rows]
    repeated = sorted({name for name in ids if ids.count(name) > 1})
    if repeated:
        raise ConfigError(f"the table of reported numbers repeats these ids: {', '.join(repeated)}")
    return rows


def _row(entry: dict[str, Any], sources: dict[str, Any], protocols: dict[str, Any]) -> ReportedRow:
    fields = dict(entry)
    source_id, protocol_id = fields.pop("source"), fields.pop("protocol")
    if source_id not in sources:
        raise unknown_name("source of a reported row", source_id, sources)
    if protocol_id not in protocols:
        raise unknown_name("protocol of a reported row", protocol_id, protocols)
    source, protocol = sources[source_id], protocols[protocol_id]
    return ReportedRow.model_validate(
        {**fields, "source_id": source_id, "source": source, "protocol": protocol}
    )


def load_reported(dataset: str | None = None) -> list[ReportedRow]:
    """Give the rows of one data set, or all: GPT4Rec first, then the write-up's, then the rest."""
    return [row for row in _all_rows() if dataset is None or row.dataset == dataset]


def find_reported(key: str, dataset: str) -> list[ReportedRow]:
    """Give the row with this id, or all rows of this source, for a data set."""
    rows = load_reported(dataset)
    found = [row for row in rows if row.id == key] or [row for row in rows if row.source_id == key]
    if not found:
        raise unknown_name(
            "reported row or source", key, {name for r in rows for name in (r.id, r.source_id)}
        )
    return found
