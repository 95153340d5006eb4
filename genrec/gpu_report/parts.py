"""The table of parts, in the order in which they run."""

from __future__ import annotations

from genrec.gpu_report import (
    ceilings,
    cost_rows,
    finetune_speed,
    generation_speed,
)
from genrec.gpu_report.steps import Part

PARTS: dict[str, Part] = {
    part.name: part
    for part in (
        ceilings.PART,
        cost_rows.PART,
        generation_speed.PART,
        finetune_speed.PART,
    )
}
