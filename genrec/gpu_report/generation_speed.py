"""Part `generation-speed`: from the published loop to ours, one technique added at a time.

Same model, same prompts, and the same texts at every step: in fp32 that is counted exactly. In bf16,
sums come out a little differently in batches of another size, and a near tie between beams may then
fall the other way; so there the share of equal texts is a figure of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from genrec import artefact
from genrec.config import GenerateSettings, Preset
from genrec.decoding.batches import token_budget
from genrec.decoding.techniques import USUAL, Techniques
from genrec.gpu_report.bases import base_preset, random_base, real_prompts
from genrec.gpu_report.generation import OurWriter, Write, measure_generation, same_texts
from genrec.gpu_report.published_loop import published_loop
from genrec.gpu_report.records import write_table_record
from genrec.gpu_report.setting import Setting
from genrec.gpu_report.steps import Measured, Part, Row, Step, kept_rows
from genrec.recommender import release_device_memory
from genrec.weights.base_model import default_device, load_base_model, shape_of_checkpoint
from genrec.weights.shapes import Shape
from genrec.weights.tokenizer import load_tokenizer

NAME = "generation-speed"

FP32_PROMPTS = 32


@dataclass(frozen=True, kw_only=True, eq=False)
class _Subject:
    """A model to write with."""

    preset: Preset
    model: Any
    tokenizer: Any
    shape: Shape
    four_bit: bool
    prompts: Sequence[str]

    @property
    def settings(self) -> GenerateSettings:
        """Plain beam search, which both loops have."""
        return self.preset.generate.model_copy(update={"strategy": "beam"})

    @cached_property
    def our_texts(self) -> list[list[str]]:
        """What generation writes as it is used; every way is compared with it."""
        return _ours(self, USUAL)(self.prompts, self.settings)


def _published(subject: _Subject) -> Write:
    return partial(published_loop, subject.model, subject.tokenizer)


def _published_in_full_batches(subject: _Subject) -> Write:
    def write(prompts: Sequence[str], settings: GenerateSettings) -> list[list[str]]:
        steps, longest = settings.max_new_tokens, settings.max_seq_length
        budget = settings.token_budget or token_budget(subject.model, longest=longest, steps=steps)
        return published_loop(subject.model, subject.tokenizer, prompts, settings, token_budget=budget)

    return write


def _ours(subject: _Subject, techniques: Techniques) -> OurWriter:
    return OurWriter(subject.model, subject.tokenizer, seed=0, techniques=techniques)


def _with(*names: str) -> Callable[[_Subject], Write]:
    """Our loop with these techniques and no others."""
    chosen = {name: name in names for name in vars(USUAL)}
    return partial(_ours, techniques=Techniques(**chosen))


PUBLISHED = "published loop"
PLAIN_ATTENTION = "ours without fused attention"

WAYS: dict[str, Callable[[_Subject], Write]] = {
    PUBLISHED: _published,
    "+ length-sorted, token-budget batches": _published_in_full_batches,
    "+ prompt run once, cache shared by beams": _with(),
    "+ shared instruction prefix": _with("shared_prefix"),
    "+ done users leave": _with("shared_prefix", "leave_when_done"),
    PLAIN_ATTENTION: partial(_ours, techniques=USUAL),
}
"""Each way has one technique more than the one above it; the last shows what fused kernels bring."""


class _Loader:
    """Loads one model at a time, and keeps it while it is asked for."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._key: Any = None
        self._subject: _Subject | None = None

    def __call__(self, load: Callable[[Setting, bool], _Subject], fp32: bool) -> _Subject:
        if self._subject is None or self._key != (load, fp32):
            self._subject = None
            release_device_memory()
            self._key, self._subject = (load, fp32), load(self._setting, fp32)
        return self._subject


def steps(setting: Setting) -> Iterable[Step]:
    """Every way on the random base of the first size, and on the model from scratch if it is trained."""
    loader = _Loader(setting)
    subjects = [(f"llama-{setting.sizes[0]}, random", _random)]
    if _trained_folder(setting) is not None:
        subjects.append((f"{setting.scale.preset}, trained", _trained))
    for title, load in subjects:
        for way in WAYS:
            yield Step(name=f"{title}: {way}", measure=partial(_measure, setting, loader, load, title, way))
        yield Step(name=f"{title}: fp32", measure=partial(_compare_texts, loader, load, title))


