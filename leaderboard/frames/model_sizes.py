"""How large a model is: what its record states, or what the name of its base says."""

from __future__ import annotations

import math
import re

from bench.record import Record
from leaderboard.frames.formatting import MISSING

_UNITS = {"M": 1e6, "B": 1e9}
_IN_NAME = re.compile(r"(?<![A-Za-z0-9.])(\d{1,4}(?:\.\d+)?) ?([MB])(?![A-Za-z0-9])", re.IGNORECASE)


def model_size(record: Record) -> float:
    """Give the number of parameters that a model states or that its base's name says, or NaN."""
    for source in (record.model.parameters, record.details, record.card):
        for key in ("total_parameters", "parameters"):
            value = source.get(key)
            if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e15:
                return float(value)
    base = record.card.get("base_model") or record.model.parameters.get("base_model")
    return size_in_name(base) if isinstance(base, str) else math.nan


def size_in_name(name: str) -> float:
    """Give the number of parameters that a name says, or NaN.

    >>> size_in_name("meta-llama/Llama-3.1-8B"), size_in_name("SmolLM2 135M, LoRA")
    (8000000000.0, 135000000.0)
    """
    found = _IN_NAME.search(name)
    return float(found[1]) * _UNITS[found[2].upper()] if found else math.nan


def size_text(parameters: float) -> str:
    """Show a number of parameters with its unit.

    >>> [size_text(x) for x in (237_888, 2.4e6, 135e6, 1.24e9, 8.03e9)]
    ['0.24 M', '2.4 M', '135 M', '1.2 B', '8 B']
    """
    if not parameters > 0:
        return MISSING
    unit, scale = ("B", 1e9) if parameters >= 999.5e6 else ("M", 1e6)
    amount = parameters / scale
    if amount >= 10:
        return f"{amount:,.0f} {unit}"
    digits = f"{amount:.2f}" if amount < 1 else f"{amount:.1f}".removesuffix(".0")
    return f"{digits} {unit}"
