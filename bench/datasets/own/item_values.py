"""Cells of a table of items -> text, names, price."""

from __future__ import annotations

import numpy as np


def as_text(value: object) -> str | None:
    """Give a cell as one line of text, None where it holds nothing."""
    if value is None or value != value:  # NaN
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, list | tuple):
        value = ", ".join(text for text in map(as_text, value) if text)
    return " ".join(str(value).encode("utf-8", "replace").decode().split()) or None


def as_names(value: object) -> tuple[str, ...]:
    """Give a cell of categories: a list, nested lists, or a text with '|', ';' or ',' between names."""
    if value is None or value != value:
        return ()
    if isinstance(value, list | tuple):
        parts = [
            name
            for entry in value
            for name in (as_names(entry) if isinstance(entry, list) else [as_text(entry)])
        ]
    else:
        text = str(value)
        separator = next((sign for sign in "|;," if sign in text), "|")
        parts = [as_text(part) for part in text.split(separator)]
    return tuple(dict.fromkeys(part for part in parts if part))


def as_price(value: object) -> float | None:
    """Give a price as a number, a currency sign before it left out; None where it is none."""
    if isinstance(value, str):
        value = value.strip().lstrip("$€£").replace(",", "")
    try:
        price = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return price if np.isfinite(price) else None
