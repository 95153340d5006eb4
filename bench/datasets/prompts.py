"""Purchase histories as prompts: what a language model reads, and learns from.

A prompt is an instruction, the purchase history with one line an item (oldest first; see
`bench.retrieval.item_text`), and the heading under which the model writes the next item; a training
text is a prompt with that item's line. This module knows nothing of tokenizers or models.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from bench.retrieval.item_text import ItemFormat, instruction
from bench.schema import Examples, Histories, Wording

AS_PUBLISHED = Wording()


def prompts(
    histories: Histories,
    texts: Sequence[str],
    item_format: ItemFormat = "title",
    wording: Wording = AS_PUBLISHED,
) -> list[str]:
    """Give one prompt (`ptext`) a history; `texts` are the item lines of `item_texts`."""
    head = f"{instruction(wording, item_format)}\n### Purchase history:\n"
    return [f"{head}{lines}\n\n### Next item:\n" for lines in _joined(histories, texts)]


def example_texts(
    examples: Examples,
    texts: Sequence[str],
    item_format: ItemFormat = "title",
    wording: Wording = AS_PUBLISHED,
) -> list[str]:
    """Give one text an example: its prompt and its target's line. No end-of-sequence token."""
    asked = prompts(examples.histories, texts, item_format, wording)
    return [prompt + texts[target] for prompt, target in zip(asked, examples.targets.tolist(), strict=True)]


def training_texts(
    sequences: Histories,
    texts: Sequence[str],
    item_format: ItemFormat = "title",
    wording: Wording = AS_PUBLISHED,
) -> list[str]:
    """Give one text a training sequence, whose last item is the target of the items before it.

    Raises ValueError for an empty sequence, which has no target.
    """
    return example_texts(last_item_examples(sequences), texts, item_format, wording)


def last_item_examples(sequences: Histories) -> Examples:
    """Split each sequence into its last item, the target, and the items before it, the history."""
    lengths = sequences.lengths
    if len(lengths) and lengths.min() == 0:
        raise ValueError(f"training sequence {int(lengths.argmin())} is empty: it has no item to predict")
    last = sequences.indptr[1:] - 1
    return Examples(
        histories=Histories(
            indptr=sequences.indptr - np.arange(len(sequences.indptr)),
            items=np.delete(sequences.items, last),
            users=sequences.users,
        ),
        targets=sequences.items[last],
    )


def _joined(histories: Histories, texts: Sequence[str]) -> Iterator[str]:
    lines = [texts[item] for item in histories.items.tolist()]
    bounds = histories.indptr.tolist()
    return ("\n".join(lines[start:end]) for start, end in pairwise(bounds))
