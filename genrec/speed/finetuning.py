"""One fine-tuning run of a random-weight base, through the code that real runs use, measured."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.cost.meter import Meter
from bench.errors import BenchError
from bench.progress import also_listening
from bench.record_parts import PeakVram
from genrec.artefact import training_summary
from genrec.availability import NO_UNSLOTH, Chosen, has_unsloth
from genrec.config import Preset
from genrec.decoding.batches import is_out_of_memory
from genrec.speed.bases import base_preset, training_sample
from genrec.speed.ceilings import measured_ceilings
from genrec.speed.rates import model_flops_per_token, share
from genrec.speed.setting import Setting
from genrec.speed.timing import StepClock
from genrec.training.finetune import finetune
from genrec.weights.device_memory import release_device_memory


class CannotMeasure(Exception):
    """A configuration does not run on this machine; the message is the note of its row."""

    @property
    def row(self) -> dict[str, Any]:
        """Empty figures and the reason."""
        return {"step_seconds": None, "tokens_per_second": None, "note": str(self)}


@dataclass(frozen=True, kw_only=True)
class FinetuneSpeed:
    """What a timed fine-tuning run showed."""

    preset: Preset
    folder: Path
    """The finished artefact."""
    step_seconds: float
    """Median over the steps after warm-up."""
    tokens_per_step: float
    """Real tokens of a step in the mean, padding not counted."""
    padding_share: float
    mean_tokens: float
    """Real tokens of a text in the mean, over the run."""
    peak_vram: PeakVram | None
    meter: Meter

    @property
    def tokens_per_second(self) -> float:
        """Mean real tokens of a step / median step time."""
        return self.tokens_per_step / self.step_seconds

    def row(self, setting: Setting, size: str) -> dict[str, Any]:
        """Figures for a table; MFU is null for a card without a known data sheet."""
        shape = setting.scale.shapes[size]
        flops = self.tokens_per_second * model_flops_per_token(
            shape, self.preset.finetune, context=self.mean_tokens
        )
        ceilings = measured_ceilings(setting.scale)
        return {
            "step_seconds": round(self.step_seconds, 5),
            "tokens_per_second": round(self.tokens_per_second, 1),
            "padding_share": self.padding_share,
            "model_flops_per_second": round(flops),
            "mfu": share(flops, ceilings["data_sheet_flops_per_second"]),
            "share_of_measured_matmul": share(flops, ceilings["matmul_flops_per_second"]),
            **vram_columns(self.peak_vram),
        }


def vram_columns(peak: PeakVram | None) -> dict[str, float | None]:
    """Peak device memory in GB (1e9 bytes), three ways."""
    parts = peak.model_dump() if peak else dict.fromkeys(PeakVram.model_fields)
    return {f"{name}_gb": None if value is None else round(value / 1e9, 3) for name, value in parts.items()}


def measure_finetuning(
    setting: Setting, size: str, *, backend: Chosen, overrides: Sequence[str] = ()
) -> FinetuneSpeed:
    """Train for the scale's steps and measure.

    Raises CannotMeasure where memory does not suffice, and where unsloth does not run.
    """
    if backend == "unsloth" and not has_unsloth():
        raise CannotMeasure(f"unavailable: {NO_UNSLOTH}")
    steps = setting.scale.steps
    limits = [f"finetune.backend={backend}", f"finetune.max_steps={steps}"]
    preset = base_preset(setting, size, [*limits, *overrides])
    chosen = preset.finetune
    per_step = chosen.batch_size * chosen.gradient_accumulation
    data = training_sample(setting.split.training_data, steps * per_step)
    runs = setting.work / "speed" / "runs"
    shutil.rmtree(runs, ignore_errors=True)  # a run taken up halfway has no step times
    release_device_memory()
    clock = StepClock()
    try:
        with Meter() as meter, meter.stage("finetune_sample", energy=True), also_listening(clock):
            folder = finetune(data, preset, f"llama-{size}", seed=setting.seed, work=runs).folder
    except (RuntimeError, MemoryError, BenchError) as error:
        # unsloth's own process reports its end as text
        if is_out_of_memory(error) or "out of memory" in str(error).lower():
            raise CannotMeasure("does not fit on this card") from None
        if backend == "unsloth" and isinstance(error, BenchError):
            raise CannotMeasure(f"does not run here: {error}") from None
        raise
    training = training_summary(folder)
    return FinetuneSpeed(
        preset=preset,
        folder=folder,
        step_seconds=clock.median_step_seconds(setting.scale.warmup_steps),
        tokens_per_step=training["tokens"] / training["step"],
        padding_share=training["padding_share"],
        mean_tokens=training["tokens"] / (training["step"] * per_step),
        peak_vram=_peak(meter, training, backend),
        meter=meter,
    )


def _peak(meter: Meter, training: Any, backend: Chosen) -> PeakVram | None:
    """Peaks of the run. Unsloth trains in a process of its own, which samples them at its steps."""
    peak = meter.peak_vram_bytes
    if peak is None or backend != "unsloth":
        return peak
    samples = training["memory"]
    return PeakVram(
        allocated=int(max(sample["vram_peak_allocated_bytes"] for sample in samples)),
        reserved=int(max(sample["vram_reserved_bytes"] for sample in samples)),
        process=peak.process,
    )
