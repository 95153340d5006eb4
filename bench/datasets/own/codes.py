"""A column of ids, piece by piece -> whole numbers, each id kept once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from bench.schema import Int32Array


class IdCodes:
    """Numbers ids 0, 1, ... in the order in which they are met; texts and whole numbers are one and the same.

    `bad` counts rows whose id is empty, not printable or a number with a fraction; their code is -1.
    """

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self.bad = 0
        self.bad_examples: list[object] = []
        self.float_rows = 0
        """Rows of a column of floats, which a whole number becomes where a column has gaps."""

    def __len__(self) -> int:
        return len(self._codes)

    @property
    def ids(self) -> list[str]:
        """The ids in the order of their codes."""
        return list(self._codes)

    def __contains__(self, id_: object) -> bool:
        return id_ in self._codes

    def of(self, ids: Iterable[str]) -> Int32Array:
        """Give the codes of ids that were met."""
        return np.fromiter(map(self._codes.__getitem__, ids), dtype=np.int32)

    def add(self, column: Any) -> Int32Array:
        """Give the code of each row; new ids get new codes."""
        import pyarrow as pa

        if pa.types.is_nested(column.type):
            column = pa.nulls(len(column), pa.string())
        if pa.types.is_floating(column.type):
            self.float_rows += len(column) - column.null_count
        encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        codes, known = self._codes, np.empty(len(encoded.dictionary) + 1, dtype=np.int32)
        known[-1] = -1  # where the row is null
        for place, value in enumerate(encoded.dictionary.to_pylist()):
            id_ = as_id(value)
            known[place] = -1 if id_ is None else codes.setdefault(id_, len(codes))
        indices = encoded.indices.fill_null(len(encoded.dictionary)).to_numpy(zero_copy_only=False)
        rows: Int32Array = known[indices]
        self._note_bad(column, rows)
        return rows

    def _note_bad(self, column: Any, rows: Int32Array) -> None:
        bad = np.flatnonzero(rows < 0)
        self.bad += len(bad)
        for row in bad[: max(0, 3 - len(self.bad_examples))].tolist():
            self.bad_examples.append(column[row].as_py())


def as_id(value: object) -> str | None:
    """Give an id as text; None where it is empty, cannot be printed, or is a number with a fraction."""
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            return None
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else None
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value).strip()
    return text if text and text.isprintable() else None
