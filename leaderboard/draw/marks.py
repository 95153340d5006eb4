"""The marks of a chart: a shape and a colour a kind of model, filled where a row was run, else hollow."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

_SHAPES = {
    "generative": '<rect x="-5" y="-5" width="10" height="10"/>',
    "sequential": '<rect x="-5" y="-5" width="10" height="10" transform="rotate(45)"/>',
    "untrained": '<path d="M0 7L6.5 -5H-6.5Z"/>',
    "hybrid": '<path d="M0 -7L6.5 5H-6.5Z"/>',
}
_ROUND = '<circle r="5.5"/>'


def mark(kind: str, x: float, y: float, *, hollow: bool = False, scale: float = 1.0) -> str:
    """Draw a model's mark with its centre at x, y."""
    style = f"mark {'hollow ' if hollow else ''}kind-{escape(kind)}"
    size = f" scale({scale:g})" if scale != 1 else ""
    shape = _SHAPES.get(kind, _ROUND)
    return f'<g class="{style}" transform="translate({x:.1f} {y:.1f}){size}">{shape}</g>'


def legend(kinds: Iterable[str], *notes: str) -> str:
    """Explain the marks; `notes` are further entries, as HTML."""
    dots = (f'<span><i class="dot kind-{escape(kind)}"></i>{escape(kind)}</span>' for kind in kinds)
    return f'<div class="legend">{"".join(dots)}{"".join(notes)}</div>'
