"""Settings of the way from texts to lists."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

ListRule = Literal["published", "by_likelihood", "calrec"]


class RetrieveSettings(BaseModel):
    """From generated texts to a ranked list of items (see `list_rules`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    list_rule: ListRule = "by_likelihood"
    calrec_weight: float = Field(0.5, ge=0, le=1)
    """Share of the language model's log-likelihood in the modulated score; the rest is BM25's."""
