"""Prompts as token ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.errors import ConfigError
from bench.schema import Int32Array, Int64Array

_CHUNK = 1024


def encode(tokenizer: Any, prompts: Sequence[str], room: int) -> list[Int32Array]:
    """Tokenise and cut to the last `room` tokens; a leading start token stays at the front.

    Raises ConfigError for a prompt without tokens.
    """
    rows: list[Int32Array] = []
    for start in range(0, len(prompts), _CHUNK):
        chunk = list(prompts[start : start + _CHUNK])
        rows.extend(_cut(ids, room, tokenizer) for ids in tokenizer(chunk, verbose=False)["input_ids"])
    for number, ids in enumerate(rows):
        if not len(ids):
            raise ConfigError(f"prompt {number} has no tokens; every prompt needs at least one")
    return rows


def _cut(ids: list[int], room: int, tokenizer: Any) -> Int32Array:
    row = np.array(ids, dtype=np.int32)
    begin, end = tokenizer.bos_token_id, tokenizer.eos_token_id
    if len(row) and row[-1] == end != begin:
        row = row[:-1]  # a tokenizer that closes every text would have the model begin after the end
    if len(row) <= room:
        return row
    if row[0] == begin:
        return np.concatenate([row[:1], row[len(row) - room + 1 :]])
    return row[len(row) - room :]


def common_prefix(rows: Sequence[Int32Array]) -> int:
    """Count the leading tokens that all rows share, leaving each row at least one token of its own."""
    if len(rows) < 2:
        return 0
    shared = rows[0][: min(map(len, rows)) - 1]
    for row in rows:
        differs = np.flatnonzero(row[: len(shared)] != shared)
        if len(differs):
            shared = shared[: differs[0]]
    return len(shared)


def left_padded(rows: Sequence[Int32Array], filler: int) -> Int64Array:
    """(rows, longest) token ids, shorter rows filled on the left."""
    width = max(map(len, rows))
    table = np.full((len(rows), width), filler, dtype=np.int64)
    for place, row in zip(table, rows, strict=True):
        place[width - len(row) :] = row
    return table


def continuations(tokenizer: Any, texts: Sequence[str], prompt: str) -> list[list[int]]:
    """Tokenise each text as it stands after `prompt`, without an end token.

    Raises ConfigError where the tokenizer merges the prompt's end with the text's beginning, so that
    the text cannot be written after the prompt, and where a text contains the end token.
    """
    tail = prompt[prompt[:-1].rfind("\n") + 1 :]
    before: list[int] = tokenizer(tail, add_special_tokens=False)["input_ids"]
    rows: list[list[int]] = tokenizer([tail + text for text in texts], add_special_tokens=False)["input_ids"]
    for text, row in zip(texts, rows, strict=True):
        if row[: len(before)] != before:
            raise ConfigError(
                f"the tokenizer merges the end of the prompt with the text '{text[:60]}'; constrained "
                "generation needs a prompt that ends at a token's end, for example with a line break"
            )
        if tokenizer.eos_token_id in row[len(before) :]:
            raise ConfigError(f"the text '{text[:60]}' contains the tokenizer's end token; mend the title")
    return [row[len(before) :] for row in rows]
