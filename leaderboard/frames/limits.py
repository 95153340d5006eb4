"""What a decision asks for: at least so much quality, at most so much of each cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Limit:
    """The most of one cost that is taken: a column of the board, and what a unit of the limit is in it."""

    column: str
    label: str
    unit: float
    help: str = ""


LIMITS: dict[str, Limit] = {
    "ms": Limit(column="latency_ms", label="ms a user", unit=1.0, help="Latency of one request, median"),
    "hours": Limit(column="total_seconds", label="hours", unit=3600.0, help="To fit and make all lists"),
    "ram_gb": Limit(column="peak_rss_bytes", label="GB of RAM", unit=1e9, help="Peak memory of the process"),
    "vram_gb": Limit(
        column="peak_vram_bytes", label="GB of VRAM", unit=1e9, help="A run without a GPU needs none"
    ),
    "cost_of_run": Limit(
        column="money", label="money", unit=1.0, help="To fit and make all lists, at your prices an hour"
    ),
}


def with_money(frame: pd.DataFrame, gpu_hour: float | None, cpu_hour: float | None) -> pd.DataFrame:
    """Add the column `money`: hours of fitting and listing at these prices; NaN where one is not given."""
    price = frame["gpu"].map({True: gpu_hour, False: cpu_hour}).astype(float)
    return frame.assign(money=frame["total_seconds"] / 3600 * price)


def within(
    frame: pd.DataFrame, metric: str, least: float | None, most: Mapping[str, float]
) -> tuple[pd.DataFrame, int]:
    """Keep the rows that are good and cheap enough; also count those left out for a figure that is not known.

    `most` holds limits by their name in LIMITS. A run that was measured without a GPU takes no VRAM.
    """
    keep = pd.Series(True, index=frame.index)
    unknown = pd.Series(False, index=frame.index)
    if least is not None:
        keep &= frame[metric] >= least
        unknown |= frame[metric].isna()
    for name, limit in most.items():
        column = frame[LIMITS[name].column]
        if name == "vram_gb":
            measured = ~frame["gpu"] & ~frame["declared"] & ~frame["published"]
            column = column.mask(column.isna() & measured, 0.0)
        keep &= column <= limit * LIMITS[name].unit
        unknown |= column.isna()
    return frame[keep], int((unknown & ~keep).sum())
