"""Rows for the models that a board lacks: what they are, and the command that measures them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from leaderboard.cells.html_table import Badge, Cell, Column, Row
from leaderboard.frames import formatting
from leaderboard.frames.mission import Unmeasured
from leaderboard.frames.model_sizes import size_text


def unmeasured_rows(models: Sequence[Unmeasured], columns: Sequence[Column]) -> list[Row]:
    """Give a row a model; its last cell spans all columns behind the name."""
    before = [column.key for column in columns].index("model")
    return [
        Row(
            cells=[
                *(
                    Cell(text=formatting.MISSING if column.key == "rank" else "")
                    for column in columns[:before]
                ),
                Cell(
                    text=model.title,
                    kind=model.kind,
                    badges=_size(model),
                    note=f"{model.kind} · {model.name}",
                ),
                Cell(text="not measured yet; to measure it:", note=model.command),
            ],
            state="separate",
        )
        for model in models
    ]


def _size(model: Unmeasured) -> tuple[Badge, ...]:
    if math.isnan(model.parameters):
        return ()
    return (Badge(text=size_text(model.parameters), title="Parameters, as its name says"),)
