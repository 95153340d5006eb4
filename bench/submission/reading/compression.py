"""Opening a file that may be packed once: gzip, bzip2, xz, zstandard or lz4. Archives are refused."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from bench.submission.report import SubmissionError

PARQUET = b"PAR1"
LZ4 = b"\x04\x22\x4d\x18"
_PACKED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    LZ4: "lz4",
}
_ARCHIVES = {
    b"PK\x03\x04": "a zip archive or spreadsheet",
    b"PK\x05\x06": "a zip archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a rar archive",
}
_OTHERS = {
    b"\x93NUMPY": "a numpy file",
    b"\x89HDF\r\n": "an HDF5 file",
    b"ARROW1": "an Arrow or feather file",
    b"FEA1": "a feather file",
    b"SQLite format 3": "an SQLite file",
    b"Obj\x01": "an Avro file",
    b"ORC": "an ORC file",
}
_PICKLES = tuple(b"\x80" + bytes([protocol]) for protocol in range(2, 6))


def packing_of(path: Path) -> str | None:
    """Name the way a file is packed, from its first bytes; None if it is not."""
    with path.open("rb") as file:
        start = file.read(8)
    return _kind_of(start, _PACKED)


@contextmanager
def open_binary(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading bytes, unpacked."""
    kind = packing_of(path)
    if kind is None:
        opened: Any = path.open("rb")
    elif kind in _OPENERS:
        opened = _OPENERS[kind](path, "rb")
    else:
        import pyarrow as pa

        opened = pa.CompressedInputStream(pa.OSFile(str(path)), kind)
    with opened as file:
        yield file


_OPENERS: dict[str, Any] = {"gzip": gzip.open, "bz2": bz2.open, "xz": lzma.open}


def read_some(file: IO[bytes], count: int, path: Path, line: int = 1) -> bytes:
    """Read at most `count` bytes; SubmissionError, naming the line, where the packing is damaged."""
    try:
        parts, missing = [], count
        while missing and (part := file.read(missing)):  # one read may give less than there is
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
        raise SubmissionError(
            f"'{path.name}' is damaged or cut short at about line {line}: {error}"
        ) from None


def check_regular(path: Path) -> None:
    """Refuse what is not a readable, non-empty ordinary file."""
    try:
        if not path.is_file():
            what = "is not an ordinary file" if path.exists() else "does not exist"
            raise SubmissionError(f"'{path}' {what}; give a file of ranked lists")
        if path.stat().st_size == 0:
            raise SubmissionError(f"'{path.name}' is empty")
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise SubmissionError(f"'{path}' cannot be read: {error.strerror or error}") from None


def first_bytes(path: Path, count: int = 4096) -> bytes:
    """Give the start of the file, unpacked; refuse archives and other kinds of files."""
    with open_binary(path) as file:
        start = read_some(file, count, path)
    _refuse_others(start, path)
    return start


def _refuse_others(start: bytes, path: Path) -> None:
    packing = packing_of(path)
    hint = "give the file itself: parquet, or text, which may be packed once (gz, bz2, xz, zst, lz4)"
    kind = _kind_of(start, _ARCHIVES)
    if start[257:262] == b"ustar":
        kind = "a tar archive"
    if kind is None and (kind := _kind_of(start, _OTHERS)):
        hint = "save parquet, CSV or JSON"
    if start.startswith(_PICKLES):
        kind, hint = "a Python pickle", "a pickle can run anything when opened: save parquet, CSV or JSON"
    if packing is not None and kind is None:
        inner = _kind_of(start, _PACKED)
        if inner is not None and not (inner == packing == "lz4"):  # ranx packs its .lz4 files twice
            kind = f"a {inner} file"
        elif start.startswith(PARQUET):
            kind, hint = "a parquet file", "unpack it; parquet is compressed already"
    if kind is not None:
        where = f"holds {kind} inside {packing}" if packing else f"is {kind}"
        raise SubmissionError(f"'{path.name}' {where}, which is not accepted: {hint}")


def _kind_of(start: bytes, kinds: Mapping[bytes, str]) -> str | None:
    return next((kind for magic, kind in kinds.items() if start.startswith(magic)), None)
