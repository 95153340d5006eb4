"""Operations and bytes of a model's work, for MFU and for shares of what the card can do."""

from __future__ import annotations

from dataclasses import dataclass

from genrec.config import FinetuneSettings, GenerateSettings
from genrec.forecast.estimate import finetune_flops_per_token
from genrec.forecast.gpus import GPUS, Gpu
from genrec.forecast.memory import kv_bytes, weight_bytes
from genrec.weights.shapes import Shape


def data_sheet(card: str) -> Gpu | None:
    """Data sheet of a card as the driver names it, e.g. 'NVIDIA H200'; None for an unknown one."""
    words = card.lower().replace("-", " ").split()
    known = (gpu for name, gpu in GPUS.items() if set(name.replace("-", " ").split()) <= set(words))
    return next(known, None)


def model_flops_per_token(shape: Shape, settings: FinetuneSettings, *, context: float) -> float:
    """Operations of one token in training that the model needs: nothing that is computed twice.

    What MFU counts (Chowdhery et al., PaLM, arXiv 2204.02311, appendix B). Frozen weights have no
    gradient of their own.
    """
    once = settings.model_copy(update={"gradient_checkpointing": False})
    head_again = 2.0 * shape.vocab_size * shape.hidden_size
    return finetune_flops_per_token(shape, once, context=context) - head_again


def share(part: float, whole: float | None) -> float | None:
    """`part / whole`, null where the whole is not known."""
    return round(part / whole, 4) if whole else None


@dataclass(frozen=True, kw_only=True)
class GenerationWork:
    """What a way to generate has to do at the least; the base of its rates."""

    prefill_flops: float
    decode_flops: float
    decode_bytes: float


def generation_work(
    shape: Shape,
    generation: GenerateSettings,
    *,
    four_bit: bool,
    prompt_tokens: int,
    users: int,
    batches: int,
    steps: float,
    prompts_kept_once: bool,
) -> GenerationWork:
    """Least work of beam search over `users` prompts in `batches` batches of `steps` decoding steps.

    Prefill: 2 operations a weight and token, each prompt once. A decoding step reads all weights once
    a batch and the keys and values of each user's prompt (once, or once a beam) and of each beam.
    """
    beams = generation.continuations
    per_token = 2.0 * (shape.block_parameters + shape.vocab_size * shape.hidden_size)
    copies = 1 if prompts_kept_once else beams
    positions = prompt_tokens * copies + users * beams * steps / 2
    return GenerationWork(
        prefill_flops=2.0 * shape.block_parameters * prompt_tokens,
        decode_flops=users * beams * steps * per_token,
        decode_bytes=steps * (batches * weight_bytes(shape, four_bit=four_bit) + positions * kv_bytes(shape)),
    )
