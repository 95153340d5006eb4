"""The generative recommender of the harness: fine-tune, generate, retrieve."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.cost.meter import thinned
from bench.errors import ConfigError
from bench.retrieval.generated import GeneratedTexts
from bench.retrieval.health import generation_health
from bench.retrieval.list_rules import Retrieved, retrieve
from bench.retrieval.search_index import build_index
from bench.retrieval.settings import RetrieveSettings
from bench.schema import Generations, Histories, Rankings, TrainingData
from genrec import artefact
from genrec.config import GenerateSettings, Preset
from genrec.engines.interface import Checkpoint, Weights
from genrec.engines.opening import (
    OpenedEngine,
    check_endpoint,
    check_engine,
    open_engine,
    parameters_in_force,
)
from genrec.preset_files import load_preset
from genrec.prompt_format import item_texts, prompts
from genrec.selection import decoding_budget
from genrec.training.finetune import Finetuned, check_model, finetune
from genrec.weights.base_model import find_base_model
from genrec.weights.device_memory import release_device_memory

CURVE_POINTS = 200
"""Entries of the loss curve and the memory timeline that go into a record, at most."""
_MEMORY = ("rss_bytes", "vram_allocated_bytes", "vram_reserved_bytes", "vram_peak_allocated_bytes")


@dataclass(frozen=True, kw_only=True, eq=False)
class _Answer:
    """One `recommend`: whom it was for, what was written, what that found."""

    histories: Histories
    generated: GeneratedTexts
    retrieved: Retrieved


class GenerativeRecommender:
    """A language model, fine-tuned on purchase histories, that writes the text of the next item.

    `preset` is a name or a YAML file, `settings` are overrides such as 'finetune.lora_r=32'. Models
    and generated texts are kept under `work_dir` (else GENREC_BENCH_WORK, else the user's cache
    folder) and taken up again by later runs with the same settings, data and seed; `details` then
    says so, with the seconds they took. With the engine `openai` the model is one that a server has: nothing
    is fine-tuned here.
    """

    kind = "generative"

    def __init__(
        self, preset: str, seed: int, settings: Sequence[str] = (), work_dir: Path | None = None
    ) -> None:
        self.name = Path(preset).stem
        self.preset: Preset = load_preset(preset, settings)
        self._weights_name = self.preset.weights_of or self.name
        self._seed = seed
        self._work = artefact.work_dir(work_dir)
        self._own_generation = any(setting.startswith("generate") for setting in settings)
        self._own_retrieval = any(setting.startswith("retrieve") for setting in settings)
        self._finetuned: Finetuned | None = None
        self._engine: OpenedEngine | None = None
        self._answer: _Answer | None = None

    @property
    def generate_settings(self) -> GenerateSettings:
        """How texts are generated: overridden by hand, else chosen on validation, else the preset's."""
        selected = self._finetuned.artefact.selected if self._finetuned else None
        return self.preset.generate if selected is None or self._own_generation else selected

    @property
    def retrieve_settings(self) -> RetrieveSettings:
        """How lists are made: overridden by hand, else chosen with the generation, else the preset's."""
        selected = self._finetuned.artefact.selected_retrieve if self._finetuned else None
        by_hand = self._own_generation or self._own_retrieval
        return self.preset.retrieve if selected is None or by_hand else selected

    @property
    def parameters(self) -> dict[str, Any]:
        """The settings in force, for the record."""
        in_force: dict[str, Any] = {"generate": self.generate_settings, "retrieve": self.retrieve_settings}
        if self._finetuned is not None:  # 'auto' is recorded as what it became
            backend = {"backend": self._finetuned.artefact.backend}
            in_force["finetune"] = self.preset.finetune.model_copy(update=backend)
        return parameters_in_force(self.preset.model_copy(update=in_force))

    def check_available(self, data: TrainingData) -> None:
        """Raise Unavailable, saying what is missing and what gets it."""
        if self.preset.engine == "openai":
            check_endpoint(self.preset)
        else:
            check_engine(self.preset)
            check_model(self.preset, self.name, data, seed=self._seed, work=self._work)

    def fit(self, data: TrainingData) -> None:
        """Fine-tune, or take the finished model of the same settings, data and seed; open the engine."""
        self._texts = item_texts(data.catalogue, self.preset)
        self._wording = data.catalogue.wording
        weights = self._weights(data)
        self._index = build_index(self._texts, self.retrieve_settings)
        self._engine = open_engine(
            self.preset,
            self.generate_settings,
            weights,
            seed=self._seed,
            fingerprint=data.generative_fingerprint,
            work=self._work,
            texts=self._texts,
        )

    def recommend(self, histories: Histories, depth: int) -> Rankings:
        """Write texts for each history, or read those written before, and rank the items they find."""
        self._answer = self._ask(histories, depth, keep=True)
        return self._answer.retrieved.rankings

    def recommend_afresh(self, histories: Histories, depth: int) -> Rankings:
        """Like `recommend`, but without reading or keeping texts, unless they are paid for."""
        return self._ask(histories, depth, keep=False).retrieved.rankings

    def request_seconds(self) -> list[float] | None:
        """Time of each request to a server in this run; None where users can be timed by asking again."""
        return self._opened.request_seconds()

    def details(self) -> dict[str, Any]:
        """Facts of the last fit and recommend: how they went, and what was taken over from earlier runs."""
        engine, fitted = self._opened, self._finetuned
        facts: dict[str, Any] = {
            "engine": self.preset.engine,
            "carried_seconds": {},
            "total_parameters": engine.total_parameters,
            "strategy": self.generate_settings.strategy,
            "chosen_settings": self._chosen_settings(),
            **engine.facts(),
        }
        if fitted is not None:
            facts |= {
                "fit_reused": fitted.reused,
                "fit_seconds": fitted.artefact.fit_seconds,
                "carried_seconds": {"fit": round(fitted.carried_seconds, 3)},
                "artefact": fitted.folder.name,
                "strategy_chosen_on_validation": self.generate_settings == fitted.artefact.selected,
                "decoding_budget": decoding_budget(fitted.folder),
                **finetuning_facts(fitted),
            }
        if self._answer is not None:
            generated = self._answer.generated
            facts["carried_seconds"]["recommend"] = round(generated.carried_seconds, 3)
            facts["texts_commit"] = generated.commit or None
            facts["generation_seconds"] = round(generated.seconds, 3)
            facts["generation_health"] = generation_health(generated, self._answer.retrieved, self._texts)
        return facts

    def _chosen_settings(self) -> list[str]:
        """The settings that selection on validation changed, as --set takes them."""
        changed = []
        for part in ("generate", "retrieve"):
            preset, in_force = getattr(self.preset, part), getattr(self, f"{part}_settings")
            for name, value in in_force.model_dump(mode="json").items():
                if value != preset.model_dump(mode="json")[name]:
                    changed.append(f"{part}.{name}={json.dumps(value)}")
        return changed

    def generations(self) -> Generations | None:
        """Give the texts behind the last `recommend`, each with the item it found first."""
        if self._answer is None:
            return None
        generated = self._answer.generated
        return Generations(
            users=self._answer.histories.users,
            indptr=generated.indptr,
            texts=generated.texts,
            log_likelihoods=generated.log_likelihoods,
            items=self._answer.retrieved.items,
        )

    @property
    def _opened(self) -> OpenedEngine:
        if self._engine is None:
            raise ConfigError(f"model '{self.name}' was asked for lists before it was fitted")
        return self._engine

    def _weights(self, data: TrainingData) -> Weights | None:
        """Fine-tune; None where a server has the weights."""
        if self.preset.engine == "openai":
            return None
        self._finetuned = finetune(data, self.preset, self._weights_name, seed=self._seed, work=self._work)
        release_device_memory()
        return finetuned_weights(self._finetuned)

    def _prompts(self, histories: Histories) -> list[str]:
        return prompts(histories, self._texts, self.preset, self._wording)

    def _read(self, generated: GeneratedTexts) -> GeneratedTexts:
        """Give the texts of items that were written."""
        return generated

    def _ask(self, histories: Histories, depth: int, *, keep: bool) -> _Answer:
        engine = self._opened
        generated = self._read(engine.write(self._prompts(histories), histories, keep=keep))
        retrieved = retrieve(generated, self._index, self._texts, self.retrieve_settings, depth)
        return _Answer(histories=histories, generated=generated, retrieved=retrieved)


