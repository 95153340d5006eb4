"""The language models that this benchmark is for and a board lacks, and how to measure them."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from dataclasses import dataclass

from bench.datasets.rules.split_rules import LEAVE_ONE_OUT
from bench.datasets.rules.tie_rules import FILE
from bench.models import MODELS
from leaderboard.frames.board_rows import BoardKey
from leaderboard.frames.model_sizes import size_in_name


@dataclass(frozen=True, kw_only=True)
class Unmeasured:
    """A model without a record on a board."""

    name: str
    title: str
    kind: str
    parameters: float
    """As its name says, or NaN."""
    command: str


def unmeasured(key: BoardKey, measured: Collection[str]) -> list[Unmeasured]:
    """Give the built-in models that write text and have no record of this board, in the registry's order."""
    return [
        Unmeasured(
            name=entry.name,
            title=entry.display_name,
            kind=entry.kind,
            parameters=size_in_name(entry.display_name),
            command=_command(key, entry.name),
        )
        for entry in MODELS.values()
        if entry.kind in ("generative", "hybrid") and entry.name not in measured
    ]


def _command(key: BoardKey, model: str) -> str:
    words = ["pytest", "bench", "--benchmark", "--dataset", key.dataset, "--models", model]
    words += ["--split", key.split] if key.split != LEAVE_ONE_OUT else []
    words += ["--ties", key.ties] if key.ties != FILE else []
    return shlex.join(words)
