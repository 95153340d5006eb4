"""Clocks: device work is waited for before a clock is read, and a median is taken after warm-up."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any


def synchronise() -> None:
    """Wait for the GPU, if there is one."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


LIMIT_SECONDS = 45.0
"""A slow measurement is not repeated any more after this time."""


def median_seconds(work: Callable[[], Any], *, repeats: int, warmups: int = 1) -> float:
    """Median wall time of `work` over up to `repeats` calls, after calls that are not counted."""
    for _ in range(warmups):
        work()
    seconds: list[float] = []
    while len(seconds) < repeats and (not seconds or sum(seconds) < LIMIT_SECONDS):
        synchronise()
        start = time.perf_counter()
        work()
        synchronise()
        seconds.append(time.perf_counter() - start)
    return median(seconds)


class StepClock:
    """Times of optimizer steps, read off the progress that fine-tuning reports after each.

    Each report follows a read of the loss from the device, so the step's work is done by then.
    """

    def __init__(self) -> None:
        self._ends: list[float] = []

    def __call__(self, what: str, done: int, total: int, note: str) -> None:
        """Listen to `bench.progress`."""
        if what == "fine-tune":
            self._ends.append(time.perf_counter())

    def median_step_seconds(self, warmup_steps: int) -> float:
        """Median time of a step, the first `warmup_steps` not counted."""
        ends = self._ends[max(0, warmup_steps - 1) :]
        return median(after - before for before, after in zip(ends, ends[1:], strict=False))
