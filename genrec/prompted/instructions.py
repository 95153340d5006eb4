"""What a model is told that was not trained for this: one message, in the data set's own introduction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.schema import Histories, Wording

BULLET = "- "


def titles_wanted(
    history: Sequence[str],
    count: int,
    wording: Wording,
    examples: Sequence[tuple[Sequence[str], Sequence[str]]],
) -> str:
    """Ask for the `count` titles that come next; `examples` are others' histories and what came next."""
    shown = "".join(
        f"For example, after\n{_lines(before)}such a history went on with\n{_lines(after)}\n"
        for before, after in examples
    )
    return (
        f"{shown}{wording.introduction}\n{_lines(history)}\n"
        f"Write the titles of the {count} items that come next, most likely first: one title a line, and "
        "nothing else.\n"
    )


def order_wanted(history: Sequence[str], candidates: Sequence[str], wording: Wording) -> str:
    """Ask for an order of the candidates, which are numbered from 1 as they are given."""
    numbered = "".join(f"{number}. {text}\n" for number, text in enumerate(candidates, start=1))
    return (
        f"{wording.introduction}\n{_lines(history)}\n"
        f"One of these {len(candidates)} items comes next:\n{numbered}\n"
        f"Write the numbers of the items, most likely first, separated by commas, and nothing else.\n"
    )


def draw_examples(
    train: Histories, count: int, titles: int, rng: np.random.Generator
) -> list[tuple[list[int], list[int]]]:
    """Draw training histories of two items or more, each cut where its later half, or `titles`, came next."""
    usable = np.flatnonzero(train.lengths >= 2)
    chosen = rng.permutation(usable)[:count]
    cut = []
    for user in chosen.tolist():
        items = train[user].tolist()
        after = min(titles, len(items) // 2)
        cut.append((items[:-after], items[-after:]))
    return cut


def _lines(texts: Sequence[str]) -> str:
    return "".join(f"{BULLET}{text}\n" for text in texts)
