"""Round numbers along an axis that starts at 0."""

from __future__ import annotations

import math
from collections.abc import Sequence


def round_ticks(top: float, about: int) -> list[float]:
    """Give round numbers from 0 to `top`, about as many as wanted.

    >>> round_ticks(0.09, 4)
    [0.0, 0.02, 0.04, 0.06, 0.08]
    """
    rough = top / (about + 1)
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough * 0.999)
    return [round(step * number, 12) for number in range(math.floor(top / step + 1e-9) + 1)]


def tick_text(value: float, ticks: Sequence[float]) -> str:
    """Show a tick with the decimals that its step needs, one at least."""
    step = ticks[1] if len(ticks) > 1 else 1.0
    return f"{value:.{max(1, -math.floor(math.log10(step)))}f}"
