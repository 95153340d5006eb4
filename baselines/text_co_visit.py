"""Text and co-visit together: what others bought near the history's items, and what reads like them.

    s(j) = sum over the history, p places before its end:
           history_decay^p * C[i_p, j] / mean(C)  +  text_decay^p * (what `text_history` sums)

C as in `co_visit`, divided by the mean of its entries. The sum lets an item that nobody bought yet be found
by its text, and lets purchases order items whose texts say nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from baselines.co_visit import CoVisitSettings, co_visit_links
from baselines.neighbours.history_ranker import Table
from baselines.neighbours.neighbour_model import NeighbourModel
from baselines.text_history import TextSettings, weighted_texts
from bench.schema import TrainingData


class TextCoVisitSettings(CoVisitSettings, TextSettings):
    """Constants of both parts."""


class TextCoVisit(NeighbourModel):
    """Ranks by the sum of both."""

    Settings = TextCoVisitSettings
    display_name = "Text + co-visit"

    def tables(self, data: TrainingData) -> Sequence[Table]:
        """Count the pairs and search for the like of each item."""
        settings = self.settings
        pairs = co_visit_links(data.train, len(data.catalogue), settings)
        return [
            Table(links=pairs, decay=settings.history_decay),
            Table(links=weighted_texts(data.catalogue, settings), decay=settings.text_decay),
        ]
