"""Files and folders that are whole or absent: filled under another name, flushed, then moved into place."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Fill = Callable[[Path], Any]


def replace_file(path: Path, fill: Fill) -> None:
    """Let `fill` write a file and put it at `path`, over an older one; readers see the one or the other."""
    with _filled(path, fill) as temporary:
        temporary.replace(path)


def replace_text(path: Path, text: str) -> None:
    """Put `text` (UTF-8) at `path`, over an older file."""
    replace_file(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def place_file(path: Path, fill: Fill) -> None:
    """Let `fill` write a file and put it at `path`; raises FileExistsError where there is one already."""
    with _filled(path, fill) as temporary:
        os.link(temporary, path)


def replace_folder(folder: Path, fill: Fill) -> None:
    """Let `fill` make a folder and put it at `folder`, in place of an older one."""
    with new_folder(folder, replace=True) as temporary:
        fill(temporary)


@contextmanager
def new_folder(folder: Path, *, replace: bool = False) -> Iterator[Path]:
    """Give an empty folder that becomes `folder` if all goes well; without `replace` that must be free."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield temporary
        temporary.chmod(0o755)
        if replace:
            shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _filled(path: Path, fill: Fill) -> Iterator[Path]:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        fill(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
