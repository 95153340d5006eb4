"""A part is a list of steps. What a step has measured is kept at once, so that a stopped part goes on.

A step that fails does not take the others with it: its row says so, and the next run tries it again.
"""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.progress import listening
from genrec.artefact import write_text
from genrec.gpu_report.setting import Setting
from genrec.recommender import release_device_memory

Row = Mapping[str, Any]
"""One line of a part's table: column -> value; None where a figure is not known."""


class TimeIsUp(Exception):
    """A part has used its minutes; what it has measured is kept."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a step found."""

    row: Row
    record: Path | None = None
    """The record it wrote."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One measurement."""

    name: str
    measure: Callable[[], Measured]


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of the report."""

    name: str
    title: str
    steps: Callable[[Setting], Iterable[Step]]
    """Asked for lazily: a later step may read what an earlier one has kept."""
    summary: Callable[[Setting, Sequence[Row]], Path] | None = None
    """Writes the one record of a part whose steps write none, from all its rows."""


def kept_rows(setting: Setting, part: str) -> dict[str, Row]:
    """Rows of a part's steps that have been measured, by step."""
    return {name: entry["row"] for name, entry in _read(setting, part).items()}


def keep(setting: Setting, part: str, step: str, measured: Measured) -> None:
    """Keep what a step found."""
    record = str(measured.record.resolve()) if measured.record else None
    entry = {"row": dict(measured.row), "record": record}
    entries = {**_read(setting, part), step: entry}
    setting.folder.mkdir(parents=True, exist_ok=True)
    write_text(_path(setting, part), json.dumps(entries, indent=1, allow_nan=False))


def forget(setting: Setting, part: str) -> None:
    """Let every step of a part be measured anew; records stay."""
    _path(setting, part).unlink(missing_ok=True)


def run_part(
    part: Part, setting: Setting, *, minutes: float, show: Callable[[str, int, int, str], None]
) -> list[Row]:
    """Measure the steps that are not kept, and give all rows; FAILED is a column of those that failed.

    Raises TimeIsUp when the minutes are over, in the middle of a step if need be.
    """
    rows: list[Row] = []
    measured = False
    with _within(minutes, show):
        for step in _listed(part, setting):
            if step.name not in _whole(setting, part.name):
                try:
                    keep(setting, part.name, step.name, step.measure())
                except TimeIsUp:
                    raise
                except Exception as error:
                    rows.append(_failure(setting, part.name, step.name, error))
                    continue
                measured = True
            rows.append(kept_rows(setting, part.name)[step.name])
        whole = rows and not any(FAILED in row for row in rows)
        if part.summary is not None and whole and (measured or _SUMMARY not in _whole(setting, part.name)):
            record = part.summary(setting, rows)
            keep(setting, part.name, _SUMMARY, Measured(row={}, record=record))
    return rows


def _listed(part: Part, setting: Setting) -> Iterator[Step]:
    """The steps; where they cannot be listed to the end, one more that says why."""
    try:
        yield from part.steps(setting)
    except BenchError as error:
        problem = error

        def fail() -> Measured:
            raise problem

        yield Step(name="next step", measure=fail)


FAILED = "failed"


def _failure(setting: Setting, part: str, step: str, error: Exception) -> Row:
    """The row of a step that failed; a traceback, where it takes one to understand, goes to a file."""
    release_device_memory()
    where = ""
    if not isinstance(error, BenchError):
        setting.folder.mkdir(parents=True, exist_ok=True)
        log = setting.folder / "failures.log"
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{part}, {step}\n{''.join(traceback.format_exception(error))}\n")
        where = f" (see {log})"
    return {"step": step, FAILED: f"{type(error).__name__}: {str(error).strip()[:300]}{where}"}


_SUMMARY = "summary"


@contextmanager
def _within(minutes: float, show: Callable[[str, int, int, str], None]) -> Iterator[None]:
    """Stop work at its first report of progress after the minutes."""
    end = time.monotonic() + 60 * minutes

    def listen(what: str, done: int, total: int, note: str) -> None:
        show(what, done, total, note)
        if time.monotonic() > end:
            raise TimeIsUp(f"{minutes:g} minutes are over")

    with listening(listen):
        yield


def _whole(setting: Setting, part: str) -> set[str]:
    """Steps that are kept and whose records, if they wrote any, are still there."""
    entries = _read(setting, part).items()
    return {name for name, entry in entries if not entry["record"] or Path(entry["record"]).is_file()}


def _read(setting: Setting, part: str) -> dict[str, Any]:
    path = _path(setting, part)
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return loaded


def _path(setting: Setting, part: str) -> Path:
    return setting.folder / f"{part}.json"
