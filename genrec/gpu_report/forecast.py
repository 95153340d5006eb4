"""How long each part will take on a card, before it is started: arithmetic on shapes, no GPU needed.

Built on `genrec.estimate`; what that does not know (launches in training, files, what a record takes
beside the model) are the constants below, all assumed and none measured on a GPU.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from bench.schema import Int64Array
from genrec.config import GenerateSettings, Preset, load_preset
from genrec.estimate import (
    LAUNCH_SECONDS_PER_LAYER,
    MFU,
    Workload,
    finetune_flops_per_token,
    forecast,
    generate_seconds,
    users_a_batch,
)
from genrec.gpu_report import cost_rows, finetune_speed, generation_speed, quality, strategies
from genrec.gpu_report.published_loop import BATCH_SIZE
from genrec.gpu_report.setting import Setting
from genrec.gpu_report.timing import LIMIT_SECONDS
from genrec.gpus import Gpu
from genrec.memory import weight_bytes
from genrec.selection import parse_candidates
from genrec.serialize import item_texts
from genrec.shapes import Shape, shape_of
from genrec.workload import BYTES_PER_TOKEN, measure_workload

LOAD_SECONDS = 5.0
"""To import, start the GPU and prepare texts, once for each model that is loaded."""

DISK_BYTES_PER_SECOND = 1e9
"""Reading and writing weights and checkpoints."""

TOKENIZER_SECONDS = 15.0
"""To train a tokenizer on catalogue and purchases."""

RECORD_SECONDS = 45.0
"""What a measured run adds to its model: retrieval, latency of single users, metrics, intervals, files."""

PASS_LAUNCHES = 3
"""A training pass launches this many times the kernels of a forward pass."""

ASSUMPTIONS = (
    f"assumed: MFU {MFU:g}, {LAUNCH_SECONDS_PER_LAYER * 1e3:g} ms a layer at least, in training "
    f"{PASS_LAUNCHES} times that, files at {DISK_BYTES_PER_SECOND / 1e9:g} GB/s, {RECORD_SECONDS:g} s a "
    "record; no early stop of training or of texts"
)


@dataclass(frozen=True, kw_only=True)
class StepForecast:
    """One step of a part and its seconds."""

    part: str
    step: str
    seconds: float


def forecast_steps(setting: Setting, gpu: Gpu) -> Iterator[StepForecast]:
    """Forecast every step of every part but the ceilings, which take seconds."""
    work = _Work(setting, gpu)
    parts: dict[str, Callable[[_Work], Iterator[tuple[str, float]]]] = {
        quality.NAME: _quality,
        quality.SHUFFLED_NAME: _shuffled,
        strategies.NAME: _strategies,
        cost_rows.NAME: _cost,
        generation_speed.NAME: _generation_speed,
        finetune_speed.NAME: _finetune_speed,
    }
    for part, listed in parts.items():
        for step, seconds in listed(work):
            yield StepForecast(part=part, step=step, seconds=seconds)


class _Work:
    """What the forecasts share: texts counted once."""

    def __init__(self, setting: Setting, gpu: Gpu) -> None:
        self.setting, self.gpu = setting, gpu
        self.workload = cache(self._workload)
        texts = item_texts(setting.split().catalogue)
        self.longest_text = int(max(len(text.encode()) for text in texts) / BYTES_PER_TOKEN) + 1
        """Tokens of the longest catalogue text, about: steps of constrained search."""

    def _workload(self, name: str, windows: int) -> Workload:
        preset = load_preset(name, [*self._overrides(name), f"finetune.train_windows={windows}"])
        return measure_workload(self.setting.split(), preset)

    def _overrides(self, name: str) -> tuple[str, ...]:
        scale = self.setting.scale
        return scale.preset_settings if name == scale.preset else scale.base_settings

    def scratch(self, candidate: Sequence[str]) -> tuple[Preset, Shape, Workload]:
        name = self.setting.scale.preset
        preset = load_preset(name, [*self._overrides(name), *candidate])
        assert preset.architecture is not None  # the preset of a model from scratch
        return preset, shape_of(preset.architecture), self.workload(name, preset.finetune.train_windows)

    def base(self, size: str, overrides: Sequence[str] = ()) -> tuple[Preset, Shape, Workload]:
        name = f"llama-{size}"
        preset = load_preset(name, [*self._overrides(name), *overrides])
        return preset, self.setting.scale.shapes[size], self.workload(name, 1)

    def fit(self, candidate: Sequence[str]) -> float:
        """A whole fine-tuning from scratch, a checkpoint at each evaluation counted."""
        preset, shape, workload = self.scratch(candidate)
        made = forecast(preset, shape, workload, self.gpu)
        steps = made.epochs * math.ceil(len(workload.train) / _per_step(preset))
        passes = steps * _passes(preset, workload.train)
        launches = passes * PASS_LAUNCHES * shape.layers * LAUNCH_SECONDS_PER_LAYER
        files = made.epochs * 16 * shape.parameters / DISK_BYTES_PER_SECOND
        return max(made.finetune_hours * 3600, launches) + files + TOKENIZER_SECONDS + LOAD_SECONDS

    def generate(
        self, preset: Preset, shape: Shape, chosen: GenerateSettings, prompts: Int64Array, users: int = 0
    ) -> float:
        """Write for these prompts, `users` a batch, or as many as fit."""
        if chosen.strategy == "constrained":
            chosen = chosen.model_copy(update={"max_new_tokens": self.longest_text})
        users = users or users_a_batch(shape, preset.finetune, chosen, prompts, self.gpu)
        return generate_seconds(shape, preset.finetune, chosen, prompts, self.gpu, users)

    def sample(self, size: str, overrides: Sequence[str]) -> float:
        """A timed fine-tuning run of a random base, with loading it."""
        preset, shape, workload = self.base(size, overrides)
        passes = self.setting.scale.steps * _passes(preset, workload.train)
        mean = float(workload.train.mean())
        tokens = self.setting.scale.steps * mean * _per_step(preset)
        flops = tokens * finetune_flops_per_token(shape, preset.finetune, context=mean)
        again = 1 + preset.finetune.gradient_checkpointing / PASS_LAUNCHES
        launches = passes * again * PASS_LAUNCHES * shape.layers * LAUNCH_SECONDS_PER_LAYER
        return max(flops / (self.gpu.flops_per_second * MFU), launches) + self.load(shape)

    def load(self, shape: Shape) -> float:
        return LOAD_SECONDS + weight_bytes(shape, four_bit=False) / DISK_BYTES_PER_SECOND

    def timed(self, preset: Preset, shape: Shape, prompts: Int64Array, users: int = 0) -> float:
        """A timed generation: warm-up, repeats, and the same with one new token."""
        chosen = preset.generate.model_copy(update={"strategy": "beam"})
        whole = self.generate(preset, shape, chosen, prompts, users)
        one_token = chosen.model_copy(update={"max_new_tokens": 1})
        first = self.generate(preset, shape, one_token, prompts, users)
        repeats = self.setting.scale.repeats
        return sum(t + min(repeats * t, max(t, LIMIT_SECONDS + t)) for t in (whole, first))


def _per_step(preset: Preset) -> int:
    return preset.finetune.batch_size * preset.finetune.gradient_accumulation


def _passes(preset: Preset, lengths: Int64Array) -> int:
    """Forward passes of an optimizer step."""
    settings = preset.finetune
    if settings.batching != "packed":
        return settings.gradient_accumulation
    mean = float(lengths.clip(max=settings.max_seq_length).mean())
    rows = math.ceil(mean * _per_step(preset) / settings.max_seq_length)
    return math.ceil(rows / settings.batch_size)


def _quality(work: _Work) -> Iterator[tuple[str, float]]:
    validation = len(work.setting.split().validation)
    for candidate in work.setting.scale.candidates:
        preset, shape, workload = work.scratch(candidate)
        asked = work.generate(preset, shape, preset.generate, workload.prompts[:validation])
        yield f"validation {' '.join(candidate)}", work.fit(candidate) + asked + LOAD_SECONDS
    yield from _tested(work)


def _shuffled(work: _Work) -> Iterator[tuple[str, float]]:
    yield "training", max(work.fit(candidate) for candidate in work.setting.scale.candidates)
    yield from _tested(work)


def _tested(work: _Work) -> Iterator[tuple[str, float]]:
    preset, shape, workload = work.scratch(())
    for strategy in quality.STRATEGIES:
        chosen = preset.generate.model_copy(update={"strategy": strategy})
        seconds = work.generate(preset, shape, chosen, workload.prompts)
        yield f"test {strategy}", seconds + RECORD_SECONDS + LOAD_SECONDS


def _strategies(work: _Work) -> Iterator[tuple[str, float]]:
    preset, shape, workload = work.scratch(())
    asked = workload.prompts[: len(work.setting.split().validation)]
    for candidate in parse_candidates(strategies.STRATEGIES, preset):
        yield candidate.name, work.generate(preset, shape, candidate.generate, asked) + LOAD_SECONDS


def _cost(work: _Work) -> Iterator[tuple[str, float]]:
    for size in work.setting.sizes:
        preset, shape, workload = work.base(size)
        asked = workload.prompts[: work.setting.scale.prompts]
        write = 2 * LOAD_SECONDS + weight_bytes(shape, four_bit=False) / DISK_BYTES_PER_SECOND
        generation = work.load(shape) + work.timed(preset, shape, asked)
        yield f"{size} random weights", write
        yield f"{size} peft", work.sample(size, ()) + generation
        yield f"{size} best batch", sum(work.sample(size, tried) for tried in cost_rows.LARGER)


def _generation_speed(work: _Work) -> Iterator[tuple[str, float]]:
    size, scale = work.setting.sizes[0], work.setting.scale
    subjects = {f"llama-{size}": work.base(size), scale.preset: work.scratch(())}
    for title, (preset, shape, workload) in subjects.items():
        asked = workload.prompts[: scale.prompts]
        for way in generation_speed.WAYS:
            plain = way == generation_speed.PUBLISHED
            seconds = work.timed(preset, shape, asked, BATCH_SIZE if plain else 0)
            yield f"{title}: {way}", seconds + 2 * LOAD_SECONDS
        texts = work.generate(
            preset, shape, preset.generate, asked[: generation_speed.FP32_PROMPTS], BATCH_SIZE
        )
        yield f"{title}: fp32", work.load(shape) + len(generation_speed.WAYS) * 2 * texts


def _finetune_speed(work: _Work) -> Iterator[tuple[str, float]]:
    size = work.setting.sizes[0]
    for title, backend, overrides in finetune_speed.WAYS:
        if backend == "peft":
            yield f"{size} {title}", work.sample(size, overrides)
