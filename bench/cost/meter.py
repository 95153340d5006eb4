"""Wall time by stage, peak memory and its timeline, GPU energy. What cannot be measured is null."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import psutil

from bench.cost.gpu import Gpus, open_gpus
from bench.record_parts import Latency, MemorySample, PeakVram

SAMPLE_SECONDS = 1.0
Sample = TypeVar("Sample")


class Meter:
    """Measures the stages of one run; peaks are reset when it starts.

    Device work is synchronised before a clock is read. Memory is sampled once a second by a thread
    and at each stage's ends; child processes (a fine-tuning process, say) count in.
    """

    def __init__(self) -> None:
        self.wall_seconds: dict[str, float] = {}
        self.timeline: list[MemorySample] = []
        self._gpus: Gpus | None = open_gpus()
        self._process = psutil.Process()
        self._stage = "start"
        self._energy_joules: float | None = None
        self._peak_own_bytes = 0
        self._peak_children_bytes = 0
        self._stop = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> Meter:
        _reset_peaks()
        self._start = time.perf_counter()
        self._sampler = threading.Thread(target=self._sample_until_stopped, daemon=True)
        self._sampler.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._sampler.join()

    @contextmanager
    def stage(self, name: str, *, energy: bool = False) -> Iterator[None]:
        """Time a stage; with `energy`, add the GPU energy it takes to the run's."""
        self._stage = name
        _synchronise()
        self._sample()
        joules = self._gpus.energy_joules() if energy and self._gpus else None
        start = time.perf_counter()
        try:
            yield
        finally:
            _synchronise()
            self.wall_seconds[name] = self.wall_seconds.get(name, 0.0) + time.perf_counter() - start
            after = self._gpus.energy_joules() if joules is not None and self._gpus else None
            if joules is not None and after is not None:
                self._energy_joules = (self._energy_joules or 0.0) + after - joules
            self._sample()

    def rss_bytes(self) -> int:
        """Resident memory of this process now."""
        return int(self._process.memory_info().rss)

    @property
    def energy_joules(self) -> float | None:
        """GPU energy over the stages that asked for it, or null without a GPU that counts it."""
        return self._energy_joules

    @property
    def peak_rss_bytes(self) -> int:
        """Peak resident memory of this process since the start, plus that of its children."""
        return self._peak_own_bytes + self._peak_children_bytes

    @property
    def peak_vram_bytes(self) -> PeakVram | None:
        """Peak device memory, or null without a GPU; without its driver's library, what torch knows."""
        cuda = _cuda()
        if self._gpus is None and cuda is None:
            return None
        samples = [s.vram_bytes for s in self.timeline if s.vram_bytes is not None]
        return PeakVram(
            allocated=int(cuda.max_memory_allocated()) if cuda else None,
            reserved=int(cuda.max_memory_reserved()) if cuda else None,
            process=max(samples) if samples else None,
        )

    def _sample_until_stopped(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            self._sample()

    def _sample(self) -> None:
        with self._lock:
            pids, children_bytes = {os.getpid()}, 0
            for child in self._process.children(recursive=True):
                try:
                    children_bytes += child.memory_info().rss
                    pids.add(child.pid)
                except psutil.Error:  # it has ended meanwhile
                    continue
            own_bytes = self.rss_bytes()
            self._peak_own_bytes = max(self._peak_own_bytes, own_bytes, _high_water_bytes() or 0)
            self._peak_children_bytes = max(self._peak_children_bytes, children_bytes)
            self.timeline.append(
                MemorySample(
                    seconds=round(time.perf_counter() - self._start, 3),
                    stage=self._stage,
                    rss_bytes=own_bytes,
                    vram_bytes=self._gpus.process_bytes(pids) if self._gpus else None,
                )
            )


def thinned(samples: Sequence[Sample], limit: int, *heights: Callable[[Sample], float]) -> list[Sample]:
    """Keep at most `limit` samples: both ends, and of each stretch the highest by each of `heights`."""
    if len(samples) <= limit:
        return list(samples)
    kept = {0, len(samples) - 1}
    for stretch in np.array_split(np.arange(len(samples)), (limit - len(kept)) // len(heights)):
        kept |= {int(max(stretch, key=lambda row: height(samples[row]))) for height in heights}
    return [samples[row] for row in sorted(kept)]


def measure_latency(
    answer: Callable[[int], Any], users: int, *, sample: int = 200, limit_seconds: float = 20.0
) -> Latency | None:
    """Time `answer(row)` for single users spread evenly over all; p50 and p95 in milliseconds.

    Three calls go before the clock starts. A slow model is stopped after `limit_seconds`, but not
    before 20 users; the sample's real size is in the result.
    """
    if users == 0:
        return None
    rows = np.unique(np.linspace(0, users - 1, num=min(sample, users)).astype(int))
    # a fixed shuffle, so that a sample cut short is still spread over all users
    rows = np.random.default_rng(0).permutation(rows)
    for row in rows[:3]:
        answer(int(row))
    seconds: list[float] = []
    begun = time.perf_counter()
    for row in rows:
        _synchronise()
        start = time.perf_counter()
        answer(int(row))
        _synchronise()
        now = time.perf_counter()
        seconds.append(now - start)
        if now - begun > limit_seconds and len(seconds) >= 20:
            break
    return latency_of(seconds)


def latency_of(seconds: Sequence[float]) -> Latency | None:
    """Give p50 and p95 in milliseconds of requests that took so long; None where there were none."""
    if not len(seconds):
        return None
    p50, p95 = (round(float(value) * 1000, 3) for value in np.percentile(np.array(seconds), [50, 95]))
    return Latency(p50=p50, p95=p95, users=len(seconds))


def _cuda() -> Any | None:
    """torch.cuda, if a model has loaded torch and uses the GPU; torch is never imported here."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return None
    return torch.cuda


def _synchronise() -> None:
    cuda = _cuda()
    if cuda:
        cuda.synchronize()


def _reset_peaks() -> None:
    cuda = _cuda()
    if cuda:
        cuda.reset_peak_memory_stats()
    try:  # Linux: start this process's resident high-water mark anew
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        pass


def _high_water_bytes() -> int | None:
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None
