"""Generated texts on disk: one line a prompt, appended as they are written.

The first line names the format and the key; every other line is one prompt's texts, under the
prompt's digest. A run that was killed finds its lines and writes the others. A line that is not
whole (the last one after a kill, any after a crash of the machine) is left out, said so, and its
prompt is written again.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from bench.cost.environment import commit_of_checkout, installed_versions
from bench.errors import ConfigError, DataError

ROOT = Path(__file__).resolve().parents[2]
FORMAT = 1
RECIPE = 1
"""Raised when the same model and settings come to write other texts, so that former ones are not taken up."""
PACKAGES = ("torch", "transformers", "tokenizers", "bitsandbytes", "peft")
"""Packages whose versions can change what our own engine writes."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """The texts of one prompt, best log-likelihood first."""

    texts: tuple[str, ...]
    log_likelihoods: tuple[float, ...]
    """Sum over the generated tokens, the end token included, natural log."""
    tokens: tuple[int, ...]
    """Generated tokens, the end token included."""
    ended: tuple[bool, ...]
    """False where the text was cut at the limit of tokens."""
    seconds: float
    """The prompt's share of its batch's time."""


def prompt_digest(prompt: str) -> str:
    """Name a prompt: first 128 bits of its SHA-256, in hex."""
    return hashlib.sha256(prompt.encode()).hexdigest()[:32]


class MemoryStore:
    """Generated texts that are not kept on disk."""

    commit = ""
    """Of the harness that began to write them; empty where they are not kept."""

    def __init__(self, token_budget: int) -> None:
        self.written: dict[str, Written] = {}
        self.token_budget = token_budget

    def add(self, lines: Iterable[tuple[str, Written]]) -> None:
        """Keep these prompts' texts."""
        self.written.update(lines)


class Store(MemoryStore):
    """One file of generated texts. Open it with `open_store`."""

    def __init__(
        self, file: IO[bytes], written: dict[str, Written], token_budget: int, commit: str = "unknown"
    ) -> None:
        """Take over what the file holds, the batch size of the run that began it included."""
        super().__init__(token_budget)
        self.written = written
        self.commit = commit
        self._file = file

    def add(self, lines: Iterable[tuple[str, Written]]) -> None:
        """Append these prompts' texts and force them to disk."""
        lines = list(lines)
        super().add(lines)
        self._file.write(b"".join(_line({"prompt": digest, **vars(written)}) for digest, written in lines))
        self._file.flush()
        os.fsync(self._file.fileno())


@contextmanager
def open_store(
    folder: Path, key: str, *, token_budget: int, packages: tuple[str, ...] = PACKAGES
) -> Iterator[Store]:
    """Open `<folder>/<key>.jsonl` for one process, reading what is there.

    `key` is a digest of all that the texts depend on besides the prompt and the versions of `packages`.
    Raises ConfigError if another process holds the file, and DataError if it is not a file of this
    format and key.
    """
    from filelock import FileLock, Timeout

    if not key.isalnum():
        raise ConfigError(f"the key of a store is made of letters and digits, got '{key}'")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{key}.jsonl"
    try:
        with FileLock(folder / f".{key}.lock", timeout=0):
            made_by = {"recipe": RECIPE, "versions": installed_versions(packages)}
            _set_others_aside(path, made_by)
            with path.open("a+b") as file:
                head, lines, whole = _read(file, path)
                file.truncate(whole)
                if not head:
                    head = {"format": FORMAT, "key": key, "token_budget": token_budget}
                    head |= {"made_by": made_by, "commit": commit_of_checkout(ROOT)[0]}
                    file.write(_line(head))
                if head.get("format") != FORMAT or head.get("key") != key:
                    raise DataError(
                        f"{path} is not of format {FORMAT} and key {key}; move it away and run again"
                    )
                yield Store(file, lines, head["token_budget"], commit=head.get("commit", "unknown"))
    except Timeout:
        raise ConfigError(f"another process is writing {path}; wait for it to end") from None


def _set_others_aside(path: Path, made_by: dict[str, Any]) -> None:
    """Move away texts that another recipe or other versions wrote; files of before that was noted stay."""
    try:
        with path.open("rb") as file:
            head = _parsed(file.readline())
    except FileNotFoundError:
        return
    if isinstance(head, dict) and head.get("made_by", made_by) != made_by:
        digest = hashlib.sha256(_line(head["made_by"])).hexdigest()[:8]
        path.replace(path.with_name(f"{path.stem}.{digest}.jsonl"))


def _read(file: IO[bytes], path: Path) -> tuple[dict[str, Any], dict[str, Written], int]:
    """Give the head, all whole lines, and the number of bytes up to the last line end."""
    file.seek(0)
    data = file.read()
    whole = data.rfind(b"\n") + 1
    head, *lines = [_parsed(line) for line in data[:whole].split(b"\n")]
    written: dict[str, Written] = {}
    damaged = 0 if whole == len(data) else 1
    for entry in lines[:-1]:
        try:
            digest = entry.pop("prompt")
            written[digest] = read_written(entry)
        except (AttributeError, KeyError, TypeError):
            damaged += 1
    if damaged:
        warnings.warn(
            f"{path}: {damaged} line(s) are not whole; their prompts are written again", stacklevel=5
        )
    return head if isinstance(head, dict) else {}, written, whole


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def read_written(entry: dict[str, Any]) -> Written:
    """Make texts of what was read as JSON; raises TypeError for what they are not."""
    parts: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()
    }
    return Written(**parts)


def _line(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"
