"""Progress of a command, where standard error is a file: a line a stage, and the last one ends."""

from __future__ import annotations

import io
import sys

import pytest

from bench.run.terminal import LiveLine


def test_stages_of_one_name_are_timed_one_by_one_and_the_last_line_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter([0.0, 0.0, 10.0, 10.0, 12.0])
    shown = io.StringIO()
    monkeypatch.setattr(sys, "__stderr__", shown)
    monkeypatch.setattr("bench.run.terminal.time.perf_counter", lambda: next(clock))
    with LiveLine("tiny", None) as line:
        line.show("generate", 0, 40, "")  # at 0 s
        line.show("generate", 40, 40, "")  # at 10 s
        line.show("generate", 0, 40, "")  # the next strategy
        line.show("generate", 40, 40, "")  # 2 s later
    assert shown.getvalue() == "\n  tiny: generate 40/40, 10.0 s, 4/s\n  tiny: generate 40/40, 2.0 s, 20/s\n"
