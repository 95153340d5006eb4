"""What a model is given stays as it is: a model that writes into its inputs fails, by name.

The arrays of a split refuse to be written (see `bench.schema`), so most attempts end in NumPy's own
error; what gets past NumPy (torch, compiled code) is found by comparing the content afterwards.
"""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import ModelError

_READ_ONLY = ("read-only", "WRITEABLE")
"""What NumPy, Cython and pandas say, one or the other, of an array that refuses to be written."""


@contextmanager
def untouched(model: object, name: str, **given: Any) -> Iterator[None]:
    """Raise ModelError if the block, in which `model` works on `given`, writes into an array of it."""
    before = array_digests(given)
    try:
        yield
    except (ValueError, TypeError) as error:
        if not any(words in str(error) for words in _READ_ONLY):
            raise
        raise ModelError(
            f"model '{name}' writes into an array that it was given, and those are read-only "
            f"({error}){_place(error, model)}. It should change a copy: array.copy()"
        ) from error
    after = array_digests(given)
    if changed := [path for path, digest in after.items() if digest != before.get(path)]:
        raise ModelError(
            f"model '{name}' has changed what it was given: {', '.join(changed)}. "
            "It should change a copy: array.copy()"
        )


def array_digests(parts: dict[str, Any]) -> dict[str, bytes]:
    """Give a digest of each array in dataclasses, by path: 'data.train.items'."""
    digests: dict[str, bytes] = {}
    for path, part in parts.items():
        if isinstance(part, np.ndarray):
            digests[path] = hashlib.blake2b(part.tobytes(), digest_size=16).digest()
        elif dataclasses.is_dataclass(part):
            inner = {f"{path}.{field.name}": getattr(part, field.name) for field in dataclasses.fields(part)}
            digests |= array_digests(inner)
    return digests


def _place(error: BaseException, model: object) -> str:
    """Quote the line that wrote: the last one in the model's own file, else the last that can be read."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.line]
    try:
        own = inspect.getfile(type(model))
    except (OSError, TypeError):
        own = ""
    frames = [frame for frame in frames if frame.filename == own] or frames
    if not frames:
        return ""
    last = frames[-1]
    return f": `{last.line}` ({Path(last.filename).name}, line {last.lineno}, in {last.name})"
