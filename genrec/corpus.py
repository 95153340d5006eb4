"""The texts a model is fine-tuned on, made from training sequences and validation examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.errors import DataError
from bench.schema import Examples, Histories, TrainingData
from genrec.config import ItemFormat
from genrec.serialize import item_texts, prompts


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Prompts and the lines that should follow them, one pair a training or validation text."""

    train_prompts: Sequence[str]
    train_targets: Sequence[str]
    validation_prompts: Sequence[str]
    validation_targets: Sequence[str]


def build_corpus(data: TrainingData, item_format: ItemFormat, train_windows: int) -> Corpus:
    """Make `train_windows` texts a sequence, each ending one item earlier, and those of validation."""
    texts = item_texts(data.catalogue, item_format)
    train = training_examples(data.train, train_windows)
    for what, examples in (("training sequence of two items", train), ("validation user", data.validation)):
        if not len(examples):
            raise DataError(f"data set '{data.dataset}' has no {what}, so nothing can be fine-tuned")
    return Corpus(
        train_prompts=prompts(train.histories, texts, item_format),
        train_targets=[texts[item] for item in train.targets.tolist()],
        validation_prompts=prompts(data.validation.histories, texts, item_format),
        validation_targets=[texts[item] for item in data.validation.targets.tolist()],
    )


def training_examples(sequences: Histories, windows: int) -> Examples:
    """Cut `windows` examples from each sequence: its last item as target, then the one before, ...

    A window needs a target and at least one item before it.
    """
    lengths = sequences.lengths
    rows, ends = [], []
    for window in range(windows):
        chosen = np.flatnonzero(lengths - window >= 2)
        rows.append(chosen)
        ends.append(sequences.indptr[chosen + 1] - window)
    row, end = np.concatenate(rows), np.concatenate(ends)
    history_lengths = end - 1 - sequences.indptr[row]
    indptr = np.zeros(len(row) + 1, dtype=np.int64)
    np.cumsum(history_lengths, out=indptr[1:])
    source = np.repeat(sequences.indptr[row] - indptr[:-1], history_lengths) + np.arange(indptr[-1])
    return Examples(
        histories=Histories(indptr=indptr, items=sequences.items[source], users=sequences.users[row]),
        targets=sequences.items[end - 1],
    )
