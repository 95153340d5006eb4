"""Texts that a language model wrote, as the list rules read them."""

from __future__ import annotations

from dataclasses import dataclass

from bench.schema import BoolArray, FloatArray, Int32Array, Int64Array


@dataclass(frozen=True, kw_only=True, eq=False)
class GeneratedTexts:
    """The texts of each prompt as CSR, best log-likelihood first within a prompt."""

    indptr: Int64Array
    texts: tuple[str, ...]
    log_likelihoods: FloatArray
    """(texts,) the model's own, natural log, summed over the generated tokens with the end token."""
    tokens: Int32Array
    """(texts,) generated tokens, the end token included."""
    truncated: BoolArray
    """(texts,) whether the text was cut at max_new_tokens."""
    seconds: float
    """Time that writing these texts took, earlier runs included."""
    carried_seconds: float
    """The part of `seconds` that an earlier run spent: its texts were found in the store."""
    commit: str = ""
    """Of the harness that began to write the stored texts; empty where nothing is stored."""

    def __len__(self) -> int:
        return len(self.indptr) - 1
