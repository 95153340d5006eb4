"""Part `generation-speed`: the published loop against ours, same model, same prompts, one change at a time.

In bf16, sums come out a little differently in batches of another size, and a near tie between beams
may then fall the other way; so equal texts are counted in fp32 too, where they must be all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from genrec import artefact
from genrec.base_model import default_device, load_base_model, shape_of_checkpoint
from genrec.config import GenerateSettings, Preset
from genrec.gpu_report.bases import base_preset, random_base, real_prompts
from genrec.gpu_report.cost_rows import our_writer
from genrec.gpu_report.generation import Write, measure_generation, same_texts
from genrec.gpu_report.published_loop import BATCH_SIZE, published_loop
from genrec.gpu_report.records import write_table_record
from genrec.gpu_report.setting import Setting
from genrec.gpu_report.steps import Measured, Part, Row, Step
from genrec.recommender import release_device_memory
from genrec.shapes import Shape
from genrec.tokenizer import load_tokenizer

NAME = "generation-speed"

FP32_PROMPTS = 32
LARGE_BATCH = 64


@dataclass(frozen=True, kw_only=True, eq=False)
class _Subject:
    """A model to write with."""

    title: str
    preset: Preset
    model: Any
    tokenizer: Any
    shape: Shape
    four_bit: bool

    @property
    def settings(self) -> GenerateSettings:
        """Plain beam search, which both loops have."""
        return self.preset.generate.model_copy(update={"strategy": "beam"})


Load = Callable[[Setting, bool], _Subject]
"""(setting, whether plain in fp32) -> the model."""


def steps(setting: Setting) -> Iterable[Step]:
    """Every way on the random base of the first size, and on the model from scratch if it is trained."""
    subjects: list[tuple[str, Load]] = [(f"llama-{setting.sizes[0]}, random", _random)]
    if _trained_folder(setting) is not None:
        subjects.append((f"{setting.scale.preset}, trained", _trained))
    for title, load in subjects:
        for way in WAYS:
            yield Step(name=f"{title}: {way}", measure=partial(_measure, setting, load, way))
        yield Step(name=f"{title}: fp32", measure=partial(_fp32, setting, load))


def _published(subject: _Subject, **changes: Any) -> Write:
    return lambda prompts, settings: published_loop(
        subject.model, subject.tokenizer, prompts, settings, **changes
    )


def _ours(subject: _Subject) -> Write:
    return our_writer(subject.model, subject.tokenizer, seed=0)


def _ours_in_eights(subject: _Subject) -> Write:
    """Our loop held to the published batch: what running each prompt once saves by itself."""

    def write(prompts: Sequence[str], settings: GenerateSettings) -> list[list[str]]:
        limit = settings.max_seq_length - settings.max_new_tokens
        lengths = [len(ids) for ids in subject.tokenizer(list(prompts), verbose=False)["input_ids"]]
        each = min(max(lengths), limit) + settings.num_beams * settings.max_new_tokens
        budget = max(64, BATCH_SIZE * each)
        return _ours(subject)(prompts, settings.model_copy(update={"token_budget": budget}))

    return write


WAYS: dict[str, Callable[[_Subject], Write]] = {
    "published loop": _published,
    "cache not cleared": partial(_published, clear_cache=False),
    "sorted by length": partial(_published, clear_cache=False, by_length=True),
    f"batches of {LARGE_BATCH}": partial(
        _published, clear_cache=False, by_length=True, batch_size=LARGE_BATCH
    ),
    "ours, about 8 users a batch": _ours_in_eights,
    "ours": _ours,
}
"""Each way differs from the one above it in one thing; `ours` fills the memory."""


def _measure(setting: Setting, load: Load, way: str) -> Measured:
    subject = load(setting, False)
    prompts = real_prompts(setting, subject.preset, setting.scale.prompts)
    settings = subject.settings
    made = measure_generation(setting, WAYS[way](subject), subject.tokenizer, prompts, settings)
    figures = made.row(
        setting, subject.shape, settings,
        four_bit=subject.four_bit, prompts_kept_once=way.startswith("ours"),
    )  # fmt: skip
    reference = _ours(subject)(prompts, settings)
    same = same_texts(reference, made.texts)
    return Measured(row={"model": subject.title, "way": way, **figures, "same_texts_as_ours": same})


def _fp32(setting: Setting, load: Load) -> Measured:
    """Whether both loops write the same where rounding cannot decide."""
    subject = load(setting, True)
    prompts = real_prompts(setting, subject.preset, min(FP32_PROMPTS, setting.scale.prompts))
    ours = _ours(subject)(prompts, subject.settings)
    same = same_texts(ours, _published(subject)(prompts, subject.settings))
    row = {"model": subject.title, "way": f"published loop, fp32, {len(prompts)} prompts"}
    return Measured(row={**row, "same_texts_as_ours": same})


def _random(setting: Setting, fp32: bool) -> _Subject:
    release_device_memory()
    size = setting.sizes[0]
    preset, folder = base_preset(setting, size), random_base(setting, size)
    four_bit = preset.finetune.four_bit and not fp32
    model = load_base_model(folder, four_bit=four_bit, device=default_device())
    return _Subject(
        title=f"llama-{size}, random",
        preset=preset,
        model=(model.float() if fp32 else model).eval(),
        tokenizer=load_tokenizer(folder),
        shape=setting.scale.shapes[size],
        four_bit=four_bit,
    )


def _trained(setting: Setting, fp32: bool) -> _Subject:
    release_device_memory()
    folder = _trained_folder(setting)
    assert folder is not None  # `steps` has looked
    model, tokenizer = artefact.load_model(folder)
    return _Subject(
        title=f"{setting.scale.preset}, trained",
        preset=artefact.read_finished(folder).settings,
        model=model.float() if fp32 else model,
        tokenizer=tokenizer,
        shape=shape_of_checkpoint(folder / "model"),
        four_bit=False,
    )


def _trained_folder(setting: Setting) -> Path | None:
    found = artefact.find_artefacts(setting.work, setting.scale.preset, dataset=setting.split().dataset)
    return found[0][0] if found else None


def _summary(setting: Setting, rows: Sequence[Row]) -> Path:
    published = {row["model"]: row["users_per_second"] for row in rows if row["way"] == "published loop"}
    told = [
        {**row, "times_published": round(row["users_per_second"] / published[row["model"]], 2)}
        if "users_per_second" in row
        else dict(row)
        for row in rows
    ]
    size = setting.sizes[0]
    return write_table_record(
        setting, NAME, f"llama-{size}-generation-speed", f"LLaMA {size.upper()}: speed of generation", told
    )


PART = Part(name=NAME, title="users/s of the published loop and of ours", steps=steps, summary=_summary)
