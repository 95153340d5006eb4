"""Search a model's constants on validation users by Optuna's TPE, in a study that can be taken up again.

Source of the sampler: Bergstra et al., "Algorithms for hyper-parameter optimization" (NeurIPS 2011), as
Optuna implements it (multivariate, so that constants that act together are drawn together); or small steps
from the best point (`local_search`), in the same study. The first trial is the model's own defaults; the
next, where the study is given one, a point to start from.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import random
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from bench.errors import ConfigError, Unavailable
from bench.guard import untouched
from bench.metrics.ranking import parse_metric, ranks_in_view, user_outcomes
from bench.models import ModelEntry, create, load_class
from bench.progress import report
from bench.record import View
from bench.schema import TrainingData
from bench.tuning.local_search import step
from bench.tuning.space import OneOf, Range, Space, Tunable, Whole

Sampler = Literal["tpe", "local"]
SAMPLERS: Mapping[Sampler, str] = {"tpe": "TPE, multivariate", "local": "hill climbing"}
STARTUP_TRIALS = 20
"""Drawn at random before the sampler has something to go by."""
DEPTH = 50
"""Lists asked for in a trial: as deep as those of a run, so that seen items can be taken out of them."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """The outcome of a study."""

    chosen: dict[str, Any]
    value: float
    default_value: float | None
    trials: int
    seconds: float
    space: dict[str, dict[str, Any]]


def takes_constants(entry: ModelEntry) -> bool:
    """Whether the model's class declares constants that can be chosen."""
    return isinstance(load_class(entry), Tunable)


def space_of(entry: ModelEntry) -> Space:
    """Give what a model lets a tuner choose; ConfigError for a model that declares nothing."""
    space = load_class(entry).space() if takes_constants(entry) else {}
    if not space:
        raise ConfigError(
            f"model '{entry.name}' declares no constants to tune: its class needs a class method space() "
            "that gives a range (bench.tuning.space) for each keyword argument of its constructor to choose"
        )
    return space


def described(space: Space) -> dict[str, dict[str, Any]]:
    """Give a search space as plain JSON."""
    return {name: {"kind": type(found).__name__.lower(), **asdict(found)} for name, found in space.items()}


def search(
    entry: ModelEntry,
    data: TrainingData,
    *,
    trials: int,
    seconds: float | None = None,
    metric: str = "ndcg@10",
    view: View = "seen_removed",
    seed: int = 0,
    journal: Path,
    start: Mapping[str, Any] | None = None,
    sampler: Sampler = "tpe",
) -> Found:
    """Try sets of constants on `data.validation` until there are `trials`, or `seconds` have gone by.

    Finished trials are read from `journal`, a file of the study, and count. A set of constants with which
    the model fails ends the search with the model's own error.
    """
    optuna = _optuna()
    space = space_of(entry)
    study = _open_study(optuna, journal, _study_name(entry, data, space, metric, view, seed), seed)
    points = [start or {}]
    if not study.trials:
        points.insert(0, getattr(create(entry, seed=seed), "parameters", {}))
    for point in points:
        known = {name: point[name] for name in space if name in point}
        if known:
            study.enqueue_trial(known, skip_if_exists=True)
    begun = time.perf_counter()
    finished = _finished(study)
    while len(finished) < trials and (seconds is None or time.perf_counter() - begun < seconds):
        if sampler == "local" and finished and not _waiting(study):
            best_so_far = max(finished, key=lambda found: found.value).params
            study.enqueue_trial(step(random.Random(f"{seed}-{len(finished)}"), space, best_so_far))
        trial = study.ask()
        constants = {name: _suggest(trial, name, found) for name, found in space.items()}
        clock = time.perf_counter()
        value = score(entry, data, constants, metric=metric, view=view, seed=seed)
        trial.set_user_attr("seconds", time.perf_counter() - clock)
        study.tell(trial, value)
        finished = _finished(study)
        best = max(found.value for found in finished)
        report("trials", len(finished), trials, f"{metric} {value:.4f}, best {best:.4f}")
    if not finished:
        raise ConfigError("no trial was finished: give the search more trials or more seconds")
    best_trial = max(finished, key=lambda found: found.value)  # of equal ones the first
    return Found(
        chosen={name: best_trial.params[name] for name in space},
        value=float(best_trial.value),
        default_value=next((float(found.value) for found in finished if found.number == 0), None),
        trials=len(finished),
        seconds=round(sum(found.user_attrs["seconds"] for found in finished), 3),
        space=described(space),
    )


def score(
    entry: ModelEntry,
    data: TrainingData,
    constants: Mapping[str, Any],
    *,
    metric: str,
    view: View,
    seed: int,
) -> float:
    """Fit the model with these constants and give its mean metric on the validation users."""
    _, cutoff = parse_metric(metric)
    model = create(entry, seed=seed, **constants)
    with untouched(model, entry.name, data=data):  # the next trial reads the same arrays
        model.fit(data)
        rankings = model.recommend(data.validation.requests, max(DEPTH, cutoff))
    return float(user_outcomes(ranks_in_view(rankings, data.validation, view), metric).mean())


def _suggest(trial: Any, name: str, found: Range) -> Any:
    if isinstance(found, OneOf):
        return trial.suggest_categorical(name, list(found.options))
    if isinstance(found, Whole):
        return trial.suggest_int(name, found.low, found.high, log=found.log)
    return trial.suggest_float(name, found.low, found.high, log=found.log)


def _study_name(
    entry: ModelEntry, data: TrainingData, space: Space, metric: str, view: View, seed: int
) -> str:
    """Name what a trial depends on: another space, metric, model file or other users are another study."""
    users = hashlib.sha256(data.validation.histories.users.tobytes() + data.validation.targets.tobytes())
    source = inspect.getsource(sys.modules[load_class(entry).__module__])
    code = hashlib.sha256(source.encode())
    parts = [
        entry.name,
        code.hexdigest(),
        data.fingerprint,
        users.hexdigest(),
        described(space),
        metric,
        view,
        seed,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _open_study(optuna: Any, journal: Path, name: str, seed: int) -> Any:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    journal.parent.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(journal))),
        study_name=name,
        direction="maximize",
        load_if_exists=True,
    )
    # a study that is taken up again must not draw what it has drawn
    study.sampler = optuna.samplers.TPESampler(
        seed=seed + len(study.trials), n_startup_trials=STARTUP_TRIALS, multivariate=True
    )
    return study


def _waiting(study: Any) -> bool:
    """Whether points that were asked for by name are still to be tried."""
    return any(trial.state.name == "WAITING" for trial in study.get_trials(deepcopy=False))


def _finished(study: Any) -> list[Any]:
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"]


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise Unavailable("tuning needs Optuna: pip install 'genrec-bench[tune]'") from None
    return optuna
