"""Put files in their place whole, durably, and never over another one; several together or none."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import TracebackType

from bench.errors import RecordError
from bench.files.atomic import Fill, place_file


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

    def place(self, path: Path, fill: Fill) -> str:
        """Fill a temporary file, flush it and link it to `path`, which must be free; give its SHA-256.

        Raises RecordError if the path is taken, and whatever `fill` raises.
        """
        self._make_folders(path.parent)
        try:
            place_file(path, fill)
        except FileExistsError:
            raise RecordError(f"{path} exists, and a record is never overwritten") from None
        self._files.append(path)
        return file_sha256(path)

    def _make_folders(self, folder: Path) -> None:
        missing = [one for one in (folder, *folder.parents) if not one.exists()]
        for one in reversed(missing):
            one.mkdir(exist_ok=True)
            self._folders.append(one)
