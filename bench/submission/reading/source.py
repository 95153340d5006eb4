"""The text of a submitted file as UTF-8 in blocks of whole lines, with limits.

UTF-16 and UTF-32 are recoded, and the line ends of an old Mac (CR alone) become LF. Text that unpacks out of
all proportion, other encodings and endless lines are refused with the place where they were met.
"""

from __future__ import annotations

import codecs
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.submission.reading.compression import open_binary, packing_of, read_some
from bench.submission.report import SubmissionError

BLOCK_BYTES = 4 * 2**20
MAX_LINE_BYTES = 4 * 2**20
MAX_TEXT_BYTES = 16 * 2**30
MAX_RATIO = 100
"""Times that packed text may grow; ranked lists grow about five times, a bomb a thousand times."""
RATIO_AFTER_BYTES = 16 * 2**20

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True, kw_only=True)
class Block:
    """Whole lines as bytes, without the last line end, and the number of the first one."""

    name: str
    first_line: int
    body: bytes

    def text(self) -> str:
        """Decode; raise SubmissionError, naming the line, if this is not UTF-8 text."""
        try:
            return self.body.decode("utf-8")
        except UnicodeDecodeError as error:
            place = self.first_line + self.body[: error.start].count(b"\n")
            raise SubmissionError(
                f"'{self.name}', line {place}: the text is not UTF-8 (byte 0x{self.body[error.start]:02x}); "
                "save it as UTF-8"
            ) from None

    def lines(self) -> list[str]:
        """Decode and split."""
        text = self.text()
        lines = text.split("\n")
        return [row.removesuffix("\r") for row in lines] if "\r" in text else lines

    def without_lines(self, count: int) -> Block:
        """Leave out the first lines."""
        rest = self.body.split(b"\n", count)[count:]
        return Block(name=self.name, first_line=self.first_line + count, body=rest[0] if rest else b"")


def encoding_of(start: bytes) -> tuple[str, int]:
    """Name the encoding of a text, from its mark or its zero bytes, and how many bytes the mark has."""
    for mark, name in _MARKS:
        if start.startswith(mark):
            return name, len(mark)
    head = start[:64]
    if len(head) >= 4:  # UTF-16 of ASCII text has a zero in every other byte
        if not any(head[1::2]) and all(head[::2]):
            return "utf-16-le", 0
        if not any(head[::2]) and all(head[1::2]):
            return "utf-16-be", 0
    return "utf-8", 0


def _chunks(path: Path) -> Iterator[bytes]:
    """Give the text as UTF-8 with LF or CRLF line ends, in chunks that may end anywhere."""
    packed = path.stat().st_size if packing_of(path) else None
    decoder: codecs.IncrementalDecoder | None = None
    total, line, only_returns, first = 0, 1, False, True
    with open_binary(path) as file:
        while chunk := read_some(file, BLOCK_BYTES, path, line):
            total += len(chunk)
            _refuse_size(total, packed, path.name, line)
            if first:
                encoding, mark = encoding_of(chunk)
                chunk = chunk[mark:]
                if encoding != "utf-8":
                    decoder = codecs.getincrementaldecoder(encoding)()
            if decoder is not None:
                chunk = _recoded(decoder, chunk, path.name, line)
            if first:
                only_returns, first = b"\r" in chunk and b"\n" not in chunk, False
            if only_returns:
                chunk = chunk.replace(b"\r", b"\n")
            line += chunk.count(b"\n")
            yield chunk
        if decoder is not None and decoder.getstate()[0]:
            raise SubmissionError(f"'{path.name}', line {line}: the text ends in the middle of a character")


def _recoded(decoder: codecs.IncrementalDecoder, chunk: bytes, name: str, line: int) -> bytes:
    try:
        return decoder.decode(chunk).encode("utf-8")
    except UnicodeError as error:
        raise SubmissionError(
            f"'{name}', near line {line}: the text is damaged ({error}); save it as UTF-8"
        ) from None


def read_blocks(path: Path) -> Iterator[Block]:
    """Give the text of a file in blocks of whole lines; memory stays at a few blocks.

    Raises SubmissionError, naming the line, for other encodings, damaged packing, lines over 4 MiB,
    and text over 16 GiB or over 100 times the size of its packed file.
    """
    line, carry = 1, b""
    for chunk in _chunks(path):
        body, newline, rest = (carry + chunk).rpartition(b"\n")
        if newline:
            yield _block(body, line, path.name)
            line += body.count(b"\n") + 1
        carry = rest
        if len(carry) > MAX_LINE_BYTES:
            raise SubmissionError(f"'{path.name}', line {line}: longer than {MAX_LINE_BYTES // 2**20} MiB")
    if carry:
        yield _block(carry, line, path.name)


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
    parts, total = [], 0
    for chunk in _chunks(path):
        parts.append(chunk)
        total += len(chunk)
        if total > limit:
            size = f"more than {limit // 2**20} MiB of JSON in one value"
            raise SubmissionError(f"'{path.name}' holds {size}; save it as JSON lines or parquet")
    return _block(b"".join(parts), 1, path.name).text()


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
