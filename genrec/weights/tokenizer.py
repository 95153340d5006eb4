"""Tokenizers: a byte-level BPE trained on the texts at hand, or the one that comes with a base model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.errors import ConfigError

BOS, EOS, PAD = "<|begin_of_text|>", "<|end_of_text|>", "<|pad|>"


def train_tokenizer(texts: Sequence[str], vocab_size: int, fixed: Sequence[str] = ()) -> Any:
    """Train a byte-level BPE of at most `vocab_size` tokens; any string can be encoded and decoded.

    `fixed` are strings that every text repeats (the instruction, the headings); each becomes one
    token, so that a small model spends its context on titles. Deterministic for the same texts.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(fixed),
        special_tokens=[BOS, EOS, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in fixed])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", special_tokens=[(BOS, tokenizer.token_to_id(BOS))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        clean_up_tokenization_spaces=False,
    )


def chat_prompts(tokenizer: Any, messages: Sequence[str]) -> list[str]:
    """Put each message of a user into the model's chat template, up to where its answer begins.

    Raises ConfigError where the tokenizer has none.
    """
    if tokenizer.chat_template is None:
        raise ConfigError("the tokenizer has no chat template: the model takes no messages; set chat: false")
    turns = [[{"role": "user", "content": message}] for message in messages]
    texts = [
        tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True) for turn in turns
    ]
    start = tokenizer.bos_token
    if start and texts and tokenizer("x")["input_ids"][0] == tokenizer.bos_token_id:
        return [text.removeprefix(start) for text in texts]  # it is put in front again
    return texts


def load_tokenizer(
    location: str | Path, *, revision: str | None = None, local_files_only: bool = True
) -> Any:
    """Load a tokenizer from a folder or the local hub cache, ready for training and generation.

    Raises ConfigError where there is none, it cannot give offsets, or it has no end-of-text token
    (generation would never stop). A missing padding token is replaced by the end-of-text token:
    padding is masked by length, so it cannot be mistaken for an end.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(
            location, revision=revision, local_files_only=local_files_only
        )
    except (OSError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise ConfigError(f"'{location}' has no tokenizer that can be loaded: {first}") from None
    if tokenizer.eos_token_id is None:
        raise ConfigError(
            f"the tokenizer of '{location}' has no end-of-text (EOS) token, so generation would never stop; "
            "set `eos_token` in its tokenizer_config.json"
        )
    if not tokenizer.is_fast:
        raise ConfigError(
            f"the tokenizer of '{location}' has no tokenizer.json; convert it to a fast tokenizer"
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer
