"""Rows of different lengths behind each other in one array, as CSR has them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Int64Array = NDArray[np.int64]


def cut(starts: NDArray[Any], lengths: NDArray[Any]) -> tuple[Int64Array, Int64Array]:
    """Cut the pieces [start, start + length) out of a flat array, one piece a row.

    Gives the rows' CSR pointer, (rows + 1,), and the places in the flat array, (sum of lengths,).
    """
    indptr = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=indptr[1:])
    return indptr, np.repeat(starts - indptr[:-1], lengths) + np.arange(indptr[-1])
