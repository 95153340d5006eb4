"""Arrow arrays made from their buffers, and tables written and read as Parquet.

pyarrow's own conversion of Python lists and numpy arrays imports pandas, which takes longer than all
else in the writing of a record.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import RecordError
from bench.files.ordinary import check_ordinary
from bench.schema import Int32Array

MAX_FILE_BYTES = 512 * 2**20

_MAX_TEXT_BYTES = 2**31 - 1


def string_array(texts: Sequence[str]) -> Any:
    """Give the texts as an Arrow array of strings; ValueError if they exceed 2 GiB in all."""
    import pyarrow as pa

    encoded = [text.encode() for text in texts]
    offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    if offsets[-1] > _MAX_TEXT_BYTES:
        raise ValueError(f"{int(offsets[-1]):,} bytes of text are more than one column can hold")
    buffers = (pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(b"".join(encoded)))
    return pa.StringArray.from_buffers(len(encoded), *buffers)


def number_array(values: NDArray[Any], *, missing: int | None = None) -> Any:
    """Give int32 or float64 numbers, (n,), as an Arrow array; those equal to `missing` become null."""
    import pyarrow as pa

    kind = {np.dtype(np.int32): pa.int32(), np.dtype(np.float64): pa.float64()}[values.dtype]
    known = None
    if missing is not None:
        known = pa.py_buffer(np.packbits(values != missing, bitorder="little"))
    return pa.Array.from_buffers(kind, len(values), [known, pa.py_buffer(np.ascontiguousarray(values))])


def list_array(indptr: NDArray[Any], values: Any) -> Any:
    """Cut an Arrow array into lists: list i is values[indptr[i] : indptr[i + 1]]."""
    import pyarrow as pa

    return pa.ListArray.from_arrays(number_array(indptr.astype(np.int32)), values)


def pick_strings(texts: Sequence[str], rows: Int32Array, *, missing: int | None = None) -> Any:
    """Give texts[rows] as a dictionary-encoded Arrow array, (n,); rows equal to `missing` become null."""
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(number_array(rows, missing=missing), string_array(texts))


def write_parquet(table: Any, path: Path) -> None:
    """Write a table, zstd and dictionary-encoded; encoded columns read back as plain strings.

    No column has minima and maxima: nobody searches these files, and they take half the time.
    """
    import pyarrow.parquet as pq

    pq.write_table(
        table, path, compression="zstd", use_dictionary=True, write_statistics=False, store_schema=False
    )


def read_parquet(path: Path, columns: list[str], encoded: tuple[str, ...] = ()) -> Any:
    """Read these columns of a file of the results folder; RecordError if it is too large or damaged.

    The leaves in `encoded` stay dictionary-encoded, each text decoded once, where Arrow can do that.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        check_ordinary(path, MAX_FILE_BYTES)
        metadata = pq.read_metadata(path, memory_map=False)
        leaves = {metadata.schema.column(number).path for number in range(metadata.num_columns)}
        missing = set(columns) - {leaf.partition(".")[0] for leaf in leaves}
        if missing:
            raise RecordError(f"{path.name} is not readable: it has no column {', '.join(sorted(missing))}")
        try:
            return _read(path, columns, metadata, sorted(leaves.intersection(encoded)))
        except pa.ArrowNotImplementedError:  # lists in several groups of rows, each with its own dictionary
            return _read(path, columns, metadata, [])
    except (OSError, pa.ArrowException) as error:
        raise RecordError(f"{path.name} is not readable: {error}") from None


def _read(path: Path, columns: list[str], metadata: Any, encoded: list[str]) -> Any:
    import pyarrow.parquet as pq

    # read_table would look for a folder of files first, which takes longer than to read a small file
    with pq.ParquetFile(path, metadata=metadata, memory_map=False, read_dictionary=encoded) as file:
        return file.read(columns=columns)