def _measure(
    setting: Setting, loader: _Loader, load: Callable[[Setting, bool], _Subject], title: str, way: str
) -> Measured:
    subject = loader(load, False)
    write, prompts, settings = WAYS[way](subject), subject.prompts, subject.settings
    with _attention(way):
        made = measure_generation(setting, write, subject.tokenizer, prompts, settings)
    ours = isinstance(write, OurWriter)
    figures = made.row(setting, subject.shape, settings, four_bit=subject.four_bit, prompts_kept_once=ours)
    row = {
        "model": title,
        "way": way,
        "users_per_second": figures.pop("users_per_second"),
        **_speed_ups(setting, title, way, made.users_per_second),
        **figures,
        "same_texts": same_texts(subject.our_texts, made.texts),
    }
    return Measured(row=row)


def _speed_ups(setting: Setting, title: str, way: str, users_per_second: float) -> dict[str, float | None]:
    """How many times as fast as the way above and as the published loop."""
    names = list(WAYS)
    # what comes after the ladder is compared with the loop that is otherwise the same
    above = "+ done users leave" if way == PLAIN_ATTENTION else names[max(0, names.index(way) - 1)]
    rates = {name: row.get("users_per_second") for name, row in kept_rows(setting, NAME).items()}
    rates[f"{title}: {way}"] = users_per_second

    def times(other: str) -> float | None:
        rate = rates.get(f"{title}: {other}")
        return round(users_per_second / rate, 2) if rate else None

    return {"times_previous": times(above if above != way else way), "times_published": times(names[0])}


def _compare_texts(loader: _Loader, load: Callable[[Setting, bool], _Subject], title: str) -> Measured:
    """Whether every way writes what ours writes, where rounding cannot decide."""
    subject = loader(load, True)
    shares = {}
    for way, make in WAYS.items():
        with _attention(way):
            texts = make(subject)(subject.prompts, subject.settings)
        shares[way] = same_texts(subject.our_texts, texts)
    others = ", ".join(f"{way} ({share:.2%} the same)" for way, share in shares.items() if share < 1)
    row = {
        "model": title,
        "way": f"all ways in fp32, {len(subject.prompts)} prompts",
        "same_texts": min(shares.values()),
    }
    return Measured(row={**row, "note": f"other texts by: {others}"} if others else row)


def _attention(way: str) -> AbstractContextManager[Any]:
    from torch.nn.attention import SDPBackend, sdpa_kernel

    return sdpa_kernel(SDPBackend.MATH) if way == PLAIN_ATTENTION else nullcontext()


def _random(setting: Setting, fp32: bool) -> _Subject:
    size = setting.sizes[0]
    preset, folder = base_preset(setting, size), random_base(setting, size)
    four_bit = preset.finetune.four_bit and not fp32
    model = load_base_model(folder, four_bit=four_bit, device=default_device())
    return _Subject(
        preset=preset,
        model=(model.float() if fp32 else model).eval(),
        tokenizer=load_tokenizer(folder),
        shape=setting.scale.shapes[size],
        four_bit=four_bit,
        prompts=_prompts(setting, preset, fp32),
    )


def _trained(setting: Setting, fp32: bool) -> _Subject:
    folder = _trained_folder(setting)
    assert folder is not None  # `steps` has looked
    model, tokenizer = artefact.load_model(folder)
    preset = artefact.read_finished(folder).settings
    return _Subject(
        preset=preset,
        model=model.float() if fp32 else model,
        tokenizer=tokenizer,
        shape=shape_of_checkpoint(folder / "model"),
        four_bit=False,
        prompts=_prompts(setting, preset, fp32),
    )


def _trained_folder(setting: Setting) -> Path | None:
    found = artefact.find_artefacts(setting.work, setting.scale.preset, dataset=setting.split.dataset)
    return found[0][0] if found else None


def _prompts(setting: Setting, preset: Preset, fp32: bool) -> list[str]:
    """Fewer in fp32, which takes longer and serves to compare texts only."""
    count = setting.scale.prompts
    return real_prompts(setting, preset, min(count, FP32_PROMPTS) if fp32 else count)


def _summary(setting: Setting, rows: Sequence[Row]) -> Path:
    size = setting.sizes[0]
    return write_table_record(
        setting, NAME, f"llama-{size}-generation-speed", f"LLaMA {size.upper()}: speed of generation", rows
    )


PART = Part(
    name=NAME, title="users/s from the published loop to ours, step by step", steps=steps, summary=_summary
)
