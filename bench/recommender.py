"""What the harness asks of a model, and what it may offer besides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from bench.schema import Generations, Histories, Rankings, TrainingData


@runtime_checkable
class Recommender(Protocol):
    """What the harness asks of a model. It is constructed with the keyword `seed`.

    Optional attributes, read where they exist: `name`, `kind`, `display_name`, `authors`, `link`,
    and `parameters` (a JSON-able mapping stored in the record). Optional methods: see
    the protocols below.
    """

    def fit(self, data: TrainingData) -> None:
        """Learn from the training data."""
        ...

    def recommend(self, histories: Histories, depth: int) -> Rankings:
        """Rank for each history at most `depth` distinct items, best first: (len(histories), depth)."""
        ...


@runtime_checkable
class SelfReporting(Protocol):
    """A model that adds its own evidence to the record."""

    def details(self) -> Mapping[str, Any]:
        """JSON-able facts of the last fit and recommend (generation health, loss curve, ...).

        A model that took work over from an earlier process (a finished adapter, texts generated
        before a kill) puts the seconds that this work took then under 'carried_seconds', e.g.
        {'fit': 12600.0, 'recommend': 30.5}; the harness adds them to what it measured now. What that
        work held at its peak goes under 'carried_peak_bytes', of 'rss' and, on a GPU, 'allocated' and
        'reserved'; the harness records the larger of that and its own.
        """
        ...

    def generations(self) -> Generations | None:
        """Give the texts behind the last `recommend`, or None."""
        ...


@runtime_checkable
class KeepsAnswers(Protocol):
    """A model that keeps answers, and so cannot be timed by asking twice."""

    def recommend_afresh(self, histories: Histories, depth: int) -> Rankings:
        """Like `recommend`, but reads and keeps no earlier answer, and leaves `details` as it was."""
        ...


@runtime_checkable
class TimesRequests(Protocol):
    """A model whose requests cost money, so that it times those of the run itself."""

    def request_seconds(self) -> Sequence[float] | None:
        """Seconds of each request that was answered in this run; None: it can be timed by asking again."""
        ...


@runtime_checkable
class ChecksAvailability(Protocol):
    """A model that may be unable to run here."""

    def check_available(self, data: TrainingData) -> None:
        """Raise `bench.errors.Unavailable`, saying what is missing and the command that gets it."""
        ...
