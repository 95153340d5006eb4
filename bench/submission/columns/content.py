"""What the values of one column look like: ids of users or items, lists of them, numbers."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

from bench.submission.columns.list_cells import PADDING, BadEntry, explode, looks_like_list, numbers
from bench.submission.reading.table import Known


class Content:
    """What the sample of one column looks like."""

    def __init__(self, values: Sequence[object], known: Known) -> None:
        filled = [value for value in values if value is not None and value != ""]
        self.filled = len(filled)
        self.is_mapping = bool(filled) and all(isinstance(value, Mapping) for value in filled)
        self.is_number = 2 * sum(map(_is_number, filled)) > len(filled)
        self.is_user = _mostly(filled, known.users)
        self.is_item = _mostly(filled, known.items)
        exploded = [] if self.is_item else _exploded(filled)
        self.lists = [items for items, _ in exploded]
        self.has_scores = any(scores for _, scores in exploded)
        flat = [item for one in self.lists for item in one if str(item) not in PADDING]
        self.holds_items = bool(flat) and 2 * sum(id_text(item) in known.items for item in flat) > len(flat)
        self.number_lists = _number_lists(filled)


def id_text(value: object) -> str:
    """Give an id as text; whole numbers that were written as fractions lose the fraction."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value).strip()
    return text[:-2] if text.endswith(".0") and text[:-2].isdigit() else text


def _mostly(values: Sequence[object], ids: Container[str]) -> bool:
    scalars = [value for value in values if isinstance(value, str | int | float)]
    return bool(scalars) and 2 * sum(id_text(one) in ids for one in scalars) > len(values)


def _is_number(value: object) -> bool:
    try:
        return not isinstance(value, bool) and float(value) is not None  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return False


def _exploded(values: Sequence[object]) -> list[tuple[list[object], list[float] | None]]:
    found = []
    for value in values:
        if looks_like_list(value):
            try:
                found.append(explode(value)[:2])
            except BadEntry:
                continue
    return found


def _number_lists(values: Sequence[object]) -> list[list[float]] | None:
    """Give lists of numbers; None where the column holds something else."""
    if not any(looks_like_list(value) and not isinstance(value, dict) for value in values):
        return None
    try:
        return [numbers(value) for value in values]
    except BadEntry:
        return None
