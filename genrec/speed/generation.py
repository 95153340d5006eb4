"""One way to generate, measured: users/s, and its rates in reading prompts and in decoding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.cost.meter import Meter
from bench.progress import also_listening
from genrec.config import GenerateSettings
from genrec.decoding.techniques import USUAL, Techniques
from genrec.generation.generator import TextGenerator
from genrec.speed.ceilings import measured_ceilings
from genrec.speed.finetuning import vram_columns
from genrec.speed.rates import generation_work, share
from genrec.speed.setting import Setting
from genrec.speed.timing import median_seconds
from genrec.weights.device_memory import release_device_memory
from genrec.weights.shapes import Shape

Write = Callable[[Sequence[str], GenerateSettings], list[list[str]]]
"""(prompts, settings) -> the texts of each prompt."""


class OurWriter:
    """Our own generation as a way to write; nothing is kept between calls but the loaded model."""

    def __init__(self, model: Any, tokenizer: Any, *, seed: int, techniques: Techniques = USUAL) -> None:
        self._model, self._tokenizer, self._seed, self._techniques = model, tokenizer, seed, techniques

    def __call__(self, prompts: Sequence[str], settings: GenerateSettings) -> list[list[str]]:
        """Write the texts of each prompt."""
        writer = TextGenerator.own(
            self._model, self._tokenizer, settings, seed=self._seed, techniques=self._techniques
        )
        made = writer.generate(prompts)
        return [list(made.texts[a:b]) for a, b in zip(made.indptr, made.indptr[1:], strict=False)]


BATCH_REPORTS = frozenset({"generate", "published loop"})
"""Progress that a way to generate reports once a batch."""


@dataclass(frozen=True, kw_only=True)
class GenerationSpeed:
    """What a timed generation showed."""

    users: int
    seconds: float
    """Median of the timed repeats."""
    prefill_seconds: float
    """Median with one new token: prompts read, nothing more."""
    written_tokens: int
    """Tokens of the texts returned; of beams given up, none."""
    steps: float
    """Decoding steps of a user in the mean: tokens of its longest text."""
    prompt_tokens: int
    batches: int
    texts: list[list[str]]
    meter: Meter

    @property
    def users_per_second(self) -> float:
        """Users / median seconds."""
        return self.users / self.seconds

    def row(
        self,
        setting: Setting,
        shape: Shape,
        settings: GenerateSettings,
        *,
        four_bit: bool,
        prompts_kept_once: bool,
    ) -> dict[str, Any]:
        """Figures for a table. Rates are of the least work there is, so that waste lowers them."""
        work = generation_work(
            shape,
            settings,
            four_bit=four_bit,
            prompt_tokens=self.prompt_tokens,
            users=self.users,
            batches=self.batches,
            steps=self.steps,
            prompts_kept_once=prompts_kept_once,
        )
        # noise can make one new token look slower than all of them
        decode_seconds = max(self.seconds - self.prefill_seconds, 0.0)
        ceilings = measured_ceilings(setting.scale)
        prefill_rate = work.prefill_flops / self.prefill_seconds
        byte_rate = work.decode_bytes / decode_seconds if decode_seconds else None
        flop_rate = work.decode_flops / decode_seconds if decode_seconds else None
        return {
            "users_per_second": round(self.users_per_second, 3),
            "tokens_per_second": round(self.written_tokens / self.seconds, 1),
            "prefill_seconds": round(self.prefill_seconds, 4),
            "decode_seconds": round(decode_seconds, 4),
            "batches": self.batches,
            "decode_bytes_per_second": byte_rate and round(byte_rate),
            "decode_flops_per_second": flop_rate and round(flop_rate),
            "prefill_flops_per_second": round(prefill_rate),
            "prefill_flops_share": share(prefill_rate, ceilings["matmul_flops_per_second"]),
            "decode_bytes_share": byte_rate and share(byte_rate, ceilings["copy_bytes_per_second"]),
            "decode_flops_share": flop_rate and share(flop_rate, ceilings["matmul_flops_per_second"]),
            **vram_columns(self.meter.peak_vram_bytes),
        }


def measure_generation(
    setting: Setting, write: Write, tokenizer: Any, prompts: Sequence[str], settings: GenerateSettings
) -> GenerationSpeed:
    """Time `write` on the prompts, whole and with one new token, after a warm-up of each."""
    one_token = settings.model_copy(update={"max_new_tokens": 1})
    release_device_memory()
    batches = 0

    def count(what: str, done: int, total: int, note: str) -> None:
        nonlocal batches
        batches += what in BATCH_REPORTS and done > 0

    with Meter() as meter, meter.stage("generate_sample", energy=True):
        with also_listening(count):
            texts = write(prompts, settings)  # warms up, too
        repeats = setting.scale.repeats
        seconds = median_seconds(lambda: write(prompts, settings), repeats=repeats, warmups=0)
        prefill_seconds = median_seconds(lambda: write(prompts, one_token), repeats=repeats, warmups=1)
    limit = settings.max_seq_length - settings.max_new_tokens
    prompt_ids = tokenizer(list(prompts), verbose=False)["input_ids"]
    tokens = _text_tokens(tokenizer, texts, settings.max_new_tokens)
    return GenerationSpeed(
        users=len(prompts),
        seconds=seconds,
        prefill_seconds=prefill_seconds,
        written_tokens=int(sum(sum(counts) for counts in tokens)),
        steps=float(np.mean([max(counts) for counts in tokens])),
        prompt_tokens=sum(min(len(ids), limit) for ids in prompt_ids),
        batches=batches,
        texts=texts,
        meter=meter,
    )


def same_texts(one: Sequence[Sequence[str]], other: Sequence[Sequence[str]]) -> float:
    """Share of texts that both ways wrote for the same user, whatever their order."""
    common = sum(len(set(a) & set(b)) for a, b in zip(one, other, strict=True))
    return round(common / sum(len(set(a)) for a in one), 4)


def _text_tokens(tokenizer: Any, texts: Sequence[Sequence[str]], limit: int) -> list[list[int]]:
    """Tokens of each text with its end token, counted again from the text: the same for every way."""
    return [
        [min(limit, len(ids) + 1) for ids in tokenizer(list(user), add_special_tokens=False)["input_ids"]]
        for user in texts
    ]
