"""A preset's engine, ready to write: with its weights or its server, the store of its texts and their key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench.errors import ConfigError
from bench.retrieval.generated import GeneratedTexts
from bench.schema import Histories
from genrec.config import GenerateSettings, Precision, Preset, settings_digest
from genrec.engines.endpoint.engine import EndpointEngine
from genrec.generation.generator import TextGenerator, generation_key
from genrec.weights.tokenizer import chat_prompts

ENDPOINTS = "endpoints"
"""Folder below the work folder: texts of models that are served elsewhere."""
_NO_PART = {
    "price_in", "price_out", "spend_limit", "concurrency", "timeout_seconds", "retries", "resend_unanswered",
    "key_variable",
}  # fmt: skip
"""Settings of an endpoint that no text depends on: with others, what was paid for is found again."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Weights:
    """Weights on this machine."""

    name: str
    """Names them in the key of their texts."""
    store: Path
    """Folder of their texts."""
    load: Callable[[Precision], tuple[Any, Any]]
    """Gives model and tokenizer."""


class OpenedEngine:
    """Writes texts and keeps them under the key of all that they depend on."""

    def __init__(
        self,
        generator: TextGenerator,
        store: Path,
        key: str,
        *,
        total_parameters: int | None = None,
        endpoint: EndpointEngine | None = None,
        wrap: Callable[[Sequence[str]], Sequence[str]] = tuple,
    ) -> None:
        """`total_parameters` of the model where they are known, `endpoint` where it is served elsewhere.

        `wrap` puts prompts into the form that the model was made for.
        """
        self._wrap = wrap
        self._generator, self._store, self._key = generator, store, key
        self._endpoint, self.total_parameters = endpoint, total_parameters

    def write(
        self, prompts: Sequence[str], histories: Histories | None = None, *, keep: bool = True
    ) -> GeneratedTexts:
        """Write the texts of each prompt, or read those written before.

        Without `keep` nothing is read and nothing kept, but what is paid for: that is never asked for twice.
        """
        prompts = self._wrap(prompts)
        if not keep and self._endpoint is None:
            return self._generator.generate(prompts, histories=histories)
        return self._generator.generate(prompts, histories=histories, store=self._store, key=self._key)

    def request_seconds(self) -> list[float] | None:
        """Time of each request of this run; None where requests are free, and can be timed by asking."""
        return None if self._endpoint is None else self._endpoint.request_seconds

    def facts(self) -> dict[str, Any]:
        """What a record keeps of the engine."""
        return {} if self._endpoint is None else {"endpoint": self._endpoint.facts()}


def check_endpoint(preset: Preset) -> None:
    """Ask the server which models it serves, which costs nothing.

    Raises Unavailable where it cannot be reached, ConfigError where it does not serve the preset's.
    """
    EndpointEngine(preset.endpoint, preset.generate, chat=preset.chat, seed=0).check_model()


def require_own_engine(preset: Preset, what: str) -> None:
    """Raise ConfigError for what needs the weights at hand, where the preset names another engine."""
    if preset.engine != "own":
        raise ConfigError(
            f"{what} needs the engine 'own', got '{preset.engine}': leave engine={preset.engine} out"
        )


def parameters_in_force(preset: Preset) -> dict[str, Any]:
    """Give the settings that a record keeps: not those that the engine does not read."""
    unread = {"endpoint"}
    if preset.engine == "openai":
        unread = {"base_model", "revision", "architecture", "needs_gpu", "finetune", "weights_of"}
    if preset.prompted or preset.rerank:
        unread |= {"finetune", "weights_of"}
    return preset.model_dump(mode="json", exclude=unread)


def open_engine(
    preset: Preset,
    settings: GenerateSettings,
    weights: Weights | None,
    *,
    seed: int,
    fingerprint: str,
    work: Path,
    texts: Sequence[str] | None = None,
) -> OpenedEngine:
    """Open the engine that the preset names; `texts` are the catalogue's, `fingerprint` names the data.

    Raises ConfigError where engine and settings do not go together, EndpointError for a server that does not
    do what the run will ask of it.
    """
    if preset.engine == "openai":
        return _endpoint(preset, settings, seed=seed, fingerprint=fingerprint, work=work)
    if weights is None:
        raise ConfigError(f"the engine '{preset.engine}' needs weights on this machine")
    model, tokenizer = weights.load(settings.precision)
    generator = TextGenerator.own(model, tokenizer, settings, seed=seed, catalogue_texts=texts)
    key = generation_key(
        settings, seed=seed, model=weights.name, fingerprint=fingerprint, pace=generator.pace
    )
    return OpenedEngine(
        generator,
        weights.store,
        key,
        total_parameters=int(model.num_parameters()),
        wrap=partial(chat_prompts, tokenizer) if preset.chat else tuple,
    )


def _endpoint(
    preset: Preset, settings: GenerateSettings, *, seed: int, fingerprint: str, work: Path
) -> OpenedEngine:
    asked = preset.endpoint.model_dump(mode="json", exclude=_NO_PART)
    pace = {"engine": preset.engine, "chat": preset.chat}
    key = generation_key(
        settings, seed=seed, model=settings_digest(asked), fingerprint=fingerprint, pace=pace
    )
    store = work / ENDPOINTS
    engine = EndpointEngine(
        preset.endpoint, settings, chat=preset.chat, seed=seed, paid=store / f"{key}.paid.jsonl"
    )
    engine.prepare()
    generator = TextGenerator(lambda _: engine, settings, pace=pace, packages=())
    return OpenedEngine(generator, store, key, endpoint=engine)
