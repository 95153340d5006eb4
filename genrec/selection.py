"""Which strategy generates best: each is tried on the validation users, and the choice is kept.

Only the validation examples are asked; test users are not in the data that this module is given.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.cost.meter import Meter
from bench.errors import ConfigError, unknown_name
from bench.files.atomic import replace_text
from bench.metrics.ranking import mean_quality, ranks_in_view
from bench.progress import report
from bench.record import DEPTH, VIEWS, View
from bench.retrieval.health import generation_health
from bench.retrieval.list_rules import retrieve
from bench.retrieval.search_index import build_index
from bench.retrieval.settings import RetrieveSettings
from bench.schema import TrainingData
from genrec import artefact
from genrec.availability import check_available
from genrec.config import GenerateSettings, Preset
from genrec.engines.opening import require_own_engine
from genrec.generation.generator import TextGenerator, generation_key
from genrec.generation.strategies import STRATEGIES
from genrec.prompt_format import item_texts, prompts
from genrec.training.finetune import finetune

RECORD = "selection.json"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A strategy to try, with the settings it stands for."""

    name: str
    generate: GenerateSettings
    retrieve: RetrieveSettings


def parse_candidates(names: str, preset: Preset) -> list[Candidate]:
    """Read 'beam:10,sample:0.2,calrec'; all that is not named comes from the preset.

    A number is the temperature of what draws, and the beams of what searches.

    `calrec` ranks by its own list rule. Raises ConfigError for what is not a strategy.
    """
    candidates = [_candidate(name.strip(), preset) for name in names.split(",") if name.strip()]
    if not candidates:
        raise ConfigError("--strategies names no strategy; for example beam,sample:0.2,constrained")
    return list({candidate.name: candidate for candidate in candidates}.values())


def _candidate(name: str, preset: Preset) -> Candidate:
    strategy, colon, value = name.partition(":")
    if strategy not in STRATEGIES:
        raise unknown_name("strategy", strategy, STRATEGIES)
    chosen: dict[str, Any] = {"strategy": strategy}
    if not STRATEGIES[strategy].constrained:
        chosen |= {"exclude_seen": False, "stop": "end"}
    if colon and STRATEGIES[strategy].drawn:
        chosen["temperature"] = _number(name, value, "temperature", "0.2")
    elif colon:
        beams = _number(name, value, "number of beams", "10")
        if beams != int(beams):
            raise ConfigError(f"strategy '{name}': the number of beams is whole, as in {strategy}:10")
        chosen["num_beams"] = int(beams)
    own_rule = STRATEGIES[strategy].list_rule
    rule = {"list_rule": own_rule} if own_rule else {}
    return Candidate(
        name=name,
        generate=preset.generate.model_copy(update=chosen),
        retrieve=preset.retrieve.model_copy(update=rule),
    )


