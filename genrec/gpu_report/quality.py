"""Parts `llama-60m` and `llama-60m-shuffled`: a model from scratch, chosen on validation, then tested.

Each tie rule is other data with another fingerprint, and so a model of its own, trained on its own
training sequences. Settings are chosen once, on the validation users of the rule `file`.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.errors import ConfigError
from bench.measure import Meter
from bench.metrics import mean_quality, ranks_in_view
from bench.records import VIEWS
from bench.registry import find_model
from bench.runner import DEPTH, Request, run
from genrec.config import load_preset
from genrec.gpu_report.finetuning import vram_columns
from genrec.gpu_report.records import write_table_record
from genrec.gpu_report.setting import Setting
from genrec.gpu_report.steps import Measured, Part, Row, Step, kept_rows
from genrec.recommender import GenerativeRecommender, release_device_memory

NAME = "llama-60m"
SHUFFLED_NAME = "llama-60m-shuffled"
TIES, SHUFFLED_TIES = "file", "shuffled:0"
STRATEGIES = ("beam", "constrained")
CHOSEN_BY = "ndcg@5 removed"


def steps(setting: Setting) -> Iterable[Step]:
    """Every candidate on validation users, then the best of them on all test users."""
    for candidate in setting.scale.candidates:
        yield Step(name=_name(candidate), measure=partial(_try_candidate, setting, candidate))
    yield from _test_steps(setting, TIES)


def shuffled_steps(setting: Setting) -> Iterable[Step]:
    """The same settings, trained and tested on the other tie rule's split."""
    chosen_settings(setting)  # before a model is trained
    yield from _test_steps(setting, SHUFFLED_TIES)


def _test_steps(setting: Setting, ties: str) -> Iterable[Step]:
    for strategy in STRATEGIES:
        name = f"test {ties} {strategy}"
        yield Step(name=name, measure=partial(_on_test_users, setting, ties, strategy))


def chosen_settings(setting: Setting) -> tuple[str, ...]:
    """Overrides of the candidate that is best on validation users.

    Raises ConfigError while there is one that has not been tried.
    """
    rows = kept_rows(setting, NAME)
    names = {_name(candidate): candidate for candidate in setting.scale.candidates}
    if missing := [name for name in names if name not in rows]:
        raise ConfigError(f"part {NAME} comes first: not tried yet are {', '.join(missing)}")
    best = max(names, key=lambda name: float(rows[name][CHOSEN_BY]))
    return (*setting.scale.preset_settings, *names[best])


def validation_row(setting: Setting, overrides: Sequence[str]) -> dict[str, Any]:
    """Fit with these overrides (or take the finished model) and score the lists of validation users."""
    release_device_memory()
    data = setting.split().training_data
    with Meter() as meter:
        model = GenerativeRecommender(
            setting.scale.preset, setting.seed, tuple(overrides), work_dir=setting.work
        )
        model.check_available(data)
        with meter.stage("fit"):
            model.fit(data)
        with meter.stage("recommend"):
            rankings = model.recommend(data.validation.histories, DEPTH)
    row: dict[str, Any] = {}
    for view in VIEWS:
        quality = mean_quality(ranks_in_view(rankings, data.validation, view), (5,))
        row |= {f"{metric} {view.removeprefix('seen_')}": round(v, 6) for metric, v in quality.items()}
    details = model.details()
    seconds = details["generation_seconds"]
    return {
        **row,
        "users": len(data.validation),
        "fit_seconds": details["fit_seconds"],
        "generate_seconds": round(seconds, 3),
        "users_per_second": round(len(data.validation) / seconds, 2) if seconds else None,
        **vram_columns(meter.peak_vram_bytes),
    }


def _name(candidate: Sequence[str]) -> str:
    return f"validation {' '.join(candidate) or 'as the preset'}"


def _own_strategy(setting: Setting) -> str:
    return load_preset(setting.scale.preset, setting.scale.preset_settings).generate.strategy


def _try_candidate(setting: Setting, candidate: tuple[str, ...]) -> Measured:
    # said outright, so that a strategy selected since does not take its place
    strategy = f"generate.strategy={_own_strategy(setting)}"
    row = validation_row(setting, (*setting.scale.preset_settings, *candidate, strategy))
    return Measured(row={"what": _name(candidate), **row})


def _on_test_users(setting: Setting, ties: str, strategy: str) -> Measured:
    release_device_memory()
    preset = setting.scale.preset
    settings = (*chosen_settings(setting), f"generate.strategy={strategy}")
    entry = find_model(preset)
    if strategy != _own_strategy(setting):  # one name a row of the board
        entry = replace(entry, name=f"{preset}-{strategy}", display_name=f"{entry.display_name}, {strategy}")
    request = Request(
        entry=entry,
        load=lambda: (setting.split(ties), setting.load_seconds(ties)),
        results_dir=setting.results_dir,
        command=_command(setting, ties, settings),
        seed=setting.seed,
        arguments={"settings": settings, "work_dir": setting.work},
    )
    outcome = run(request)
    record = outcome.record
    assert record.metrics is not None  # the runner writes whole records
    row: dict[str, Any] = {"what": f"test {ties} {strategy}"}
    for view, metrics in (("kept", record.metrics.seen_kept), ("removed", record.metrics.seen_removed)):
        row |= {f"{metric} {view}": metrics[metric].value for metric in ("recall@5", "ndcg@5", "mrr@5")}
    return Measured(
        row={
            **row,
            "users": record.dataset.users,
            "fit_seconds": record.cost.wall_seconds["fit"],
            "generate_seconds": record.cost.wall_seconds["recommend"],
            "users_per_second": record.cost.users_per_second,
            **vram_columns(record.cost.peak_vram_bytes),
        },
        record=outcome.path,
    )


def _command(setting: Setting, ties: str, settings: Sequence[str]) -> str:
    parts = ["pytest", "bench", "--benchmark", "--dataset", setting.dataset, "--models", setting.scale.preset]
    parts += ["--ties", ties, "--seed", str(setting.seed)]
    return shlex.join([*parts, *(word for given in settings for word in ("--set", given))])


def _summary(setting: Setting, rows: Sequence[Row]) -> Path:
    return write_table_record(
        setting, NAME, f"{setting.scale.preset}-candidates",
        "From scratch: settings tried on validation users", rows[: len(setting.scale.candidates)],
    )  # fmt: skip


PART = Part(
    name=NAME, title="a model from scratch: validation, then all test users", steps=steps, summary=_summary
)

SHUFFLED_PART = Part(
    name=SHUFFLED_NAME, title="the same on the split with same-day order shuffled", steps=shuffled_steps
)
