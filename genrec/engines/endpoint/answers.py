"""An answer checked against what was asked: an option that is taken and not obeyed is an error."""

from __future__ import annotations

import math

from genrec.engines.endpoint.dialect import Asked, Choice, Usage
from genrec.engines.endpoint.http import EndpointError
from genrec.engines.settings import EndpointSettings
from genrec.generation.kept_texts import Written

HIGHEST = 1e-3
"""A log-probability may be above 0 by rounding, not by more."""


def check(choices: list[Choice], usage: Usage, asked: Asked, settings: EndpointSettings) -> None:
    """Raise EndpointError, saying what was ignored and which setting does without it."""
    if len(choices) != asked.texts:
        raise EndpointError(
            f"asked for n={asked.texts} texts it gave {len(choices)}; "
            "endpoint.texts_per_request=1 asks for them one by one"
        )
    if settings.price_in is not None and None in (usage.prompt_tokens, usage.completion_tokens):
        raise EndpointError("it says nothing of the tokens used (`usage`), so that their price is unknown")
    for choice in choices:
        _check_choice(choice, asked, settings)
    if settings.likelihoods and usage.completion_tokens is not None:
        _check_count(sum(len(choice.tokens or ()) for choice in choices), usage.completion_tokens, asked)
    limit = asked.texts * asked.max_tokens
    if usage.completion_tokens is not None and usage.completion_tokens > limit + asked.texts:
        raise EndpointError(
            f"it wrote {usage.completion_tokens} tokens where {settings.max_tokens_field} allows {limit}; "
            "some servers know endpoint.max_tokens_field=max_completion_tokens"
        )


def _check_count(shown: int, counted: int, asked: Asked) -> None:
    """Compare tokens shown and counted; an end token is counted and not shown by some servers."""
    if counted < shown - asked.texts:
        raise EndpointError(f"it counts {counted} tokens written and gives log-probabilities of {shown}")
    if counted > shown + asked.texts and not asked.stop:
        raise EndpointError(
            f"it counts {counted} tokens written and shows {shown}: the rest was cut, or is hidden as a "
            "reasoning model's thoughts are"
        )


def _check_choice(choice: Choice, asked: Asked, settings: EndpointSettings) -> None:
    for stop in asked.stop:
        if stop in choice.text:
            raise EndpointError(f"a text goes on behind {stop!r}, where `stop` ends it: {choice.text[:80]!r}")
    if not settings.likelihoods:
        return
    if choice.log_probs is None or choice.tokens is None:
        if choice.text == "":
            return  # nothing written, nothing to be likely
        raise EndpointError(
            "it gives no log-probabilities; without them one text a prompt can be written: "
            "endpoint.likelihoods=false"
        )
    if not all(math.isfinite(value) and value <= HIGHEST for value in choice.log_probs):
        raise EndpointError(f"its log-probabilities are none: {choice.log_probs[:8]}")
    if len(choice.tokens) > asked.max_tokens + 1:
        raise EndpointError(
            f"a text has {len(choice.tokens)} tokens where {settings.max_tokens_field} allows "
            f"{asked.max_tokens}"
        )
    if choice.finish_reason == "length" and len(choice.tokens) < asked.max_tokens - 1:
        raise EndpointError(
            f"a text was cut at {len(choice.tokens)} tokens where {asked.max_tokens} were allowed; the "
            "server's own limit is lower (its context length?)"
        )
    missing = _cut_off(choice)
    if missing and not asked.stop:
        raise EndpointError(f"a text was cut: {choice.text[:60]!r} lacks {missing[:60]!r} of its own tokens")


def _cut_off(choice: Choice) -> str:
    """What the tokens say and the text lacks at its end; an end token may be missing."""
    tokens = choice.tokens or ()
    inner = "".join(tokens[:-1])
    if any(mark in inner for mark in ("\ufffd", "bytes:", "<0x")):
        return ""  # parts of letters, which each server shows in its own way
    text, told = "".join(choice.text.split()), "".join(inner.split())
    return told[len(text) :] if told.startswith(text) else ""


def written(choices: list[Choice], usage: Usage, seconds: float) -> Written:
    """Texts as the store keeps them, likeliest first; where nothing is said of likelihood it is no number.

    A text without any token is left out: nothing was written, and nothing is known of it.
    """
    known = [choice for choice in choices if choice.text or choice.tokens]
    rows = sorted(known, key=lambda choice: -(_likelihood(choice) if choice.log_probs else 0.0))
    counted = max(1, (usage.completion_tokens or 1) // max(1, len(rows)))
    return Written(
        texts=tuple(row.text for row in rows),
        log_likelihoods=tuple(map(_likelihood, rows)),
        tokens=tuple(len(row.tokens) if row.tokens else counted for row in rows),
        ended=tuple(row.finish_reason != "length" for row in rows),
        seconds=seconds,
    )


def _likelihood(choice: Choice) -> float:
    return math.nan if choice.log_probs is None else math.fsum(choice.log_probs)
