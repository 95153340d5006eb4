"""Whole lines of text from a plain or gzipped file, in bounded blocks; errors name file and line.

Knows nothing of what the lines hold.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from bench.errors import DataError

BLOCK_BYTES = 1 << 18
"""Small enough that a parsed block stays in cache; larger blocks are slower."""
MAX_LINE_BYTES = 1 << 26
"""No review or item comes near it; without a limit one endless line would fill the memory."""

_GZIP_MAGIC = b"\x1f\x8b"


class Block(NamedTuple):
    """Some whole lines, without the last line break."""

    first_line: int
    """Number of the first of them, counted from 1."""
    text: str

    @property
    def lines(self) -> list[str]:
        """The lines one by one."""
        return self.text.split("\n")


def read_blocks(path: Path, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
    """Yield the file's lines, gzip recognised by content; raises DataError naming file and line."""
    line = 1
    rest = b""
    try:
        with _open(path) as stream:
            while piece := stream.read(block_bytes):
                rest += piece
                end = rest.rfind(b"\n")
                if end >= 0:
                    yield _decode(path, line, rest[:end])
                    line += rest.count(b"\n", 0, end + 1)
                    rest = rest[end + 1 :]
                elif len(rest) > MAX_LINE_BYTES:
                    raise DataError(f"{path}, line {line}: longer than {MAX_LINE_BYTES} bytes")
    except EOFError:
        raise DataError(
            f"{path} is cut short: the gzip stream ends in line {line} or soon after; download it again"
        ) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged after line {line - 1} ({error}); download it again") from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    if rest:
        yield _decode(path, line, rest)
    elif line == 1:
        raise DataError(f"{path} is empty; download it again")


@contextmanager
def _open(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as stream:
        magic = stream.read(len(_GZIP_MAGIC))
        stream.seek(0)
        if magic != _GZIP_MAGIC:
            yield stream
            return
        with gzip.GzipFile(fileobj=stream) as unpacked:
            yield unpacked  # type: ignore[misc]


def _decode(path: Path, first_line: int, data: bytes) -> Block:
    try:
        return Block(first_line, data.decode())
    except UnicodeDecodeError as error:
        line = first_line + data.count(b"\n", 0, error.start)
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise DataError(
            f"{path}, line {line}: byte {column} (0x{data[error.start]:02x}) is not UTF-8 text"
        ) from None
