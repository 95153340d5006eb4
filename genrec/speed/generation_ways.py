"""From the published loop to ours, one technique added at a time.

Same model, same prompts, and the same texts at every step: in fp32 that is counted exactly. In bf16,
sums come out a little differently in batches of another size, and a near tie between beams may then
fall the other way; so there the share of equal texts is a figure of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from genrec.config import GenerateSettings, Preset
from genrec.decoding.batches import token_budget
from genrec.decoding.techniques import USUAL, Techniques
from genrec.speed.bases import base_preset, random_base, real_prompts
from genrec.speed.cost_records import write_table_record
from genrec.speed.generation import OurWriter, Write, measure_generation, same_texts
from genrec.speed.published_loop import published_loop
from genrec.speed.setting import Setting
from genrec.weights.base_model import default_device, load_base_model
from genrec.weights.device_memory import release_device_memory
from genrec.weights.shapes import Shape
from genrec.weights.tokenizer import load_tokenizer

CASE = "test_generation_ways"

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


def measure_ways(setting: Setting, size: str) -> list[dict[str, Any]]:
    """Time every way on a random base of this size, compare their texts in fp32, and write the table."""
    rows: list[dict[str, Any]] = []
    subject = _random(setting, size, fp32=False)
    for way in WAYS:
        rows.append(_measure(setting, subject, way, {row["way"]: row["users_per_second"] for row in rows}))
    del subject
    release_device_memory()
    rows.append(_compare_texts(_random(setting, size, fp32=True)))
    title = f"LLaMA {size.upper()}: speed of generation"
    write_table_record(setting, CASE, f"llama-{size}-generation-speed", title, rows)
    return rows


def _measure(setting: Setting, subject: _Subject, way: str, rates: Mapping[str, float]) -> dict[str, Any]:
    write, prompts, settings = WAYS[way](subject), subject.prompts, subject.settings
    with _attention(way):
        made = measure_generation(setting, write, subject.tokenizer, prompts, settings)
    ours = isinstance(write, OurWriter)
    figures = made.row(setting, subject.shape, settings, four_bit=subject.four_bit, prompts_kept_once=ours)
    return {
        "way": way,
        "users_per_second": figures.pop("users_per_second"),
        **_speed_ups(way, {**rates, way: made.users_per_second}),
        **figures,
        "same_texts": same_texts(subject.our_texts, made.texts),
    }


def _speed_ups(way: str, rates: Mapping[str, float]) -> dict[str, float]:
    """How many times as fast as the way above and as the published loop."""
    names = list(WAYS)
    # what comes after the ladder is compared with the loop that is otherwise the same
    above = "+ done users leave" if way == PLAIN_ATTENTION else names[max(0, names.index(way) - 1)]
    return {
        "times_previous": round(rates[way] / rates[above], 2),
        "times_published": round(rates[way] / rates[PUBLISHED], 2),
    }


def _compare_texts(subject: _Subject) -> dict[str, Any]:
    """Whether every way writes what ours writes, where rounding cannot decide."""
    shares = {}
    for way, make in WAYS.items():
        with _attention(way):
            texts = make(subject)(subject.prompts, subject.settings)
        shares[way] = same_texts(subject.our_texts, texts)
    others = ", ".join(f"{way} ({share:.2%} the same)" for way, share in shares.items() if share < 1)
    row = {"way": f"all ways in fp32, {len(subject.prompts)} prompts", "same_texts": min(shares.values())}
    return {**row, "note": f"other texts by: {others}"} if others else row


def _attention(way: str) -> AbstractContextManager[Any]:
    from torch.nn.attention import SDPBackend, sdpa_kernel

    return sdpa_kernel(SDPBackend.MATH) if way == PLAIN_ATTENTION else nullcontext()


def _random(setting: Setting, size: str, *, fp32: bool) -> _Subject:
    """A random base; in fp32, which takes longer and serves to compare texts only, with fewer prompts."""
    preset, folder = base_preset(setting, size), random_base(setting, size)
    four_bit = preset.finetune.four_bit and not fp32
    model = load_base_model(folder, four_bit=four_bit, device=default_device())
    count = setting.scale.prompts
    return _Subject(
        preset=preset,
        model=(model.float() if fp32 else model).eval(),
        tokenizer=load_tokenizer(folder),
        shape=setting.scale.shapes[size],
        four_bit=four_bit,
        prompts=real_prompts(setting, preset, min(count, FP32_PROMPTS) if fp32 else count),
    )
