"""Settings of a model that is asked and not trained."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class PromptedSettings(BaseModel):
    """Writing titles without training (see `genrec.prompted.recommender`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    titles: int = Field(10, ge=1, le=50)
    """Titles asked for in one answer, most likely first."""
    examples: int = Field(0, ge=0, le=20)
    """Histories of other users, with what they went on with, that stand in the prompt: 0 is zero-shot."""


class RerankSettings(BaseModel):
    """Ordering the candidates of a cheaper model (see `genrec.prompted.reranker`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    row: str = "text-co-visit"
    """Name of the model whose lists hold the candidates."""
    top: int = Field(20, ge=2, le=50)
    """Candidates a user: the first so many unseen items of the row's list."""
