"""Part `ceilings`: the bytes/s of a large copy and the FLOP/s of a large bf16 product on this card."""

from __future__ import annotations

from collections.abc import Iterable

from bench.progress import report
from genrec.gpu_report.rates import data_sheet
from genrec.gpu_report.setting import Setting, device_name
from genrec.gpu_report.steps import Measured, Part, Row, Step, keep, kept_rows
from genrec.gpu_report.timing import median_seconds

REPEATS = 20


def steps(setting: Setting) -> Iterable[Step]:
    """One step: both ceilings."""
    yield Step(name="ceilings", measure=lambda: Measured(row=_measure(setting)))


def measured_ceilings(setting: Setting) -> Row:
    """The ceilings of this card, measured now if they were not before."""
    if "ceilings" not in kept_rows(setting, PART.name):
        keep(setting, PART.name, "ceilings", Measured(row=_measure(setting)))
    return kept_rows(setting, PART.name)["ceilings"]


def _measure(setting: Setting) -> Row:
    import torch

    report("ceilings", 0, 1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    source = torch.empty(setting.scale.copy_bytes, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    copy_seconds = median_seconds(lambda: target.copy_(source), repeats=REPEATS, warmups=5)
    size = setting.scale.matmul_size
    left = torch.randn((size, size), device=device, dtype=torch.bfloat16)
    right = torch.randn_like(left)
    matmul_seconds = median_seconds(lambda: left @ right, repeats=REPEATS, warmups=5)
    sheet = data_sheet(device_name())
    return {
        "card": device_name(),
        "copy_bytes_per_second": 2 * setting.scale.copy_bytes / copy_seconds,
        "matmul_flops_per_second": 2 * size**3 / matmul_seconds,
        "data_sheet_bytes_per_second": sheet.bytes_per_second if sheet else None,
        "data_sheet_flops_per_second": sheet.flops_per_second if sheet else None,
    }


PART = Part(name="ceilings", title="what the card reaches at best", steps=steps)
