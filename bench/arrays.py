"""Arrays by what they hold, and pieces of them laid behind each other, as CSR has them."""

from __future__ import annotations

from typing import Any

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


def cut(starts: NDArray[Any], lengths: NDArray[Any]) -> tuple[Int64Array, Int64Array]:
    """Cut the pieces [start, start + length) out of a flat array, one piece a row.

    Gives the rows' CSR pointer, (rows + 1,), and the places in the flat array, (sum of lengths,).
    """
    indptr = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=indptr[1:])
    return indptr, np.repeat(starts - indptr[:-1], lengths) + np.arange(indptr[-1])
