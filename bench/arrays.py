"""Arrays by what they hold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Int32Array = NDArray[np.int32]
Int64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]


def freeze(part: object) -> None:
    """Make the arrays of a dataclass read-only."""
    for value in vars(part).values():
        if isinstance(value, np.ndarray):
            value.flags.writeable = False
