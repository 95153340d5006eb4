"""Part `strategies`: decoding strategies of the model from scratch on validation users, with their cost.

The trials and the choice are those of `genrec-bench select`: the best is kept with the model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from bench.errors import ConfigError
from bench.records import VIEWS, PeakVram
from genrec.config import load_preset
from genrec.finetune import finetune
from genrec.gpu_report.finetuning import vram_columns
from genrec.gpu_report.quality import chosen_settings
from genrec.gpu_report.records import write_table_record
from genrec.gpu_report.setting import Setting
from genrec.gpu_report.steps import Measured, Part, Row, Step, kept_details
from genrec.recommender import release_device_memory
from genrec.selection import Candidate, Trial, keep_best, parse_candidates, with_known_peak

NAME = "strategies"
STRATEGIES = "beam,sample:0.5,sample:0.2,sample:0.1,calrec,constrained"


class _Model:
    """The model that part `llama-60m` chose, trained if it is not there; loaded when first asked for."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self.preset = load_preset(setting.scale.preset, chosen_settings(setting))
        self.data = setting.split().training_data

    @cached_property
    def folder(self) -> Path:
        setting = self._setting
        return finetune(
            self.data, self.preset, setting.scale.preset, seed=setting.seed, work=setting.work
        ).folder

    @cached_property
    def trial(self) -> Trial:
        release_device_memory()
        return Trial(self.folder, self.data)


def steps(setting: Setting) -> Iterable[Step]:
    """One step a strategy, then the choice."""
    model = _Model(setting)
    candidates = parse_candidates(STRATEGIES, model.preset)
    for candidate in candidates:
        yield Step(name=candidate.name, measure=partial(_try, model, candidate))
    yield Step(name="choice", measure=partial(_choose, setting, model, candidates))


def _try(model: _Model, candidate: Candidate) -> Measured:
    trial = with_known_peak(model.trial.run(candidate), model.folder)
    peak = trial["peak_vram_bytes"]
    quality = {
        f"{metric} {view.removeprefix('seen_')}": round(value, 6)
        for view in VIEWS
        for metric, value in trial[view].items()
    }
    row: dict[str, Any] = {
        "strategy": candidate.name,
        **quality,
        "exact_texts": trial["generation_health"]["exact_texts"],
        "users": len(model.data.validation),
        "wall_seconds": trial["wall_seconds"],
        "users_per_second": trial["users_per_second"],
        **vram_columns(PeakVram.model_validate(peak) if peak else None),
    }
    return Measured(row=row, details=trial)


def _choose(setting: Setting, model: _Model, candidates: Sequence[Candidate]) -> Measured:
    trials = kept_details(setting, NAME)
    missing = [candidate.name for candidate in candidates if candidate.name not in trials]
    if missing:
        raise ConfigError(f"no choice without {', '.join(missing)}; run the part again")
    chosen = keep_best(model.folder, model.data, [dict(trials[c.name]) for c in candidates]).chosen
    return Measured(row={"strategy": f"chosen by ndcg@5, seen removed: {chosen}"})


def _summary(setting: Setting, rows: Sequence[Row]) -> Path:
    preset = setting.scale.preset
    return write_table_record(
        setting, NAME, f"{preset}-strategies", "From scratch: strategies on validation users", rows
    )


PART = Part(name=NAME, title="decoding strategies on validation users", steps=steps, summary=_summary)
