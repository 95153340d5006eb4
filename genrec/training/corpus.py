"""The texts a model is fine-tuned on, made from training sequences and validation examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.arrays import cut
from bench.errors import DataError
from bench.schema import Examples, Histories, TrainingData
from genrec.config import Preset
from genrec.prompt_format import HEADING, item_texts, prompts


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Prompts and the lines that should follow them, one pair a training or validation text."""

    train_prompts: Sequence[str]
    train_targets: Sequence[str]
    validation_prompts: Sequence[str]
    validation_targets: Sequence[str]


def build_corpus(data: TrainingData, preset: Preset) -> Corpus:
    """Make the preset's `train_windows` texts a sequence, and those of validation."""
    texts = item_texts(data.catalogue, preset)
    windows, every_line = preset.finetune.train_windows, preset.finetune.loss_on == "lines"
    if every_line:
        assert preset.history_items is not None  # Preset: `lines` needs it
        chunks = line_chunks(data.train, preset.history_items + 1, windows)
        asked = [HEADING] * len(chunks)
        answers = ["\n".join(texts[item] for item in items.tolist()) for items in chunks]
    else:
        train = training_examples(data.train, windows)
        asked = prompts(train.histories, texts, preset, data.catalogue.wording)
        answers = [texts[item] for item in train.targets.tolist()]
    for what, found in (("training sequence of two items", asked), ("validation user", data.validation)):
        if not len(found):
            raise DataError(f"data set '{data.dataset}' has no {what}, so nothing can be fine-tuned")
    return Corpus(
        train_prompts=asked,
        train_targets=answers,
        validation_prompts=prompts(data.validation.histories, texts, preset, data.catalogue.wording),
        validation_targets=[texts[item] for item in data.validation.targets.tolist()],
    )


def line_chunks(sequences: Histories, size: int, windows: int) -> Histories:
    """Cut each sequence, from its end, into at most `windows` chunks of `size` items, the last one shorter.

    Sequences of one item, from which nothing follows, are left out.
    """
    lengths = sequences.lengths
    rows, starts, ends = [], [], []
    for window in range(windows):
        chosen = np.flatnonzero((lengths >= 2) & (lengths > window * size))
        if not len(chosen):
            break
        end = sequences.indptr[chosen + 1] - window * size
        rows.append(chosen)
        ends.append(end)
        starts.append(np.maximum(end - size, sequences.indptr[chosen]))
    if not rows:
        return Histories.from_lists([])
    row, start, end = (np.concatenate(parts) for parts in (rows, starts, ends))
    indptr, source = cut(start, end - start)
    return Histories(indptr=indptr, items=sequences.items[source], users=sequences.users[row])


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
    indptr, source = cut(sequences.indptr[row], end - 1 - sequences.indptr[row])
    return Examples(
        histories=Histories(indptr=indptr, items=sequences.items[source], users=sequences.users[row]),
        targets=sequences.items[end - 1],
    )
