"""Small language models made in memory, and the plain Hugging Face loop that ours must agree with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

TITLES = [
    "Rose Water Toner 8oz",
    "Rose Water Toner",
    "Rose Soap, pack of 3",
    "Mint Soap",
    "Mint Soap Bar & Dish",
    "Oak Comb",
    "Oak Brush",
    "Sea Salt Scrub 12 oz.",
    "Crème de la Nuit",
    "Red Lipstick #4",
    "Red Lipstick #40",
    "Nail File",
]
TEXTS = [f"Title: {title}" for title in TITLES]


def tokenizer(texts: Sequence[str] = TEXTS, vocab_size: int = 320) -> Any:
    """Byte-level BPE with a start, an end and a padding token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=["<s>", "</s>", "<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator(texts, trainer)
    raw.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(
        tokenizer_object=raw, bos_token="<s>", eos_token="</s>", pad_token="<pad>", padding_side="left"
    )


def llama(
    vocab_size: int,
    *,
    seed: int = 0,
    kv_heads: int = 2,
    end_bias: float = 0.0,
    spread: float = 0.3,
    **sizes: int,
) -> Any:
    """A LLaMA with random weights in fp32; `end_bias` makes it end its texts earlier."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        **sizes,
    }
    config = LlamaConfig(
        vocab_size=vocab_size,
        num_key_value_heads=kv_heads,
        max_position_embeddings=256,
        initializer_range=0.3,
        tie_word_embeddings=False,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
        **{**shape, **sizes},
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config).eval()
    if end_bias:
        model.lm_head.bias = torch.nn.Parameter(torch.zeros(vocab_size), requires_grad=False)
        model.lm_head.bias[1] = end_bias
    return model


def prompts(count: int, *, seed: int = 0, longest: int = 6) -> list[str]:
    """Histories of one to `longest` items behind one instruction."""
    rng = np.random.default_rng(seed)
    histories = [rng.integers(0, len(TEXTS), rng.integers(1, longest + 1)) for _ in range(count)]
    return [prompt([TEXTS[item] for item in history]) for history in histories]


def prompt(lines: Sequence[str]) -> str:
    """One prompt from the lines of its items."""
    history = "\n".join(lines)
    return f"Predict the next item.\n\n### Purchase history:\n{history}\n\n### Next item:\n"


def plain_beam_search(
    model: Any,
    tok: Any,
    texts: Sequence[str],
    *,
    beams: int,
    new_tokens: int,
    **settings: Any,
) -> list[list[tuple[str, float]]]:
    """Hugging Face's own beam search, four prompts at a time in the given order: texts and scores."""
    import torch

    out = []
    for start in range(0, len(texts), 4):
        inputs = tok(
            list(texts[start : start + 4]), return_tensors="pt", padding=True, return_token_type_ids=False
        )
        with torch.inference_mode():
            made = model.generate(
                **inputs,
                num_beams=beams,
                num_return_sequences=beams,
                max_new_tokens=new_tokens,
                do_sample=False,
                return_dict_in_generate=True,
                output_scores=True,
                **settings,
            )
        written = tok.batch_decode(
            made.sequences[:, inputs["input_ids"].shape[1] :],
            skip_special_tokens=True,
            clean_up_tokenization_spaces=False,
        )
        pairs = list(zip(written, made.sequences_scores.tolist(), strict=True))
        out.extend(pairs[i : i + beams] for i in range(0, len(pairs), beams))
    return out
