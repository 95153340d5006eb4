"""Steps of a part are kept one by one: a part that is stopped, or fails, goes on where it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_report import go, make_setting, quiet, step_part

from bench.records import store
from bench.schema import Split
from genrec.gpu_report import steps
from genrec.gpu_report.setting import Setting
from genrec.gpu_report.steps import Measured, Row, TimeIsUp, run_part


@pytest.fixture
def setting(toy_split: Split, tmp_path: Path) -> Setting:
    return make_setting(toy_split, tmp_path)


def test_an_interrupted_part_goes_on(setting: Setting) -> None:
    log: list[str] = []

    def killed_at_b(name: str) -> None:
        if name == "b" and log.count("b") == 1:
            raise KeyboardInterrupt

    part = step_part(log, "a", "b", "c", act=killed_at_b)
    with pytest.raises(KeyboardInterrupt):
        run_part(part, setting, minutes=10, show=quiet)
    assert run_part(part, setting, minutes=10, show=quiet) == [{"step": name} for name in "abc"]
    assert log == ["a", "b", "b", "c"]


def test_a_step_that_fails_leaves_the_others(setting: Setting) -> None:
    log: list[str] = []
    summaries: list[int] = []

    def fail_at_b(name: str) -> None:
        if name == "b" and log.count("b") == 1:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")

    def summary(_: Setting, rows: Sequence[Row]) -> Path:
        summaries.append(len(rows))
        path = setting.folder / "summary.json"
        path.write_text("{}")
        return path

    part = replace(step_part(log, "a", "b", "c", act=fail_at_b), summary=summary)
    rows = run_part(part, setting, minutes=10, show=quiet)
    assert [row.get("step") for row in rows] == ["a", "b", "c"] and not summaries
    assert rows[1]["failed"].startswith("RuntimeError: CUDA error")
    assert "fail_at_b" in (setting.folder / "failures.log").read_text()
    assert run_part(part, setting, minutes=10, show=quiet) == [{"step": name} for name in "abc"]
    assert (log, summaries) == (["a", "b", "c", "b"], [3])


def test_a_part_stops_when_its_minutes_are_over(setting: Setting) -> None:
    with pytest.raises(TimeIsUp):
        go(setting, "cost", minutes=0)
    assert not store.load_records(setting.results_dir).records
    assert steps.kept_rows(setting, "cost") == {}


def test_a_step_whose_record_is_gone_is_measured_again(setting: Setting, tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text("{}")
    steps.keep(setting, "probe", "a", Measured(row={"step": "kept"}, record=path))
    log: list[str] = []
    assert run_part(step_part(log, "a"), setting, minutes=1, show=quiet) == [{"step": "kept"}]
    path.unlink()
    assert run_part(step_part(log, "a"), setting, minutes=1, show=quiet) == [{"step": "a"}]
