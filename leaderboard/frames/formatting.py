"""Numbers as people read them: as many digits as an interval justifies, with units, '–' for unknown."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from bench.labels import p_value_text

MISSING = "–"
_FEWEST, _MOST = 2, 6
_DIRECTIONS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Characters without a shape of their own that turn the direction of the text after them."""


def decimals_for(half_widths: Iterable[float]) -> int:
    """Give the decimals at which the widest interval still shows two digits of its half-width.

    >>> decimals_for([0.0027, 0.0025, 0.0021])
    4
    >>> decimals_for([0.013])
    3
    """
    known = [width for width in half_widths if width > 0 and math.isfinite(width)]
    if not known:
        return 4
    return min(max(1 - math.floor(math.log10(max(known))), _FEWEST), _MOST)


def without_directions(text: str) -> str:
    """Drop the characters that turn the direction of what follows; the letters of each script stay."""
    return _DIRECTIONS.sub("", text)


def plain(text: str) -> str:
    """Give text from outside on one line and without characters that turn the direction."""
    return " ".join(without_directions(text).split())


def figure(value: float) -> str:
    """Show a number of unknown size: large ones whole, others with four digits that say something.

    >>> [figure(x) for x in (14350.4, 0.9934, 0.00001234, 3.0)]
    ['14,350', '0.9934', '0.00001234', '3']
    """
    if value and not 1e-6 <= abs(value) < 1e15:
        return f"{value:.2e}"
    if float(value).is_integer() or abs(value) >= 1000:
        return f"{value:,.0f}"
    digits = 3 - math.floor(math.log10(abs(value)))
    return f"{value:.{digits}f}".rstrip("0").rstrip(".")


def number(value: float | None, decimals: int) -> str:
    """Show a value with fixed decimals."""
    return MISSING if _unknown(value) else f"{value:.{decimals}f}"


def span(low: float | None, high: float | None, decimals: int) -> str:
    """Show an interval, such as '0.0468–0.0523'."""
    if _unknown(low) or _unknown(high):
        return ""
    return f"{low:.{decimals}f}–{high:.{decimals}f}"


def signed(value: float | None, decimals: int) -> str:
    """Show a difference with its sign; the minus is the typographic one."""
    if _unknown(value):
        return MISSING
    text = f"{value:+.{decimals}f}"
    return text.replace("-", "−") if float(text) else text[1:]


def percent(value: float | None) -> str:
    """Show a relative change in whole percent, or in times from +900 % on."""
    if value is None or _unknown(value):
        return MISSING
    if value >= 9:
        return f"×{value + 1:.0f}"
    return f"{value * 100:+.0f} %".replace("-", "−")


def seconds(value: float | None) -> str:
    """Show a duration in the unit that fits it.

    >>> [seconds(x) for x in (0.0042, 0.42, 12.3, 754, 12600)]
    ['4.2 ms', '0.42 s', '12.3 s', '12 min 34 s', '3.5 h']
    """
    if value is None or _unknown(value):
        return MISSING
    if value < 0.1:
        return f"{value * 1000:.1f} ms"
    if value < 10:
        return f"{value:.2f} s"
    if value < 60:
        return f"{value:.1f} s"
    if value < 3600:
        minutes, rest = divmod(round(value), 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours = value / 3600
    if hours >= 1e6:
        return f"{hours:.1e} h"
    return f"{hours:,.0f} h" if hours >= 100 else f"{hours:.1f} h"


def size(value: float | None) -> str:
    """Show bytes in MB or GB (powers of ten)."""
    if value is None or _unknown(value):
        return MISSING
    return f"{value / 1e9:.1f} GB" if value >= 1e9 else f"{value / 1e6:.0f} MB"


def count(value: float | None) -> str:
    """Show a count or a rate with thousands separators and at most three digits behind a small one."""
    if value is None or _unknown(value):
        return MISSING
    if value >= 100 or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.3g}"


def amount(value: float | None) -> str:
    """Show an amount of money, of no currency, with the digits that say something."""
    return MISSING if value is None or _unknown(value) else figure(value)


def energy(value: float | None) -> str:
    """Show joules in watt-hours or kilowatt-hours."""
    if value is None or _unknown(value):
        return MISSING
    hours = value / 3600
    return f"{hours / 1000:.2f} kWh" if hours >= 1000 else f"{hours:.3g} Wh"


def p_value(value: float | None) -> str:
    """Show a p-value with three decimals; a smaller one as '< 0.001'."""
    if value is None or _unknown(value):
        return MISSING
    return p_value_text(value)


def _unknown(value: float | None) -> bool:
    return value is None or not math.isfinite(value)
