"""Cost: stages, peaks, latency; what cannot be measured is null and never 0."""

from __future__ import annotations

import subprocess
import sys
import time
import types
from typing import Any

import numpy as np
import pytest

from bench.cost import gpu
from bench.cost import meter as meter_module
from bench.cost.meter import Meter, measure_latency, thinned


def test_stages_are_timed_and_add_up() -> None:
    with Meter() as meter:
        with meter.stage("fit"):
            time.sleep(0.05)
        with meter.stage("fit"):
            time.sleep(0.05)
        with meter.stage("recommend"):
            pass
    assert 0.1 <= meter.wall_seconds["fit"] < 1.0
    assert meter.wall_seconds["recommend"] < 0.05
    assert {sample.stage for sample in meter.timeline} == {"fit", "recommend"}


def test_a_stage_that_fails_is_timed_too() -> None:
    with Meter() as meter, pytest.raises(ValueError), meter.stage("fit"):
        raise ValueError
    assert "fit" in meter.wall_seconds


def test_peak_memory_sees_what_the_stage_held_and_is_reset_between_runs() -> None:
    size = 200 * 2**20
    with Meter() as first, first.stage("fit"):
        block = np.ones(size, dtype=np.uint8)
        del block
    with Meter() as second, second.stage("fit"):
        pass
    assert first.peak_rss_bytes - second.peak_rss_bytes > size // 2


def test_children_count_in_peak_memory() -> None:
    code = "import time; block = bytearray(150 * 2**20); print('up', flush=True); time.sleep(30)"
    with Meter() as meter, meter.stage("fit"):
        child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        assert child.stdout is not None and child.stdout.readline() == b"up\n"
        with meter.stage("fit, child"):
            pass
        child.kill()
        child.wait()
        child.stdout.close()
    with Meter() as alone, alone.stage("fit"):
        pass
    assert meter.peak_rss_bytes - alone.peak_rss_bytes > 100 * 2**20


def test_without_a_gpu_device_figures_are_null(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter_module, "open_gpus", lambda: None)
    with Meter() as meter, meter.stage("fit", energy=True):
        pass
    assert meter.peak_vram_bytes is None
    assert meter.energy_joules is None
    assert all(sample.vram_bytes is None for sample in meter.timeline)


def test_without_the_drivers_library_torchs_figures_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = types.SimpleNamespace(
        synchronize=lambda: None,
        reset_peak_memory_stats=lambda: None,
        max_memory_allocated=lambda: 5_000_000,
        max_memory_reserved=lambda: 6_000_000,
    )
    monkeypatch.setattr(meter_module, "open_gpus", lambda: None)
    monkeypatch.setattr(meter_module, "_cuda", lambda: cuda)
    with Meter() as meter, meter.stage("fit", energy=True):
        pass
    peak = meter.peak_vram_bytes
    assert peak is not None
    assert (peak.allocated, peak.reserved, peak.process) == (5_000_000, 6_000_000, None)
    assert meter.energy_joules is None


def test_with_a_gpu_the_drivers_figures_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    joules = iter([1000, 3500, 9999, 9999])
    process = types.SimpleNamespace(pid=os.getpid(), usedGpuMemory=7_000_000)
    other = types.SimpleNamespace(pid=1, usedGpuMemory=99)

    class Error(Exception):
        pass

    driver = types.SimpleNamespace(
        NVMLError=Error,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 1,
        nvmlDeviceGetHandleByIndex=lambda index: f"gpu{index}",
        nvmlDeviceGetName=lambda handle: "Test GPU",
        nvmlSystemGetDriverVersion=lambda: b"123.4",
        nvmlDeviceGetComputeRunningProcesses=lambda handle: [process, other],
        nvmlDeviceGetTotalEnergyConsumption=lambda handle: next(joules),
    )
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    found = gpu.open_gpus()
    assert found is not None and (found.name, found.driver) == ("Test GPU", "123.4")
    with Meter() as meter, meter.stage("fit", energy=True):
        pass
    assert meter.energy_joules == 2.5
    assert meter.peak_vram_bytes is not None
    assert meter.peak_vram_bytes.process == 7_000_000
    assert meter.peak_vram_bytes.allocated is None  # torch holds nothing on the device


