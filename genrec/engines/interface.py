"""What an engine is, and what weights are to one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from bench.schema import BoolArray, Int32Array, Int64Array
from genrec.generation.kept_texts import Written

EngineName = Literal["own", "vllm", "openai"]


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Files of a model."""

    model: Path
    tokenizer: Path
    adapter: Path | None = None
    lora_r: int = 0
    four_bit: bool = False
    """Whether the adapter was trained on 4-bit weights."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Weights:
    """Weights on this machine."""

    name: str
    """Names them in the key of their texts."""
    store: Path
    """Folder of their texts."""
    load: Callable[[Literal["auto", "bf16", "fp32"]], tuple[Any, Any]]
    """Gives model and tokenizer, in the precision asked for."""
    checkpoint: Callable[[], Checkpoint]
    """Gives the files, for an engine that loads them itself."""


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
