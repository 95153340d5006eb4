"""Data-sheet figures of GPUs, for forecasts of time and fit."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bench.errors import ConfigError, unknown_name


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """One card: memory in bytes, dense bf16 (fp16 where there is no bf16) FLOP/s, memory bytes/s."""

    name: str
    memory_bytes: float
    flops_per_second: float
    bytes_per_second: float
    speed_of: str | None = None
    """Card whose speed is assumed where only the memory was given."""


def _gpu(name: str, gigabytes: float, teraflops: float, gigabytes_per_second: float) -> Gpu:
    return Gpu(
        name=name,
        memory_bytes=gigabytes * 2**30,
        flops_per_second=teraflops * 1e12,
        bytes_per_second=gigabytes_per_second * 1e9,
    )


GPUS: dict[str, Gpu] = {
    gpu.name: gpu
    for gpu in (
        _gpu("t4", 16, 65, 320),
        _gpu("rtx-a5000", 24, 111, 768),
        _gpu("rtx-3090", 24, 71, 936),
        _gpu("l4", 24, 121, 300),
        _gpu("a10", 24, 125, 600),
        _gpu("rtx-4090", 24, 165, 1008),
        _gpu("a100-40gb", 40, 312, 1555),
        _gpu("l40s", 48, 362, 864),
        _gpu("a100-80gb", 80, 312, 2039),
        _gpu("h100", 80, 989, 3350),
        _gpu("h200", 141, 989, 4800),
    )
}


def find_gpu(given: str) -> Gpu:
    """Look a card up by name, or take a bare memory size such as '24GB' with the RTX A5000's speed."""
    name = given.strip().lower().replace(" ", "-")
    if name in GPUS:
        return GPUS[name]
    size = re.fullmatch(r"(\d+(?:\.\d+)?)-?g(?:i?b)?", name)
    if size is None:
        raise unknown_name("GPU", given, [*GPUS, "24GB"])
    if float(size[1]) <= 0:
        raise ConfigError(f"a GPU has more than 0 GB of memory, got '{given}'")
    speed = GPUS["rtx-a5000"]
    return Gpu(
        name=f"{float(size[1]):g} GB card",
        memory_bytes=float(size[1]) * 2**30,
        flops_per_second=speed.flops_per_second,
        bytes_per_second=speed.bytes_per_second,
        speed_of=speed.name,
    )
