"""What is asked and answered, at /completions and at /chat/completions.

Both are the OpenAI interface. The first continues a text, which is what a fine-tuned model wants; the
second answers one message of a user.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from genrec.engines.endpoint.http import EndpointError
from genrec.engines.settings import EndpointSettings


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request."""

    prompt: str
    texts: int = 1
    max_tokens: int
    temperature: float
    top_p: float = 1.0
    top_k: int = 0
    """0: no limit, and nothing said of it, as not all servers know it."""
    seed: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One text of an answer."""

    text: str
    finish_reason: str | None
    tokens: tuple[str, ...] | None = None
    """As text; None where the server says nothing of log-probabilities."""
    log_probs: tuple[float, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Tokens that the server counts, None where it does not."""

    prompt_tokens: int | None
    completion_tokens: int | None


def place(chat: bool) -> str:
    """Where below the base address requests go."""
    return "chat/completions" if chat else "completions"


def payload(asked: Asked, settings: EndpointSettings, *, chat: bool) -> dict[str, Any]:
    """Make the body of a request; an option at its usual value is left out."""
    body: dict[str, Any] = {"model": settings.model}
    body |= {"messages": [{"role": "user", "content": asked.prompt}]} if chat else {"prompt": asked.prompt}
    body |= {settings.max_tokens_field: asked.max_tokens, "temperature": asked.temperature}
    if settings.likelihoods:
        body["logprobs"] = True if chat else 1
    if asked.texts > 1:
        body["n"] = asked.texts
    if asked.top_p < 1:
        body["top_p"] = asked.top_p
    if asked.top_k:
        body["top_k"] = asked.top_k
    if asked.seed is not None:
        body["seed"] = asked.seed
    if asked.stop:
        body["stop"] = list(asked.stop)
    return body


def parsed(body: bytes, *, chat: bool) -> tuple[list[Choice], Usage, str | None]:
    """Read an answer: its texts, the tokens it cost, the model's name. Raises EndpointError."""
    try:
        tree = json.loads(body)
    except ValueError:
        raise EndpointError("it is not whole JSON") from None
    if not isinstance(tree, dict) or not isinstance(tree.get("choices"), list):
        raise EndpointError("it has no list `choices`")
    choices = sorted(tree["choices"], key=lambda choice: _index(choice))
    usage = tree.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    model = tree.get("model")
    return (
        [_choice(choice, chat) for choice in choices],
        Usage(
            prompt_tokens=_count(counts.get("prompt_tokens")),
            completion_tokens=_count(counts.get("completion_tokens")),
        ),
        model if isinstance(model, str) else None,
    )


def _index(choice: Any) -> int:
    index = choice.get("index") if isinstance(choice, dict) else None
    return index if isinstance(index, int) else 0


def _choice(choice: Any, chat: bool) -> Choice:
    if not isinstance(choice, dict):
        raise EndpointError("one of its `choices` is no object")
    message = choice.get("message")
    text = message.get("content") if chat and isinstance(message, dict) else choice.get("text")
    if not isinstance(text, str):
        raise EndpointError("one of its `choices` has no text")
    reason = choice.get("finish_reason")
    tokens, log_probs = _log_probs(choice.get("logprobs"), chat)
    return Choice(
        text=text,
        finish_reason=reason if isinstance(reason, str) else None,
        tokens=tokens,
        log_probs=log_probs,
    )


def _log_probs(told: Any, chat: bool) -> tuple[tuple[str, ...] | None, tuple[float, ...] | None]:
    """Read tokens and their log-probabilities; some servers answer in the other place's manner."""
    if not isinstance(told, dict):
        return None, None
    content = told.get("content")
    if isinstance(content, list):
        tokens: Sequence[Any] = [part.get("token") if isinstance(part, dict) else None for part in content]
        values: Sequence[Any] = [part.get("logprob") if isinstance(part, dict) else None for part in content]
    else:
        tokens, values = told.get("tokens") or [], told.get("token_logprobs") or []
    whole = len(tokens) == len(values) > 0
    if not whole or not all(isinstance(token, str) for token in tokens):
        return None, None
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return None, None
    return tuple(tokens), tuple(map(float, values))


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
