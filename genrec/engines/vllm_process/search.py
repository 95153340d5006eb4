"""Beam search over whatever gives the likeliest next tokens; the rules are those of `genrec.decoding.beam`.

Needs the standard library alone, as it runs beside vLLM.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

Tokens = tuple[int, ...]
NextTokens = Callable[[list[Tokens]], list[list[tuple[int, float]]]]
"""Gives for each sequence its likeliest next tokens with their log-probabilities, likeliest first."""


class Text(NamedTuple):
    """A finished text."""

    value: float
    """log-likelihood / tokens ** length_penalty."""
    log_likelihood: float
    tokens: Tokens
    ended: bool


class _Open(NamedTuple):
    score: float
    tokens: Tokens


def beam_search(
    next_tokens: NextTokens,
    prompts: Sequence[Tokens],
    *,
    beams: int,
    steps: int,
    end: int,
    length_penalty: float,
) -> list[list[Text]]:
    """Search behind all prompts at one time; each gets at most `beams` texts, best value first.

    `next_tokens` gives at least twice as many tokens as there are beams.
    """
    going = [[_Open(0.0, ())] for _ in prompts]
    finished: list[list[Text]] = [[] for _ in prompts]
    for step in range(1, steps + 1):
        asked = [(user, beam) for user, own in enumerate(going) for beam in own]
        if not asked:
            break
        found = next_tokens([prompts[user] + beam.tokens for user, beam in asked])
        grown: list[list[_Open]] = [[] for _ in prompts]
        for (user, beam), nexts in zip(asked, found, strict=True):
            grown[user] += [_Open(beam.score + value, (*beam.tokens, token)) for token, value in nexts]
        for user, candidates in enumerate(grown):
            if candidates:
                best = sorted(candidates, key=lambda one: -one.score)[: 2 * beams]
                going[user], finished[user] = _advance(
                    best, finished[user], beams, end, length_penalty, step, last=step == steps
                )
    return finished


def _advance(
    best: list[_Open], finished: list[Text], beams: int, end: int, penalty: float, step: int, *, last: bool
) -> tuple[list[_Open], list[Text]]:
    """Finish what ends among the best k of 2k continuations, and go on with k that do not."""
    open_: list[_Open] = []
    for rank, one in enumerate(best):
        ended = one.tokens[-1] == end
        if not ended and not last:
            open_.append(one)
        elif rank < beams:
            finished = [*finished, Text(one.score / step**penalty, one.score, one.tokens, ended)]
    finished = sorted(finished, key=lambda text: -text.value)[:beams]
    open_ = open_[:beams]
    full = len(finished) == beams
    if open_ and full and open_[0].score / step**penalty <= finished[-1].value:
        return [], finished
    return open_, finished
