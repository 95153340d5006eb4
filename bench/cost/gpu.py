"""What the NVIDIA driver knows of the GPUs this process may use; nothing here needs torch."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Gpus:
    """The visible GPUs, through the driver's management library (NVML)."""

    name: str
    driver: str
    handles: tuple[Any, ...]

    def process_bytes(self, pids: set[int]) -> int | None:
        """Device memory held by these processes, or null where the driver does not say."""
        import pynvml

        total, known = 0, False
        for handle in self.handles:
            try:
                running = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
            except pynvml.NVMLError:
                continue
            for process in running:
                if process.pid in pids and process.usedGpuMemory is not None:
                    total, known = total + int(process.usedGpuMemory), True
        return total if known else None

    def energy_joules(self) -> float | None:
        """Energy since the driver was loaded, or null where the card does not count it."""
        import pynvml

        try:
            return float(sum(pynvml.nvmlDeviceGetTotalEnergyConsumption(h) for h in self.handles)) / 1000
        except pynvml.NVMLError:
            return None


def open_gpus() -> Gpus | None:
    """Open the GPUs that CUDA_VISIBLE_DEVICES leaves visible, or give None where there is none."""
    try:
        import pynvml

        pynvml.nvmlInit()
        handles = tuple(_visible(pynvml))
        if not handles:
            return None
        return Gpus(
            name=_text(pynvml.nvmlDeviceGetName(handles[0])),
            driver=_text(pynvml.nvmlSystemGetDriverVersion()),
            handles=handles,
        )
    except Exception:  # a broken driver must not break a run that needs no GPU
        return None


def _visible(pynvml: Any) -> list[Any]:
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
    handles = []
    for part in filter(None, (piece.strip() for piece in chosen.split(","))):
        if part.lstrip("-").isdigit():
            if int(part) < 0:  # CUDA stops at the first -1
                break
            handles.append(pynvml.nvmlDeviceGetHandleByIndex(int(part)))
        else:
            handles.append(pynvml.nvmlDeviceGetHandleByUUID(part))
    return handles


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
