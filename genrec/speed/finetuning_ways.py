"""Useful tokens/s of padding (published), length-grouped and packed batches.

Every row trains on 16 texts an optimizer step, the published number, so that the steps are the same.
"""

from __future__ import annotations

from typing import Any

from genrec.availability import Chosen
from genrec.speed.cost_records import write_table_record
from genrec.speed.cost_rows import ONE_PASS
from genrec.speed.finetuning import CannotMeasure, measure_finetuning
from genrec.speed.setting import Setting

CASE = "test_finetuning_ways"

WAYS: tuple[tuple[str, Chosen, tuple[str, ...]], ...] = (
    ("padded (published)", "peft", ("finetune.batching=padded",)),
    ("length_grouped", "peft", ("finetune.batching=length_grouped",)),
    ("packed", "peft", ("finetune.batching=packed",)),
    ("packed, one pass a step", "peft", ONE_PASS),
    ("packed, one pass, no recomputation", "peft", (*ONE_PASS, "finetune.gradient_checkpointing=false")),
    ("padded (published)", "unsloth", ("finetune.batching=padded",)),
    ("length_grouped", "unsloth", ("finetune.batching=length_grouped",)),
)


def measure_ways(setting: Setting, size: str) -> list[dict[str, Any]]:
    """Measure every way on a base of this size, and write the table as one record of kind cost-only."""
    rows: list[dict[str, Any]] = []
    for title, backend, overrides in WAYS:
        names = {"size": size, "backend": backend, "batches": title}
        try:
            rows.append(
                {
                    **names,
                    **measure_finetuning(setting, size, backend=backend, overrides=overrides).row(
                        setting, size
                    ),
                }
            )
        except CannotMeasure as problem:
            rows.append({**names, **problem.row})
    published = rows[0]["tokens_per_second"]
    for row in rows:
        if published and row["tokens_per_second"]:
            row["times_published"] = round(row["tokens_per_second"] / published, 2)
    title = f"LLaMA {size.upper()}: speed of fine-tuning"
    write_table_record(setting, CASE, f"llama-{size}-finetune-speed", title, rows)
    return rows
