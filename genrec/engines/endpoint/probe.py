"""What a server can do, found out by a few requests of eight tokens before the run is begun.

Only what the run will use is tried. An option that the server takes and does not obey is an error, which
says what does without it; a seed that it does not obey is not sent, and the record says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from genrec.engines.endpoint.dialect import Asked, Choice
from genrec.engines.endpoint.http import EndpointError
from genrec.engines.settings import EndpointSettings

PROMPT = "Count on, one number after the other: 1, 2, 3, 4, 5, 6,"
TOKENS = 8
HOT = 2.0
"""A temperature at which eight tokens hardly come out alike twice."""
COOL = 0.5
"""One at which the likeliest token is likely to be drawn."""
SAME = 0.05
"""Natural log: two computations of one log-probability differ by less."""

Ask = Callable[[Asked], list[Choice]]
"""Sends a request and checks its answer; raises EndpointError."""


def probe(ask: Ask, settings: EndpointSettings, wanted: Asked) -> dict[str, Any]:
    """Find out whether the server obeys what `wanted` asks for; JSON-able facts for the record.

    Raises EndpointError for an option that is not obeyed.
    """
    greedy = Asked(prompt=PROMPT, max_tokens=TOKENS, temperature=0.0)
    best = ask(greedy)[0]
    if not best.text.strip():
        raise EndpointError(f"asked to go on with {PROMPT!r} it writes nothing")
    if ask(greedy)[0].text != best.text:
        raise EndpointError("asked twice at temperature 0 it writes two texts: it ignores `temperature`")
    facts: dict[str, Any] = {"end_token_shown": _shows_end(best)}
    if wanted.stop:
        _probe_stop(ask, greedy, best)
    if wanted.temperature > 0:
        facts |= _probe_sampling(ask, settings, greedy, best, wanted)
    return facts


def _shows_end(best: Choice) -> bool | None:
    """Whether an end token is among the tokens; None where no text ended."""
    if best.finish_reason == "length" or not best.tokens:
        return None
    return "".join(best.tokens).strip() != best.text.strip()


def _probe_stop(ask: Ask, greedy: Asked, best: Choice) -> None:
    mark = best.text.strip()[-1]
    cut = ask(replace(greedy, stop=(mark,)))[0]  # checked there: the text must not hold the mark
    if not best.text.startswith(cut.text):
        raise EndpointError(f"with `stop` it writes another text: {cut.text!r}, without it {best.text!r}")


def _probe_sampling(
    ask: Ask, settings: EndpointSettings, greedy: Asked, best: Choice, wanted: Asked
) -> dict[str, Any]:
    texts = max(2, wanted.texts)
    hot = replace(greedy, temperature=HOT, texts=min(4, texts) if wanted.texts > 1 else 1, seed=1)
    drawn = ask(hot)
    others = drawn if len(drawn) > 1 else drawn + ask(replace(hot, seed=2))
    if all(choice.text == best.text for choice in others):
        raise EndpointError(
            f"at temperature {HOT:g} it writes what it writes at 0: it ignores `temperature`"
            + (" (or `n`, giving one text several times)" if wanted.texts > 1 else "")
        )
    repeated = ask(hot)
    facts: dict[str, Any] = {"seed_obeyed": [c.text for c in repeated] == [c.text for c in drawn]}
    if settings.likelihoods:
        cool = ask(replace(greedy, temperature=COOL, seed=1))
        facts["likelihoods_before_temperature"] = _check_before_temperature(
            best, {HOT: [*repeated, *others], COOL: cool}
        )
    if wanted.top_k:
        _same(ask(replace(hot, top_k=1)), best, "top_k", "generate.top_k=0")
    if wanted.top_p < 1:
        _same(ask(replace(hot, top_p=1e-6)), best, "top_p", "generate.top_p=1")
    return facts


def _same(found: list[Choice], best: Choice, option: str, without: str) -> None:
    if any(choice.text != best.text for choice in found):
        raise EndpointError(f"it takes `{option}` and does not obey it; {without} does without")


def _check_before_temperature(best: Choice, drawn: dict[float, list[Choice]]) -> bool | None:
    """Whether log-probabilities are the model's own; None where no first token could be compared."""
    compared = None
    for temperature, choices in drawn.items():
        for choice in choices:
            if choice.tokens and best.tokens and choice.tokens[0] == best.tokens[0]:
                first, own = (choice.log_probs or (0.0,))[0], (best.log_probs or (0.0,))[0]
                if abs(first - own) > SAME:
                    raise EndpointError(
                        f"its log-probabilities are not the model's own: {choice.tokens[0]!r} has {own:.3f} "
                        f"at temperature 0 and {first:.3f} at {temperature:g}; no text can be ranked by them"
                    )
                compared = True
    return compared
