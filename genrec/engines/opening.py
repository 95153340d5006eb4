"""A preset's engine, ready to write: with its weights or its server, the store of its texts and their key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import ConfigError
from bench.retrieval.generated import GeneratedTexts
from bench.schema import Histories
from genrec.config import GenerateSettings, Preset, settings_digest
from genrec.engines.endpoint.engine import EndpointEngine
from genrec.engines.interface import Weights
from genrec.generation.generator import TextGenerator, generation_key
from genrec.generation.strategies import STRATEGIES
from genrec.weights.tokenizer import chat_prompts

if TYPE_CHECKING:
    from genrec.engines.vllm_process.gate import GatedVllm

ENDPOINTS = "endpoints"
"""Folder below the work folder: texts of models that are served elsewhere."""
_NO_PART = {
    "price_in", "price_out", "spend_limit", "concurrency", "timeout_seconds", "retries", "resend_unanswered",
    "key_variable",
}  # fmt: skip
"""Settings of an endpoint that no text depends on: with others, what was paid for is found again."""


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
        vllm: GatedVllm | None = None,
        wrap: Callable[[Sequence[str]], Sequence[str]] = tuple,
    ) -> None:
        """`total_parameters` of the model where they are known, `endpoint` where it is served elsewhere.

        `vllm` is asked whether it writes what our own engine does, before it writes anything else; `wrap`
        puts prompts into the form that the model was made for.
        """
        self._wrap = wrap
        self._generator, self._store, self._key = generator, store, key
        self._endpoint, self._vllm, self._total_parameters = endpoint, vllm, total_parameters

    @property
    def total_parameters(self) -> int | None:
        """Of the model, where they are known."""
        if self._vllm is not None and self._vllm.facts is not None:
            return int(self._vllm.facts["total_parameters"])
        return self._total_parameters

    def write(
        self, prompts: Sequence[str], histories: Histories | None = None, *, keep: bool = True
    ) -> GeneratedTexts:
        """Write the texts of each prompt, or read those written before.

        Without `keep` nothing is read and nothing kept, but what is paid for: that is never asked for twice.
        """
        prompts = self._wrap(prompts)
        if self._vllm is not None:
            self._vllm.check(prompts)
        if not keep and self._endpoint is None:
            return self._generator.generate(prompts, histories=histories)
        return self._generator.generate(prompts, histories=histories, store=self._store, key=self._key)

    def request_seconds(self) -> list[float] | None:
        """Time of each request of this run; None where requests are free, and can be timed by asking."""
        return None if self._endpoint is None else self._endpoint.request_seconds

    def facts(self) -> dict[str, Any]:
        """What a record keeps of the engine."""
        if self._endpoint is not None:
            return {"endpoint": self._endpoint.facts()}
        return {} if self._vllm is None else {"parity": self._vllm.facts}


def check_endpoint(preset: Preset) -> None:
    """Ask the server which models it serves, which costs nothing.

    Raises Unavailable where it cannot be reached, ConfigError where it does not serve the preset's.
    """
    EndpointEngine(preset.endpoint, preset.generate, chat=preset.chat, seed=0).check_model()


def check_engine(preset: Preset) -> None:
    """Raise Unavailable where vLLM is asked for and is not there."""
    if preset.engine == "vllm":
        from genrec.engines.vllm_process.engine import vllm_version

        vllm_version()


def require_own_engine(preset: Preset, what: str) -> None:
    """Raise ConfigError for what needs the weights at hand, where the preset names another engine."""
    if preset.engine != "own":
        raise ConfigError(
            f"{what} needs the engine 'own', got '{preset.engine}': leave engine={preset.engine} out"
        )


def parameters_in_force(preset: Preset) -> dict[str, Any]:
    """Give the settings that a record keeps: not those that the engine does not read."""
    unread = {"endpoint"} if preset.engine == "vllm" else {"endpoint", "vllm"}
    if preset.engine == "openai":
        unread = {"vllm", "base_model", "revision", "architecture", "needs_gpu", "finetune", "weights_of"}
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
    if preset.engine == "vllm":
        return _vllm(preset, settings, weights, seed=seed, fingerprint=fingerprint)
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


def _vllm(
    preset: Preset, settings: GenerateSettings, weights: Weights, *, seed: int, fingerprint: str
) -> OpenedEngine:
    from genrec.engines.vllm_process.engine import vllm_version
    from genrec.engines.vllm_process.gate import GatedVllm

    if STRATEGIES[settings.strategy].constrained:  # chosen on validation, as the preset's own is checked
        raise ConfigError(
            f"the strategy chosen on validation is '{settings.strategy}', which engine: vllm cannot write; "
            "use engine: own, or give another by hand: --set generate.strategy=beam"
        )
    pace = {"engine": preset.engine, "version": vllm_version(), "eager": preset.vllm.eager}
    key = generation_key(settings, seed=seed, model=weights.name, fingerprint=fingerprint, pace=pace)
    path = weights.store / f"{key}.parity.json"
    gated = GatedVllm(weights, settings, preset.vllm, seed=seed, path=path)
    generator = TextGenerator(lambda _: gated.engine(), settings, pace=pace, packages=("transformers",))
    wrap = partial(chat_prompts, gated.tokenizer) if preset.chat else tuple
    return OpenedEngine(generator, weights.store, key, vllm=gated, wrap=wrap)


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