def finetuned_weights(finetuned: Finetuned) -> Weights:
    """What an engine is given of a fine-tuned model."""
    folder = finetuned.folder
    return Weights(
        name=folder.name,
        store=folder / "generations",
        load=lambda precision: artefact.load_model(folder, precision),
        checkpoint=lambda: _checkpoint(finetuned),
    )


def _checkpoint(finetuned: Finetuned) -> Checkpoint:
    made, folder = finetuned.artefact, finetuned.folder
    if made.base_model is None or made.backend == "full":
        return Checkpoint(model=folder / "model", tokenizer=folder / "tokenizer")
    return Checkpoint(
        model=find_base_model(made.base_model, made.base_revision).folder,
        tokenizer=folder / "tokenizer",
        adapter=folder / "adapter",
        lora_r=made.settings.finetune.lora_r,
        four_bit=made.settings.finetune.four_bit,
    )


def finetuning_facts(finetuned: Finetuned) -> dict[str, Any]:
    """What a record keeps of the fine-tuning: curves of at most CURVE_POINTS entries, and totals."""
    training = artefact.training_summary(finetuned.folder)
    kept = (
        "trainable_parameters", "texts", "texts_cut", "step", "total_steps", "steps_per_epoch", "best_step",
        "best_loss", "seconds", "tokens", "tokens_per_second", "padding_share",
    )  # fmt: skip
    return {
        "finetuning": {
            "backend": finetuned.artefact.backend,
            "base_model": finetuned.artefact.base_model,
            "base_revision": finetuned.artefact.base_revision,
            "machine": finetuned.artefact.machine,
            "base_licence": finetuned.artefact.base_licence,
            "versions": finetuned.artefact.versions,
            **{name: training[name] for name in kept},
            "memory_timeline": thinned(training["memory"], CURVE_POINTS, *map(_held, _MEMORY)),
        },
        "loss_curve": _curve(training),
        # a fit of this process was measured by the harness
        **({"carried_peak_bytes": _peaks(training["memory"])} if finetuned.carried_seconds else {}),
    }


def _peaks(samples: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """The most that a training was seen to hold, as far as its samples count it."""
    counted = {
        "rss": "rss_bytes",
        "allocated": "vram_peak_allocated_bytes",
        "reserved": "vram_reserved_bytes",
    }
    found = {name: [sample[key] for sample in samples if key in sample] for name, key in counted.items()}
    return {name: max(values) for name, values in found.items() if values}


def _held(memory: str) -> Callable[[Mapping[str, float]], float]:
    return lambda sample: sample.get(memory, 0.0)


def _curve(training: Mapping[str, Any]) -> list[dict[str, float]]:
    points = []
    for name, series in (("training_loss", "train_loss"), ("validation_loss", "eval_loss")):
        losses = training[series]
        # evenly: a curve of the highest losses would be another curve
        rows = np.linspace(0, len(losses) - 1, num=min(len(losses), CURVE_POINTS)).astype(int)
        points += [{"step": losses[row][0], name: losses[row][1]} for row in rows]
    return sorted(points, key=lambda point: point["step"])
