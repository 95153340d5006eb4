"""Put files in their place whole, durably, and never over another one; several together or none."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from bench.errors import RecordError


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Placing:
    """Files that belong together: if the `with` block ends by any exception, all of them are gone again.

    So are folders that were made for them. A process that is killed leaves at most files, never half
    of one.
    """

    def __init__(self) -> None:
        self._files: list[Path] = []
        self._folders: list[Path] = []

    def __enter__(self) -> Placing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            return
        for path in self._files:
            path.unlink(missing_ok=True)
        for folder in reversed(self._folders):
            try:
                folder.rmdir()
            except OSError:  # another process has put something there meanwhile
                break

    def place(self, path: Path, fill: Callable[[Path], Any]) -> str:
        """Fill a temporary file, flush it and link it to `path`, which must be free; give its SHA-256.

        Raises RecordError if the path is taken, and whatever `fill` raises.
        """
        self._make_folders(path.parent)
        handle, name = tempfile.mkstemp(prefix=".tmp-", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            fill(temporary)
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.chmod(0o644)
            digest = file_sha256(temporary)
            os.link(temporary, path)
        except FileExistsError:
            raise RecordError(f"{path} exists, and a record is never overwritten") from None
        finally:
            temporary.unlink(missing_ok=True)
        self._files.append(path)
        return digest

    def _make_folders(self, folder: Path) -> None:
        missing = [one for one in (folder, *folder.parents) if not one.exists()]
        for one in reversed(missing):
            one.mkdir(exist_ok=True)
            self._folders.append(one)
