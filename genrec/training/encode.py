"""Training texts as token ids: end-of-text appended, cut on the left, with the tokens that carry loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bench.schema import Int32Array, Int64Array

IGNORE = -100
"""Stands where nothing is to be predicted."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TokenSequences:
    """Token ids of many texts as CSR, and where in each text the loss begins."""

    ids: Int32Array
    indptr: Int64Array
    loss_from: Int32Array
    """(texts,) position of the first token that is predicted with loss; never 0."""
    cut: int
    """Texts that were longer than the limit and lost tokens on the left."""
    answers: Int32Array | None = None
    """What the position before each token is to predict, or IGNORE; None: the tokens themselves."""

    def __len__(self) -> int:
        return len(self.loss_from)

    def __getitem__(self, row: int) -> Int32Array:
        return self.ids[self.indptr[row] : self.indptr[row + 1]]

    @property
    def lengths(self) -> Int64Array:
        """Tokens in each text."""
        return np.diff(self.indptr)

    @property
    def loss_tokens(self) -> Int64Array:
        """(texts,) predicted tokens that carry loss."""
        if self.answers is None:
            return self.lengths - self.loss_from
        place = np.arange(len(self.ids)) - np.repeat(self.indptr[:-1], self.lengths)
        counted = (place >= np.repeat(self.loss_from, self.lengths)) & (self.answers != IGNORE)
        owners = np.repeat(np.arange(len(self)), self.lengths)
        return np.bincount(owners[counted], minlength=len(self))

    def answers_of(self, row: int) -> Int32Array:
        """What is to be predicted of one text, token by token; those before `loss_from` do not count."""
        wanted = self.ids if self.answers is None else self.answers
        return wanted[self.indptr[row] : self.indptr[row + 1]]


def encode(
    tokenizer: Any,
    prompts: Sequence[str],
    targets: Sequence[str],
    *,
    max_length: int,
    loss_on: Literal["text", "target", "lines"] = "text",
) -> TokenSequences:
    r"""Tokenize prompt + target + EOS, keeping the last `max_length` tokens (and the BOS, if there is one).

    The text is tokenized as a whole, as it is read at generation; with `loss_on='target'` the loss
    starts at the first token that reaches into the target. With `lines` it starts there too, and at the
    end of each of the target's lines the end of the text is to be predicted, as if that line were the
    last; a token in which a line's end is merged with the line (some tokenizers have one for ".\n")
    carries no loss.
    """
    encoded = tokenizer(
        [prompt + target for prompt, target in zip(prompts, targets, strict=True)],
        add_special_tokens=True,
        return_offsets_mapping=loss_on != "text",
        return_attention_mask=False,
        verbose=False,
    )
    eos, bos = tokenizer.eos_token_id, tokenizer.bos_token_id
    rows: list[NDArray[np.int32]] = []
    starts: list[int] = []
    answers: list[NDArray[np.int32]] = []
    cut = 0
    for row, ids in enumerate(encoded["input_ids"]):
        tokens = np.asarray(ids if ids and ids[-1] == eos else [*ids, eos], dtype=np.int32)
        start = 1 if loss_on == "text" else _target_start(encoded["offset_mapping"][row], len(prompts[row]))
        if loss_on == "lines":
            text = prompts[row] + targets[row]
            answers.append(_line_answers(tokens, encoded["offset_mapping"][row], text, eos)[-max_length:])
        excess = len(tokens) - max_length
        if excess > 0:
            keep = 1 if tokens[0] == bos else 0
            tokens = np.concatenate([tokens[:keep], tokens[keep + excess :]])
            start = start - excess if loss_on != "text" else start
            cut += 1
        rows.append(tokens)
        starts.append(max(start, 1))
    indptr = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum([len(tokens) for tokens in rows], out=indptr[1:])
    ids = np.concatenate(rows) if rows else np.empty(0, dtype=np.int32)
    return TokenSequences(
        ids=ids,
        indptr=indptr,
        loss_from=np.asarray(starts, dtype=np.int32),
        cut=cut,
        answers=np.concatenate(answers) if answers else None,
    )


def _line_answers(
    tokens: NDArray[np.int32], offsets: Sequence[tuple[int, int]], text: str, eos: int
) -> NDArray[np.int32]:
    """Give the tokens themselves, the end token in place of a line break, IGNORE where one is merged."""
    answers = tokens.copy()
    for place, (start, end) in enumerate(offsets):
        written = text[start:end]
        if "\n" in written:
            answers[place] = eos if written == "\n" else IGNORE
    return answers


def _target_start(offsets: Sequence[tuple[int, int]], prompt_length: int) -> int:
    ends = np.fromiter((end for _, end in offsets), dtype=np.int64, count=len(offsets))
    reached = np.flatnonzero(ends > prompt_length)
    return int(reached[0]) if len(reached) else len(offsets)
