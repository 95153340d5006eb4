"""A GPU report at tiny size, for its tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.records import store
from bench.schema import Split
from genrec.gpu_report.parts import PARTS
from genrec.gpu_report.setting import TINY, Setting
from genrec.gpu_report.steps import Measured, Part, Row, Step, run_part


def quiet(*_: object) -> None:
    pass


def make_setting(split: Split, folder: Path) -> Setting:
    return Setting(
        dataset="toy",
        split=split,
        results_dir=folder / "results",
        work=folder / "work",
        scale=TINY,
        sizes=("1b",),
    )


def go(setting: Setting, part: str, minutes: float = 10) -> list[Row]:
    return run_part(PARTS[part], setting, minutes=minutes, show=quiet)


def records(setting: Setting) -> dict[str, Any]:
    loaded = store.load_records(setting.results_dir)
    assert not loaded.problems
    return {stored.record.model.name: stored.record for stored in loaded.records}


def step_part(log: list[str], *names: str, act: Callable[[str], None] = quiet) -> Part:
    def measure(name: str) -> Measured:
        log.append(name)
        act(name)
        return Measured(row={"step": name})

    def listed(_: Setting) -> Sequence[Step]:
        return [Step(name=name, measure=lambda name=name: measure(name)) for name in names]

    return Part(name="probe", title="probe", steps=listed)
