"""Whether two engines write the same on the same weights: asked before a long run, kept in its record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import ModelError
from bench.files.atomic import replace_text
from bench.retrieval.generated import GeneratedTexts

TEXTS = 5
"""Beams of both engines, and texts compared."""


def overlap(ours: GeneratedTexts, theirs: GeneratedTexts) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(prompts,) share of our texts of each prompt that the other engine wrote too."""
    return np.array([
        len(set(own) & set(other)) / max(1, len(set(own)))
        for own, other in zip(_texts(ours), _texts(theirs), strict=True)
    ])  # fmt: skip


def compare(
    prompts: Sequence[str], ours: GeneratedTexts, theirs: GeneratedTexts, *, threshold: float
) -> dict[str, Any]:
    """Give overlap@5 and the largest difference of a shared text's log-likelihood; JSON-able.

    Raises ModelError, with the first prompt on which they differ, where the overlap is below `threshold`.
    """
    shares = overlap(ours, theirs)
    facts = {
        "users": len(prompts),
        f"overlap@{TEXTS}": round(float(shares.mean()), 4),
        "threshold": threshold,
        "largest_log_likelihood_difference": round(_largest_difference(ours, theirs), 6),
    }
    if facts[f"overlap@{TEXTS}"] < threshold:
        first = int(np.flatnonzero(shares < 1)[0])
        raise ModelError(
            f"engine vllm does not write what our own engine writes on the same weights: overlap@{TEXTS} is "
            f"{facts[f'overlap@{TEXTS}']} on {len(prompts)} users, asked for {threshold} (vllm.parity). The "
            f"first difference, behind {prompts[first][-200:]!r}:\n  own:  {_shown(ours, first)}\n"
            f"  vllm: {_shown(theirs, first)}"
        )
    return facts


def kept(path: Path) -> dict[str, Any] | None:
    """Read what an earlier run found, None where none did."""
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return facts


def keep(path: Path, facts: dict[str, Any]) -> None:
    """Keep what was found beside the texts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_text(path, json.dumps(facts))


def _texts(generated: GeneratedTexts) -> list[tuple[str, ...]]:
    bounds = generated.indptr.tolist()
    return [generated.texts[start:end] for start, end in zip(bounds, bounds[1:], strict=False)]


def _largest_difference(ours: GeneratedTexts, theirs: GeneratedTexts) -> float:
    largest = 0.0
    for start, end, other_start, other_end in zip(
        ours.indptr[:-1], ours.indptr[1:], theirs.indptr[:-1], theirs.indptr[1:], strict=True
    ):
        values = dict(zip(ours.texts[start:end], ours.log_likelihoods[start:end], strict=True))
        for row in range(other_start, other_end):
            if theirs.texts[row] in values:
                difference = abs(float(values[theirs.texts[row]] - theirs.log_likelihoods[row]))
                largest = max(largest, difference)
    return largest


def _shown(generated: GeneratedTexts, row: int) -> str:
    start, end = generated.indptr[row : row + 2].tolist()
    pairs = zip(generated.texts[start:end], generated.log_likelihoods[start:end].tolist(), strict=True)
    return "; ".join(f"{text!r} {value:.3f}" for text, value in pairs) or "nothing"
