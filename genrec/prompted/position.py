"""Whether the place at which a candidate is shown decides where it is put."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.statistics.bootstrap import mean_interval
from genrec.prompted.answers import Order


def position_bias(orders: Sequence[Order], shown: Sequence[int], *, seed: int) -> dict[str, Any]:
    """Describe orders of shuffled candidates, `shown` so many a user; JSON-able, null where none was named.

    - first_choice: place in the prompt of what is named first, 0 the first, 1 the last; 0.5 without bias.
    - order_kept: share of neighbours in an answer that stand as in the prompt; 0.5 without bias, 1 a copy.
    """
    first = [
        o.named[0] / (count - 1) for o, count in zip(orders, shown, strict=True) if o.named and count > 1
    ]
    kept = [float((np.diff(o.named) > 0).mean()) for o in orders if len(o.named) > 1]
    return {"first_choice": _mean(first, seed), "order_kept": _mean(kept, seed), "without_bias": 0.5}


def _mean(values: list[float], seed: int) -> dict[str, float] | None:
    if not values:
        return None
    found = mean_interval(np.array(values), seed=seed)
    return {name: round(getattr(found, name), 4) for name in ("value", "low", "high")}
