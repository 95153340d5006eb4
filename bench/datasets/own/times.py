"""A column of times -> Unix seconds: numbers of any unit, dates, ISO texts with or without a zone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.datasets.own.faults import Faults
from bench.schema import Int64Array

EARLIEST, LATEST = -(10**9), 5_000_000_000
"""Unix seconds (1938, 2128): what lies outside is no time of a purchase."""
COARSEST = 10**8
"""Seconds since 1970 under which a time in a finer unit is taken for one in a coarser unit."""
_UNITS = ((10**11, 1, "seconds"), (10**14, 10**3, "milliseconds"), (10**17, 10**6, "microseconds"))
_NANOSECONDS = (10**9, "nanoseconds")


@dataclass(kw_only=True)
class TimeColumn:
    """Reads a column piece by piece; the unit is that of the first piece and must hold for all."""

    zone: str = "UTC"
    """Of texts and dates that name none."""
    unit: str = ""
    """What was found, for the record."""

    def seconds(self, column: Any) -> tuple[Int64Array, NDArray[np.bool_]]:
        """Give Unix seconds, rounded down, and which rows hold a plausible time; raises ValueError."""
        import pyarrow as pa
        import pyarrow.compute as pc

        column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        known = pc.is_valid(column).to_numpy(zero_copy_only=False)
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column, known = self._parsed(column, known)
        kind = column.type
        if pa.types.is_date(kind):
            self._is("days")
            column = column.cast(pa.timestamp("s"))
        elif pa.types.is_timestamp(kind):
            self._is(f"times, zone {kind.tz}" if kind.tz else f"times without a zone, taken as {self.zone}")
        elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            raise ValueError(f"a column of {kind} holds no times")
        if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
            if not getattr(column.type, "tz", None) and self.zone != "UTC":
                column = pc.assume_timezone(column, self.zone, ambiguous="earliest", nonexistent="earliest")
            whole = pc.floor_temporal(column, unit="second").cast(pa.timestamp("s", column.type.tz))
            values = pc.fill_null(whole.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
        else:
            values = self._scaled(pc.fill_null(column, 0).to_numpy(zero_copy_only=False), known)
        return values, known & (values > EARLIEST) & (values < LATEST)

    def _parsed(self, column: Any, known: NDArray[np.bool_]) -> tuple[Any, NDArray[np.bool_]]:
        """Read texts: as numbers if they are, else as ISO times; rows that are neither are not known."""
        import pyarrow as pa
        import pyarrow.compute as pc

        column = pc.utf8_trim_whitespace(column)
        readers: tuple[Callable[[Any], Any], ...] = (
            lambda texts: texts.cast(pa.int64()),
            lambda texts: texts.cast(pa.float64()),
            lambda texts: texts.cast(pa.timestamp("us")),
            lambda texts: texts.cast(pa.timestamp("us", "UTC")),
        )
        for read in readers:
            try:
                return read(column), known
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                continue
        # some rows are no times: the reader that reads most of a sample decides, and the others are faults
        texts = column.to_pylist()
        best: list[Any] = []
        for read in readers:
            values = [_one(read, text) for text in texts]
            if sum(v is not None for v in values) > sum(v is not None for v in best):
                best = values
        if not best:
            raise ValueError(f"no row holds a time, such as {texts[0]!r:.40}")
        result = pa.array(best)
        return result, known & pc.is_valid(result).to_numpy(zero_copy_only=False)

    def _scaled(self, values: NDArray[Any], known: NDArray[np.bool_]) -> Int64Array:
        finite = known & np.isfinite(values)
        size = (
            float(np.median(np.abs(values[finite].astype(np.float64)).clip(max=1e30)))
            if finite.any()
            else 0.0
        )
        divisor, unit = next(((div, name) for top, div, name in _UNITS if size < top), _NANOSECONDS)
        self._is(unit)
        # a value of a coarser unit among finer ones would pass for a day of 1970
        finite &= (divisor == 1) | (values >= COARSEST * divisor)
        values = np.where(finite, values, LATEST * divisor)
        scaled = values // divisor
        if scaled.dtype.kind == "f":  # what int64 cannot hold is no date either, and a cast of it warns
            scaled = scaled.clip(-(2.0**62), 2.0**62)
        return scaled.astype(np.int64)

    def _is(self, unit: str) -> None:
        if self.unit and self.unit != unit:
            raise ValueError(f"begins with {self.unit} and goes on with {unit}: give one kind of time")
        self.unit = unit


def _one(read: Callable[[Any], Any], text: str | None) -> Any:
    import pyarrow as pa

    try:
        return None if text is None else read(pa.array([text]))[0].as_py()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def say(column: TimeColumn, header: str, table: str, faults: Faults) -> None:
    """Note what was guessed of a column of times."""
    if column.unit:
        faults.guess(f"{table}: {header} holds {column.unit}")
