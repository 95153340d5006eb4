"""Opening a submitted file safely: plain or gzip text in blocks of whole lines, with limits.

Nothing here trusts the file: archives, archives inside gzip, text that unpacks out of all
proportion, other encodings and endless lines are refused with the place where they were met.
"""

from __future__ import annotations

import gc
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bench.submission.report import SubmissionError

BLOCK_BYTES = 4 * 2**20
MAX_LINE_BYTES = 4 * 2**20
MAX_TEXT_BYTES = 16 * 2**30
MAX_RATIO = 100
"""Times that gzip text may grow; ranked lists grow about five times, a bomb a thousand times."""
RATIO_AFTER_BYTES = 16 * 2**20

GZIP = b"\x1f\x8b"
PARQUET = b"PAR1"
_ARCHIVES = {
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"\x28\xb5\x2f\xfd": "zstandard",
    b"\x04\x22\x4d\x18": "lz4",
    b"Rar!": "rar",
}
_OTHER_UNICODE = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"\x00\x00\xfe\xff": "UTF-32"}


@dataclass(frozen=True, kw_only=True)
class Block:
    """Whole lines as bytes, without the last line end, and the number of the first one."""

    name: str
    first_line: int
    body: bytes

    def lines(self) -> list[str]:
        """Decode and split; raise SubmissionError, naming the line, if this is not UTF-8 text."""
        try:
            text = self.body.decode("utf-8")
        except UnicodeDecodeError as error:
            place = self.first_line + self.body[: error.start].count(b"\n")
            raise SubmissionError(
                f"'{self.name}', line {place}: the text is not UTF-8 (byte 0x{self.body[error.start]:02x}); "
                "save it as UTF-8"
            ) from None
        lines = text.split("\n")
        return [row.removesuffix("\r") for row in lines] if "\r" in text else lines

    def without_lines(self, count: int) -> Block:
        """Leave out the first lines."""
        rest = self.body.split(b"\n", count)[count:]
        return Block(name=self.name, first_line=self.first_line + count, body=rest[0] if rest else b"")


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
    """Give the start of the file, unpacked if it is gzip; refuse archives."""
    with open_binary(path) as file:
        start = _read(file, count, path)
    refuse_archive(start, path.name, inside=is_gzip(path))
    return start


def is_gzip(path: Path) -> bool:
    """Whether the file begins as gzip does."""
    with path.open("rb") as file:
        return file.read(2) == GZIP


def refuse_archive(start: bytes, name: str, *, inside: bool) -> None:
    """Raise if these first bytes are those of an archive, or of gzip inside gzip."""
    kind = next((kind for magic, kind in _ARCHIVES.items() if start.startswith(magic)), None)
    if start[257:262] == b"ustar":
        kind = "tar"
    if inside and start.startswith(GZIP):
        kind = "gzip"
    if inside and start.startswith(PARQUET):
        kind = "parquet"
    if kind is None:
        return
    where = f"holds a {kind} file inside gzip" if inside else f"is a {kind} archive"
    hint = "unpack it first; plain text may be gzipped once, parquet is compressed already"
    if kind == "lz4":
        hint = "save the ranx run as .json or .trec instead"
    raise SubmissionError(f"'{name}' {where}, which is not accepted: {hint}")


@contextmanager
def open_binary(path: Path) -> Iterator[IO[bytes]]:
    """Open a plain or gzip file for reading bytes."""
    if is_gzip(path):
        with gzip.open(path, "rb") as file:
            yield file  # type: ignore[misc]
    else:
        with path.open("rb") as file:
            yield file


def _read(file: IO[bytes], count: int, path: Path, line: int = 1) -> bytes:
    try:
        return file.read(count)
    except (OSError, EOFError, zlib.error) as error:
        raise SubmissionError(
            f"'{path.name}' is damaged or cut short at about line {line}: {error}"
        ) from None


def read_blocks(path: Path) -> Iterator[Block]:
    """Give the text of a file in blocks of whole lines; memory stays at a few blocks.

    Raises SubmissionError, naming the line, for other encodings, damaged gzip, lines over 4 MiB,
    and text over 16 GiB or over 100 times the size of its gzip file.
    """
    packed = path.stat().st_size if is_gzip(path) else None
    line, total, carry = 1, 0, b""
    with open_binary(path) as file:
        while chunk := _read(file, BLOCK_BYTES, path, line):
            if total == 0:
                _refuse_encoding(chunk, path.name)
                chunk = chunk.removeprefix(b"\xef\xbb\xbf")
            total += len(chunk)
            _refuse_size(total, packed, path.name, line)
            body, newline, rest = (carry + chunk).rpartition(b"\n")
            if newline:
                yield _block(body, line, path.name)
                line += body.count(b"\n") + 1
            carry = rest
            if len(carry) > MAX_LINE_BYTES:
                raise SubmissionError(
                    f"'{path.name}', line {line}: longer than {MAX_LINE_BYTES // 2**20} MiB"
                )
    if carry:
        yield _block(carry, line, path.name)


def _refuse_encoding(start: bytes, name: str) -> None:
    found = next((kind for magic, kind in _OTHER_UNICODE.items() if start.startswith(magic)), None)
    if found is not None:
        raise SubmissionError(f"'{name}', line 1: the text is {found}; save it as UTF-8")


def _refuse_size(total: int, packed: int | None, name: str, line: int) -> None:
    if total > MAX_TEXT_BYTES:
        limit = MAX_TEXT_BYTES // 2**30
        raise SubmissionError(
            f"'{name}', line {line}: more than {limit} GiB of text; ranked lists need far less"
        )
    if packed is not None and total > RATIO_AFTER_BYTES and total > MAX_RATIO * packed:
        raise SubmissionError(
            f"'{name}', line {line}: unpacks to more than {MAX_RATIO} times its size, as no ranked lists do; "
            "give the file unpacked"
        )


def _block(body: bytes, line: int, name: str) -> Block:
    if b"\x00" in body:
        place = line + body[: body.index(b"\x00")].count(b"\n")
        raise SubmissionError(f"'{name}', line {place}: zero bytes; this is not a text file")
    return Block(name=name, first_line=line, body=body)


def read_whole(path: Path, limit: int) -> str:
    """Give the whole text of a file of at most `limit` bytes unpacked."""
    with open_binary(path) as file:
        body = _read(file, limit + 1, path)
    if len(body) > limit:
        size = f"more than {limit // 2**20} MiB of JSON in one value"
        raise SubmissionError(f"'{path.name}' holds {size}; save it as a TREC run or parquet")
    _refuse_encoding(body, path.name)
    return "\n".join(_block(body.removeprefix(b"\xef\xbb\xbf"), 1, path.name).lines())


@contextmanager
def collector_paused() -> Iterator[None]:
    """Keep the garbage collector from walking millions of short-lived rows again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
