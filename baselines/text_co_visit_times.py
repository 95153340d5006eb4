"""Text and co-visit with times: pairs bought in one basket apart from pairs bought days apart.

    s(j) = sum over the history, p places before its end:
           history_decay^p * 2 * ( b * D[i_p, j] + (1 - b) * G[i_p, j] )  +  t * (what `text_co_visit` adds)

D counts as `co_visit` does, but only pairs of one day, with `day_decay` and `day_back`; G only pairs of
different days, each worth exp(-days / fade_days). Both are divided by the mean entry of D + G. A purchase
made on the day of the request (an open basket) has b = `basket_on_day` and t = `text_on_day`, an earlier
one b = `basket_later` and t = 1. Whoever sells knows the time of a request; the row says that it uses it.

Baskets and later purchases are different relations: complements and successors (McAuley et al., "Inferring
networks of substitutable and complementary products", KDD 2015).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from baselines.neighbours.history_ranker import Table
from baselines.neighbours.neighbour_model import NeighbourModel
from baselines.neighbours.pairs import following_by_day, purchases, scaled
from baselines.text_co_visit import TextCoVisitSettings
from baselines.text_history import weighted_texts
from bench.errors import Unavailable
from bench.schema import Histories, TrainingData
from bench.tuning.space import Real

Weight = Annotated[float, Field(ge=0, le=1)]


class TimedSettings(TextCoVisitSettings):
    """Constants of the formula above."""

    day_decay: Annotated[Weight, Real(0.4, 1)] = 0.8
    day_back: Annotated[Weight, Real(0, 1)] = 0.3
    fade_days: Annotated[float, Field(gt=0, le=1e6), Real(30, 2000, log=True)] = 365.0
    basket_on_day: Annotated[Weight, Real(0.3, 1)] = 0.6
    basket_later: Annotated[Weight, Real(0, 0.8)] = 0.4
    text_on_day: Annotated[float, Field(ge=0, le=100), Real(0.2, 4, log=True)] = 1.0


class TextCoVisitTimes(NeighbourModel):
    """Ranks by the sum of all three; where no time of the request is known, as if on a later day."""

    Settings = TimedSettings
    display_name = "Text + co-visit, with times"
    uses_times = True

    def check_available(self, data: TrainingData) -> None:
        """Raise Unavailable for data without times."""
        check_times(data)

    def tables(self, data: TrainingData) -> Sequence[Table]:
        """Count the pairs of each sort and search for the like of each item."""
        links = timed_links(data.train, len(data.catalogue), self.settings)
        return timed_tables(*links, weighted_texts(data.catalogue, self.settings), self.settings)


def check_times(data: TrainingData) -> None:
    """Raise Unavailable for data without times."""
    if data.train.times is None:
        raise Unavailable(f"the purchases of {data.dataset} have no times")


def timed_links(sequences: Histories, items: int, settings: TimedSettings) -> tuple[Any, Any]:
    """Sparse (items, items), twice: D and G of the formula, over the mean entry of their sum."""
    basket, later = following_by_day(
        sequences,
        items,
        window=settings.window,
        decay=settings.decay,
        day_decay=settings.day_decay,
        fade_days=settings.fade_days,
        activity_power=settings.activity_power,
    )
    damped = purchases(sequences, items) + max(settings.shrink, 1e-9)  # an unsold item has no pairs
    powers = damped**-settings.source_power, damped**-settings.target_power
    basket = scaled(basket + settings.day_back * basket.T, *powers)
    later = scaled(later + settings.back * later.T, *powers)
    whole = basket + later
    mean = whole.data.mean() if whole.nnz else 1.0
    return basket / mean, later / mean


def timed_tables(basket: Any, later: Any, texts: Any, settings: TimedSettings) -> list[Table]:
    """Put D, G and the texts together by the weights of the formula."""
    decay, open_basket, after = settings.history_decay, settings.basket_on_day, settings.basket_later
    return [
        Table(links=basket, decay=decay, on_day=2 * open_basket, off_day=2 * after),
        Table(links=later, decay=decay, on_day=2 * (1 - open_basket), off_day=2 * (1 - after)),
        Table(links=texts, decay=settings.text_decay, on_day=settings.text_on_day),
    ]
