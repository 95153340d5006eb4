"""Files of a public folder: only ordinary ones are opened, and none is read that is larger than it may be."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from bench.errors import RecordError

_FLAGS = (
    os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
)
"""A link is not followed, and a pipe without a writer does not block the open."""


def read_ordinary(path: Path, limit: int) -> bytes:
    """Read a whole file; RecordError if it is no ordinary file or holds more than `limit` bytes.

    Raises OSError where the system cannot open or read it.
    """
    check_ordinary(path, limit)
    with os.fdopen(os.open(path, _FLAGS), "rb") as file:
        # what was opened may not be what was looked at
        _check(path, os.fstat(file.fileno()), limit)
        content = file.read(limit + 1)
    if len(content) > limit:
        raise RecordError(_too_large(path, limit))
    return content


def check_ordinary(path: Path, limit: int) -> None:
    """Raise RecordError unless `path` is an ordinary file, no link, of at most `limit` bytes."""
    _check(path, path.lstat(), limit)


def _check(path: Path, status: os.stat_result, limit: int) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise RecordError(f"{path.name} is a link; records are ordinary files")
    if not stat.S_ISREG(status.st_mode):
        raise RecordError(f"{path.name} is not an ordinary file")
    if status.st_size > limit:
        raise RecordError(_too_large(path, limit))


def _too_large(path: Path, limit: int) -> str:
    return f"{path.name} is larger than {limit / 2**20:g} MiB, which is the most it may hold"
