"""Text history: the items whose texts are nearest, by BM25, to those of the recent purchases.

    s(j) = sum over the history, p places before its end:
           text_decay^p * ( title_weight * T[i_p, j]^title_power + full_weight * F[i_p, j]^full_power )

T and F are BM25 scores of whole item texts, each item a query among all others: T of the titles, F of title,
categories and brand. The best `neighbours` of an item are kept and divided by the best score, so that
powers above 1 favour near twins.

Source: BM25, Robertson & Zaragoza, "The probabilistic relevance framework" (2009), in Lucene's variant;
querying with the purchases themselves is the published last-item baseline, here over the whole history.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field
from scipy import sparse

from baselines.neighbours.constants import Constants
from baselines.neighbours.history_ranker import Table
from baselines.neighbours.neighbour_model import NeighbourModel
from baselines.neighbours.texts import text_links
from bench.schema import Catalogue, TrainingData
from bench.tuning.space import Real


class TextSettings(Constants):
    """Constants of the formula above."""

    neighbours: Annotated[int, Field(ge=1, le=1000)] = 200
    title_weight: Annotated[float, Field(ge=0, le=1e6), Real(0, 6)] = 1.5
    full_weight: Annotated[float, Field(ge=0, le=1e6), Real(0.5, 8)] = 4.0
    title_power: Annotated[float, Field(ge=0.1, le=10), Real(0.5, 5)] = 3.0
    full_power: Annotated[float, Field(ge=0.1, le=10), Real(0.5, 5)] = 1.5
    text_decay: Annotated[float, Field(ge=0, le=1), Real(0.2, 1)] = 0.7


class TextHistory(NeighbourModel):
    """Ranks by text alone."""

    Settings = TextSettings
    display_name = "Text of the history (BM25)"

    def tables(self, data: TrainingData) -> Sequence[Table]:
        """Search for the like of each item."""
        return [Table(links=weighted_texts(data.catalogue, self.settings), decay=self.settings.text_decay)]


def weighted_texts(catalogue: Catalogue, settings: TextSettings) -> Any:
    """Sparse (items, items): what stands in the bracket of the formula."""
    titles = text_links(catalogue, "title", settings.neighbours)
    full = text_links(catalogue, "title+category+brand", settings.neighbours)
    links = settings.title_weight * titles.power(settings.title_power)
    return sparse.csr_array(links + settings.full_weight * full.power(settings.full_power))