@pytest.mark.parametrize(("visible", "handles"), [("", 0), ("-1", 0), ("1", 1), ("0,1", 2), ("0,-1,1", 1)])
def test_visible_devices_are_respected(visible: str, handles: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    driver = types.SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda index: asked.append(index) or index,
        nvmlDeviceGetName=lambda handle: "Test GPU",
        nvmlSystemGetDriverVersion=lambda: "1",
    )
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found = gpu.open_gpus()
    assert (len(found.handles) if found else 0) == handles == len(asked)


def test_latency_is_per_user_and_in_milliseconds() -> None:
    asked: list[int] = []
    latency = measure_latency(lambda row: (asked.append(row), time.sleep(0.002)), users=50, sample=30)
    assert latency is not None
    assert latency.users == 30
    assert 2 <= latency.p50 <= latency.p95 < 100
    assert len(asked) == 33 and len(set(asked)) == 30
    assert min(asked) == 0 and max(asked) == 49


def test_latency_of_a_slow_model_stops_early() -> None:
    latency = measure_latency(lambda row: time.sleep(0.01), users=1000, sample=200, limit_seconds=0.05)
    assert latency is not None and 20 <= latency.users < 60


def test_latency_of_nobody_is_null() -> None:
    assert measure_latency(lambda row: None, users=0) is None


def test_thinning_keeps_the_highest_of_each_stretch_and_both_ends() -> None:
    ram, vram = [10.0] * 5000, [1.0] * 5000
    ram[777] = 99.0
    vram[4000:4003] = [7.0, 8.0, 7.0]
    samples = list(zip(range(5000), ram, vram, strict=True))
    kept = thinned(samples, 600, lambda at: at[1], lambda at: at[2])
    assert len(kept) <= 600
    assert samples[777] in kept and samples[4001] in kept
    assert (kept[0], kept[-1]) == (samples[0], samples[-1])
    assert kept == sorted(kept), "in the order of time"
    assert thinned(samples[:600], 600, lambda at: at[1]) == samples[:600]


class Device:
    """A GPU that works on after it was told to, until somebody waits for it."""

    def __init__(self) -> None:
        self.busy_until = 0.0

    def launch(self, seconds: float) -> None:
        self.busy_until = max(time.perf_counter(), self.busy_until) + seconds

    def synchronize(self) -> None:
        time.sleep(max(0.0, self.busy_until - time.perf_counter()))

    def reset_peak_memory_stats(self) -> None: ...


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Device:
    found = Device()
    monkeypatch.setattr(meter_module, "open_gpus", lambda: None)
    monkeypatch.setattr(meter_module, "_cuda", lambda: found)
    return found


def test_a_stage_waits_for_the_work_it_gave_to_the_device(device: Device) -> None:
    with Meter() as meter, meter.stage("fit"):
        device.launch(0.2)
    assert meter.wall_seconds["fit"] >= 0.2


def test_a_stage_does_not_pay_for_work_given_before_it(device: Device) -> None:
    with Meter() as meter:
        device.launch(2.0)
        with meter.stage("recommend"):
            device.launch(0.01)
    assert meter.wall_seconds["recommend"] < 1.5


def test_latency_waits_for_the_device_before_and_after_each_request(device: Device) -> None:
    latency = measure_latency(lambda row: device.launch(0.02), users=5)
    assert latency is not None and latency.p50 >= 20
    device.launch(3.0)  # the requests before the clock starts do not wait
    latency = measure_latency(lambda row: None, users=5)
    assert latency is not None and latency.p95 < 1000
