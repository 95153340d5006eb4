"""LLaMA 1B, 3B and 8B at true size with random weights, fine-tuning and generation.

The weights know nothing, so there is no quality; time and memory are those of the real ones, since
shapes, precision and code are. Hours of the whole run are an estimate, with its arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.record_parts import Cost
from genrec.artefact import load_model
from genrec.availability import Chosen
from genrec.forecast.workload import measure_workload
from genrec.speed.bases import real_prompts
from genrec.speed.cost_records import write_cost_record
from genrec.speed.finetuning import (
    CannotMeasure,
    FinetuneSpeed,
    measure_finetuning,
)
from genrec.speed.generation import GenerationSpeed, OurWriter, measure_generation
from genrec.speed.setting import Setting

CASE = "test_cost"

PUBLISHED_PEAK_GB = {"1b": 4.0, "3b": 5.5, "8b": 9.0}
"""Fine-tuning memory that the published run states as an upper bound, batch 4, length 1024."""

ONE_PASS = ("finetune.batching=packed", "finetune.batch_size=16", "finetune.gradient_accumulation=1")
LARGER: tuple[tuple[str, ...], ...] = (
    ONE_PASS,
    (*ONE_PASS, "finetune.gradient_checkpointing=false"),
    (*ONE_PASS, "finetune.gradient_checkpointing=false", "finetune.batch_size=64"),
)
"""Batches tried for a large card, each larger than the one before; the first two keep the published
16 texts an optimizer step, the last takes 64."""


PARTS = ("published", "best-batch", "unsloth")
"""The published batch with peft, the best batch for the card, the published batch with unsloth."""


def measure_cost(setting: Setting, size: str, part: str) -> dict[str, Any]:
    """Measure one of PARTS at this size and write its record."""
    if part == "best-batch":
        return _best_batch(setting, size)
    return _published(setting, size, "unsloth" if part == "unsloth" else "peft")


def _published(setting: Setting, size: str, backend: Chosen) -> dict[str, Any]:
    title = {"size": size, "what": f"{backend}, published batch"}
    try:
        trained = measure_finetuning(setting, size, backend=backend)
    except CannotMeasure as problem:
        return {**title, **problem.row}
    finetuning = trained.row(setting, size)
    model, tokenizer = load_model(trained.folder)
    settings = trained.preset.generate
    prompts = real_prompts(setting, trained.preset, setting.scale.prompts)
    write = OurWriter(model, tokenizer, seed=setting.seed)
    generated = measure_generation(setting, write, tokenizer, prompts, settings)
    generation = generated.row(
        setting, setting.scale.shapes[size], settings,
        four_bit=trained.preset.finetune.four_bit, prompts_kept_once=True,
    )  # fmt: skip
    details: dict[str, Any] = {
        "finetuning": finetuning,
        "generation": {**generation, "prompts": len(prompts)},
        "published_finetuning_peak_gb_below": PUBLISHED_PEAK_GB[size],
        "full_run_estimate": _whole_run(setting, trained, generated),
    }
    suffix = "" if backend == "peft" else f"-{backend}"
    _record(setting, f"llama-{size}-cost{suffix}", size, title["what"], trained, generated, details)
    shown = ("step_seconds", "tokens_per_second", "mfu", "allocated_gb", "reserved_gb", "process_gb")
    return {
        **title,
        **{name: finetuning[name] for name in shown},
        "published_gb_below": PUBLISHED_PEAK_GB[size],
        "users_per_second": generation["users_per_second"],
        "fit_hours_estimated": details["full_run_estimate"]["fit_hours"],
        "recommend_hours_estimated": details["full_run_estimate"]["recommend_hours"],
    }


def _best_batch(setting: Setting, size: str) -> dict[str, Any]:
    """Try larger and larger batches until one does not fit or is no faster."""
    tried: list[dict[str, Any]] = []
    title = {"size": size, "what": "peft, best batch"}
    best: FinetuneSpeed | None = None
    for overrides in LARGER:
        try:
            trained = measure_finetuning(setting, size, backend="peft", overrides=overrides)
        except CannotMeasure as problem:
            tried.append({"settings": list(overrides), **problem.row})
            break
        tried.append({"settings": list(overrides), **trained.row(setting, size)})
        if best is not None and trained.tokens_per_second <= best.tokens_per_second:
            break
        best = trained
    if best is None:
        note = tried[0]["note"]
        return {**title, **CannotMeasure(note).row}
    finetuning = best.row(setting, size)
    estimate = _whole_run(setting, best, None)
    details = {"finetuning": finetuning, "tried": tried, "full_run_estimate": estimate}
    _record(setting, f"llama-{size}-cost-best-batch", size, title["what"], best, None, details)
    shown = ("step_seconds", "tokens_per_second", "mfu", "allocated_gb", "reserved_gb", "process_gb")
    return {
        **title,
        **{name: finetuning[name] for name in shown},
        "fit_hours_estimated": estimate["fit_hours"],
    }


def _record(
    setting: Setting,
    name: str,
    size: str,
    what: str,
    trained: FinetuneSpeed,
    generated: GenerationSpeed | None,
    details: Mapping[str, Any],
) -> None:
    meters = [trained.meter, *([generated.meter] if generated else [])]
    joules = [meter.energy_joules for meter in meters if meter.energy_joules is not None]
    cost = Cost(
        wall_seconds={stage: round(s, 4) for meter in meters for stage, s in meter.wall_seconds.items()},
        users_per_second=round(generated.users_per_second, 3) if generated else None,
        peak_rss_bytes=max(meter.peak_rss_bytes for meter in meters),
        peak_vram_bytes=trained.peak_vram,
        energy_joules=sum(joules) if joules else None,
        memory_timeline=trained.meter.timeline,
    )
    write_cost_record(
        setting, CASE, name, f"LLaMA {size.upper()}, random weights: {what}", cost=cost, details=details,
        parameters=trained.preset.model_dump(mode="json", exclude={"base_model"}),
    )  # fmt: skip


def _whole_run(setting: Setting, trained: FinetuneSpeed, generated: GenerationSpeed | None) -> dict[str, Any]:
    """Hours of the published run at the speeds measured, and how they come about."""
    workload = measure_workload(setting.split, trained.preset)
    settings = trained.preset.finetune
    tokens = int(workload.train.clip(max=settings.max_seq_length).sum())
    fit = settings.epochs * tokens / trained.tokens_per_second / 3600
    users = len(setting.split.test)
    estimate: dict[str, Any] = {
        "fit_hours": round(fit, 3),
        "fit_arithmetic": f"{settings.epochs:g} epochs x {tokens:,} real tokens / "
        f"{trained.tokens_per_second:,.0f} tokens/s / 3600; early stopping may end sooner",
        "recommend_hours": None,
    }
    if generated is not None:
        estimate["recommend_hours"] = round(users / generated.users_per_second / 3600, 4)
        estimate["recommend_arithmetic"] = (
            f"{users:,} users / {generated.users_per_second:,.2f} users/s / 3600; every text is written to "
            "its last token here, since random weights hardly ever end one"
        )
    return estimate
