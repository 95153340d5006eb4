"""The bytes/s of a large copy and the FLOP/s of a large bf16 product on this card."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from bench.progress import report
from genrec.speed.rates import data_sheet
from genrec.speed.setting import Scale, device_name
from genrec.speed.timing import median_seconds

REPEATS = 20


@lru_cache(maxsize=1)
def measured_ceilings(scale: Scale) -> Mapping[str, Any]:
    """What the card reaches at best, measured once in a process."""
    import torch

    report("ceilings", 0, 1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    source = torch.empty(scale.copy_bytes, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    copy_seconds = median_seconds(lambda: target.copy_(source), repeats=REPEATS, warmups=5)
    size = scale.matmul_size
    left = torch.randn((size, size), device=device, dtype=torch.bfloat16)
    right = torch.randn_like(left)
    matmul_seconds = median_seconds(lambda: left @ right, repeats=REPEATS, warmups=5)
    sheet = data_sheet(device_name())
    return {
        "card": device_name(),
        "copy_bytes_per_second": 2 * scale.copy_bytes / copy_seconds,
        "matmul_flops_per_second": 2 * size**3 / matmul_seconds,
        "data_sheet_bytes_per_second": sheet.bytes_per_second if sheet else None,
        "data_sheet_flops_per_second": sheet.flops_per_second if sheet else None,
    }