def _number(name: str, value: str, what: str, example: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        strategy = name.partition(":")[0]
        raise ConfigError(f"strategy '{name}': a {what} is a number above 0, as in {strategy}:{example}")
    return number


class Trial:
    """A finished model and the validation users it is asked about."""

    def __init__(self, folder: Path, data: TrainingData) -> None:
        """Load the model of `folder`; refuse one that was fine-tuned on other data."""
        self.folder = folder
        self.artefact = artefact.read_finished(folder, fingerprint=data.generative_fingerprint)
        self._examples = data.validation
        self._texts = item_texts(data.catalogue, self.artefact.settings)
        self._prompts = prompts(
            data.validation.histories, self._texts, self.artefact.settings, data.catalogue.wording
        )
        self._index = build_index(self._texts, self.artefact.settings.retrieve)
        self._model, self._tokenizer = artefact.load_model(folder, self.artefact.settings.generate.precision)

    def run(self, candidate: Candidate) -> dict[str, Any]:
        """Generate, retrieve and score; a row of the table, JSON-able.

        Texts that an earlier trial wrote are read, and their seconds counted.
        """
        generator = TextGenerator.own(
            self._model,
            self._tokenizer,
            candidate.generate,
            seed=self.artefact.seed,
            catalogue_texts=self._texts,
        )
        key = generation_key(
            candidate.generate,
            seed=self.artefact.seed,
            model=self.folder.name,
            fingerprint=self.artefact.fingerprint,
            pace=generator.pace,
        )
        with Meter() as meter, meter.stage("generate"):
            generated = generator.generate(
                self._prompts,
                histories=self._examples.histories,
                store=self.folder / "generations",
                key=key,
            )
        start = time.perf_counter()
        retrieved = retrieve(generated, self._index, self._texts, candidate.retrieve, DEPTH)
        wall_seconds = generated.seconds + time.perf_counter() - start
        peak = meter.peak_vram_bytes
        return {
            "strategy": candidate.name,
            **{view: self._quality(retrieved.rankings, view) for view in VIEWS},
            "wall_seconds": round(wall_seconds, 3),
            "users_per_second": round(len(self._examples) / wall_seconds, 3),
            "peak_vram_bytes": peak.model_dump() if peak and not generated.carried_seconds else None,
            "generation_health": generation_health(generated, retrieved, self._texts),
            "generate": candidate.generate.model_dump(mode="json"),
            "retrieve": candidate.retrieve.model_dump(mode="json"),
        }

    def _quality(self, rankings: Any, view: View) -> dict[str, float]:
        return mean_quality(ranks_in_view(rankings, self._examples, view), (5,))


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The table of a selection, and where it is kept."""

    rows: list[dict[str, Any]]
    chosen: str
    path: Path


def select_strategy(
    data: TrainingData,
    preset: Preset,
    name: str,
    candidates: Sequence[Candidate],
    *,
    seed: int,
    work: Path,
    metric: str = "ndcg@5",
    view: View = "seen_removed",
) -> Selection:
    """Try the candidates on the validation users and keep the best with the model.

    The model is fine-tuned first if it is not there yet. Of equal candidates the first is kept.
    Raises Unavailable where the model cannot run.
    """
    require_own_engine(preset, "choosing a strategy")
    trained = artefact.find_trained(work, name, preset, seed=seed, fingerprint=data.generative_fingerprint)
    check_available(preset, name, finetuned=trained is not None)
    folder = finetune(data, preset, name, seed=seed, work=work).folder
    trial, rows = Trial(folder, data), []
    for number, candidate in enumerate(candidates):
        report(f"strategy {candidate.name}", number, len(candidates))
        rows.append(with_known_peak(trial.run(candidate), folder))
    return keep_best(folder, data, rows, metric=metric, view=view)


def keep_best(
    folder: Path,
    data: TrainingData,
    rows: list[dict[str, Any]],
    *,
    metric: str = "ndcg@5",
    view: View = "seen_removed",
) -> Selection:
    """Keep the table of trials with the model of `folder`, and the best of them as its choice."""
    best = max(rows, key=lambda row: float(row[view][metric]))
    table = {
        "schema_version": 1,
        "dataset": data.dataset,
        "fingerprint": data.fingerprint,
        "validation_users": len(data.validation),
        "chosen": best["strategy"],
        "by": {"metric": metric, "view": view},
        "rows": rows,
    }
    replace_text(folder / RECORD, json.dumps(table, indent=1, allow_nan=False))
    artefact.select(
        folder,
        GenerateSettings.model_validate(best["generate"]),
        RetrieveSettings.model_validate(best["retrieve"]),
    )
    return Selection(rows=rows, chosen=best["strategy"], path=folder / RECORD)


def with_known_peak(row: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Where texts were read and not written, take the memory peak from the table that was kept before."""
    if row["peak_vram_bytes"] is not None:
        return row
    for old in read_rows(folder):
        if old.get("generate") == row["generate"]:
            return row | {"peak_vram_bytes": old.get("peak_vram_bytes")}
    return row


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """Give the rows of the table kept in a model's folder; none if there is no readable one."""
    try:
        rows: list[dict[str, Any]] = json.loads((folder / RECORD).read_text(encoding="utf-8"))["rows"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return rows


def decoding_budget(folder: Path) -> list[dict[str, Any]]:
    """What each strategy that was tried brought on validation users, and at what cost; for the record.

    Empty where none were tried. Texts written before are counted at the seconds they took then.
    """
    return [
        {
            "strategy": row["strategy"],
            **{view: row[view] for view in VIEWS},
            "users_per_second": row["users_per_second"],
            "tokens_per_user": row["generation_health"]["tokens_per_user"],
        }
        for row in read_rows(folder)
    ]
