"""Part `finetune-speed`: useful tokens/s of padding (published), length-grouped and packed batches.

Every row trains on 16 texts an optimizer step, the published number, so that the steps are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from genrec.availability import has_unsloth
from genrec.gpu_report.cost_rows import ONE_PASS
from genrec.gpu_report.finetuning import CannotMeasure, measure_finetuning, unsloth_is_missing
from genrec.gpu_report.records import write_table_record
from genrec.gpu_report.setting import Setting
from genrec.gpu_report.steps import Measured, Part, Row, Step
from genrec.training.backends import Chosen

NAME = "finetune-speed"

WAYS: tuple[tuple[str, Chosen, tuple[str, ...]], ...] = (
    ("padded (published)", "peft", ("finetune.batching=padded",)),
    ("length_grouped", "peft", ("finetune.batching=length_grouped",)),
    ("packed", "peft", ("finetune.batching=packed",)),
    ("packed, one pass a step", "peft", ONE_PASS),
    ("packed, one pass, no recomputation", "peft", (*ONE_PASS, "finetune.gradient_checkpointing=false")),
    ("padded (published)", "unsloth", ("finetune.batching=padded",)),
    ("length_grouped", "unsloth", ("finetune.batching=length_grouped",)),
)


def steps(setting: Setting) -> Iterable[Step]:
    """One step a way, on the smallest size that is asked for."""
    for title, backend, overrides in WAYS:
        name = f"{setting.sizes[0]} {backend} {title}"
        if backend == "peft" or has_unsloth():
            yield Step(name=name, measure=partial(_measure, setting, title, backend, overrides))
        else:
            names = {"size": setting.sizes[0], "backend": backend, "batches": title}
            yield Step(name=f"{name}, missing", measure=partial(unsloth_is_missing, names))


def _measure(setting: Setting, title: str, backend: Chosen, overrides: tuple[str, ...]) -> Measured:
    size = setting.sizes[0]
    names = {"size": size, "backend": backend, "batches": title}
    try:
        trained = measure_finetuning(setting, size, backend=backend, overrides=overrides)
    except CannotMeasure as problem:
        return Measured(row={**names, **problem.row})
    return Measured(row={**names, **trained.row(setting, size)})


def _summary(setting: Setting, rows: Sequence[Row]) -> Path:
    published = rows[0]["tokens_per_second"]
    told = [
        {**row, "times_published": round(row["tokens_per_second"] / published, 2)}
        if published and row["tokens_per_second"]
        else dict(row)
        for row in rows
    ]
    size = setting.sizes[0]
    return write_table_record(
        setting, NAME, f"llama-{size}-finetune-speed", f"LLaMA {size.upper()}: speed of fine-tuning", told
    )


PART = Part(
    name=NAME, title="useful tokens/s of fine-tuning, by layout of batches", steps=steps, summary=_summary
)
