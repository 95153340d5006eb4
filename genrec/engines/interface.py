"""What an engine is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, Protocol

from bench.schema import BoolArray, Int32Array, Int64Array
from genrec.generation.kept_texts import Written

EngineName = Literal["own", "openai"]


class Engine(Protocol):
    """Writes texts; how many, and how, its settings say."""

    token_budget: int
    """Tokens in a batch, where batches are made here; a run that goes on takes the first one's."""

    def write(
        self,
        prompts: Sequence[str],
        keys: Sequence[str],
        needed: BoolArray,
        seen: Sequence[Int32Array] | None = None,
    ) -> Iterator[tuple[Int64Array, list[Written]]]:
        """Write the needed prompts: prompt numbers and their texts, a batch at a time, in any order.

        `keys` name the prompts' random streams; `seen` are the items, by row of the catalogue, whose texts
        are not to be written, where the settings exclude them.
        """
        ...
