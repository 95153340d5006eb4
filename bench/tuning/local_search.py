"""Hill climbing: the next point is the best one so far with a few of its constants moved a little.

For models whose defaults, or a point found on like data, are good already: a sampler that first draws at
random over the whole space spends most of a small budget far off. It is a (1+1) evolution strategy with
steps of fixed size (Rechenberg, "Evolutionsstrategie", 1973).
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

from bench.tuning.space import OneOf, Range, Space, Whole

MOVED = 3
"""Constants that move in a step, on average."""
STEP = 0.12
"""Standard deviation of a move, as a share of the range; of its logarithm where it is searched so."""


def step(rng: random.Random, space: Space, best: Mapping[str, Any]) -> dict[str, Any]:
    """Move some constants of `best`, at least one; a move that would leave the range ends at its border."""
    share = min(1.0, MOVED / len(space))
    moved = {name for name in space if rng.random() < share} or {rng.choice(list(space))}
    return {name: _moved(rng, space[name], value) if name in moved else value for name, value in best.items()}


def _moved(rng: random.Random, found: Range, value: Any) -> Any:
    if isinstance(found, OneOf):
        return rng.choice(found.options)
    low, high, at = (math.log(x) if found.log else float(x) for x in (found.low, found.high, value))
    at = min(max(at + rng.gauss(0, STEP) * (high - low), low), high)
    number = math.exp(at) if found.log else at
    if isinstance(found, Whole):
        number = round(number)
        number += (number == value) * rng.choice((-1, 1))  # a small range must not stand still
        return int(min(max(number, found.low), found.high))
    return min(max(number, found.low), found.high)
