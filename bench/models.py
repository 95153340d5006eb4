"""The table of models: name -> where its class lives, imported only when it is asked for."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, get_args

from bench.errors import ConfigError, unknown_name
from bench.recommender import Recommender
from bench.record import NAME_PATTERN, Kind

ENTRY_POINT_GROUP = "genrec_bench.models"


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """Where a model is found and how the board names it."""

    name: str
    target: str
    """'package.module:Class', or an absolute 'file.py:Class'."""
    kind: Kind
    display_name: str
    authors: str = ""
    link: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of the constructor, beside the seed."""
    default: bool = False
    """Whether the model is part of a run that names no models."""
    uses_times: bool = False
    """Whether it is told when purchases took place and when a list is asked for; its rows are marked."""


_OURS = "genrec-bench"


def _baseline(name: str, target: str, display_name: str) -> ModelEntry:
    return ModelEntry(
        name=name, target=target, kind="baseline", display_name=display_name, authors=_OURS, default=True
    )


def _llama(name: str, display_name: str, *, default: bool = False) -> ModelEntry:
    return ModelEntry(
        name=name,
        target="genrec.recommender:GenerativeRecommender",
        kind="generative",
        display_name=display_name,
        authors=_OURS,
        arguments={"preset": name},
        default=default,
    )


def _cheap(
    name: str, target: str, display_name: str, kind: Kind = "untrained", *, uses_times: bool = False
) -> ModelEntry:
    return ModelEntry(
        name=name,
        target=target,
        kind=kind,
        display_name=display_name,
        authors=_OURS,
        uses_times=uses_times,
    )


MODELS: dict[str, ModelEntry] = {
    entry.name: entry
    for entry in (
        _baseline("random-items", "baselines.random_items:RandomItems", "Random items"),
        _baseline(
            "popularity-weighted",
            "baselines.popularity_weighted:PopularityWeighted",
            "Popularity-weighted random",
        ),
        _cheap("most-popular", "baselines.most_popular:MostPopular", "Most popular", "baseline"),
        _baseline("repeat-last", "baselines.repeat_last:RepeatLast", "Repeat last seen"),
        _baseline("last-item-text", "baselines.last_item_text:LastItemText", "Last item's text (BM25)"),
        _cheap("co-visit", "baselines.co_visit:CoVisit", "Co-visit"),
        _cheap("text-history", "baselines.text_history:TextHistory", "Text of the history (BM25)"),
        _cheap("text-co-visit", "baselines.text_co_visit:TextCoVisit", "Text + co-visit"),
        _cheap(
            "text-co-visit-times",
            "baselines.text_co_visit_times:TextCoVisitTimes",
            "Text + co-visit, with times",
            uses_times=True,
        ),
        _cheap("item-knn", "baselines.item_knn:ItemKNN", "ItemKNN (cosine)"),
        _cheap("markov", "baselines.markov:Markov", "Markov chain"),
        _cheap("ease", "baselines.ease:EASE", "EASE", "sequential"),
        _cheap("last-item-dense", "baselines.dense_history:LastItemDense", "Embeddings of the last item"),
        _cheap("dense-history", "baselines.dense_history:DenseHistory", "Embeddings of the history"),
        _cheap("sasrec-ce", "baselines.sasrec_ce:SASRecCE", "SASRec, cross-entropy", "sequential"),
        _cheap("ranker", "baselines.ranker.model:Ranker", "Two-stage ranker (LambdaRank)", "sequential"),
        _cheap(
            "ranker-times",
            "baselines.ranker.model:RankerTimes",
            "Two-stage ranker, with times",
            "sequential",
            uses_times=True,
        ),
        _llama("llama-tiny", "LLaMA tiny, from scratch", default=True),
        _llama("llama-60m", "LLaMA 60M, from scratch"),
        _llama("smollm2-135m", "SmolLM2 135M"),
        ModelEntry(
            name="smollm2-135m-score",
            target="genrec.candidate_ranker:CandidateRanker",
            kind="hybrid",
            display_name="SmolLM2 135M: a cheap row's candidates by likelihood",
            authors=_OURS,
            arguments={"preset": "smollm2-135m-score"},
        ),
        ModelEntry(
            name="smollm2-135m-prompted",
            target="genrec.prompted.recommender:PromptedRecommender",
            kind="generative",
            display_name="SmolLM2 135M Instruct, prompted",
            authors=_OURS,
            arguments={"preset": "smollm2-135m-prompted"},
        ),
        ModelEntry(
            name="smollm2-135m-rerank",
            target="genrec.prompted.reranker:Reranker",
            kind="hybrid",
            display_name="SmolLM2 135M Instruct: a cheap row's candidates in its order",
            authors=_OURS,
            arguments={"preset": "smollm2-135m-rerank"},
        ),
        _llama("llama-1b", "LLaMA 3.2 1B, QLoRA"),
        _llama("llama-3b", "LLaMA 3.2 3B, QLoRA"),
        _llama("llama-8b", "LLaMA 3.1 8B, QLoRA"),
    )
}


def available_models() -> dict[str, ModelEntry]:
    """Give the built-in models and those that installed packages add by entry point, importing none."""
    models = dict(MODELS)
    for point in entry_points(group=ENTRY_POINT_GROUP):
        if point.name in MODELS:
            raise ConfigError(
                f"the entry point '{point.name}' ({point.value}) has the name of a built-in model; rename it"
            )
        models[point.name] = ModelEntry(
            name=point.name,
            target=f"{point.module}:{point.attr}",
            kind="sequential",
            display_name=point.name,
        )
    return models


def find_model(name: str, extra: Mapping[str, ModelEntry] | None = None) -> ModelEntry:
    """Look a model up by name; `extra` holds those given by --model-file.

    The class of an installed package is imported here, as it says how it wants to be shown.
    """
    models = {**available_models(), **(extra or {})}
    if name not in models:
        raise unknown_name("model", name, models)
    entry = models[name]
    own = name in MODELS or name in (extra or {})
    return entry if own else _entry_of(name, entry.target, _load(entry.target))


def model_from_file(location: str) -> ModelEntry:
    """Read 'path.py:Class' (as --model-file takes it) into an entry named by the class."""
    path_text, _, class_name = location.rpartition(":")
    path = Path(path_text).expanduser()
    if not path_text or not class_name.isidentifier():
        raise ConfigError(f"--model-file takes path.py:Class, got '{location}'")
    if not path.is_file():
        raise ConfigError(f"--model-file: there is no file '{path}'")
    target = f"{path.resolve()}:{class_name}"
    loaded = _load(target)
    name = getattr(loaded, "name", None) or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", class_name).lower()
    return _entry_of(str(name), target, loaded)


def create(entry: ModelEntry, *, seed: int, **arguments: Any) -> Recommender:
    """Construct the model; an argument that its constructor does not take is an error."""
    loaded = _load(entry.target)
    given = {**entry.arguments, **arguments}
    accepted = inspect.signature(loaded).parameters
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in accepted.values())
    for name in ("seed", *given):
        if name not in accepted and not takes_any:
            raise ConfigError(
                f"model '{entry.name}' has no setting '{name}'; it takes: {', '.join(accepted) or 'nothing'}"
            )
    model = loaded(seed=seed, **given)
    for method in ("fit", "recommend"):
        if not callable(getattr(model, method, None)):
            raise ConfigError(f"model '{entry.name}' ({entry.target}) has no method '{method}'")
    return model  # type: ignore[no-any-return]


def load_class(entry: ModelEntry) -> Any:
    """Import the class of a model; ConfigError says what is wrong with it."""
    return _load(entry.target)


def tuned_folder(entry: ModelEntry) -> Path:
    """Where the tuned constants of a model lie: `tuned` in its package, or beside its file."""
    module, _, _ = entry.target.rpartition(":")
    if module.endswith(".py"):
        return Path(module).parent / "tuned"
    package = importlib.util.find_spec(module.partition(".")[0])
    if package is None or package.origin is None:
        raise ConfigError(f"model '{entry.name}': there is no package for {entry.target}")
    return Path(package.origin).parent / "tuned"


def _entry_of(name: str, target: str, loaded: Any) -> ModelEntry:
    if not re.match(NAME_PATTERN, name):
        raise ConfigError(
            f"model name '{name}' is not allowed: use lower-case letters, digits, '.', '_', '-'"
        )
    if name in MODELS:
        raise ConfigError(f"model name '{name}' is taken by a built-in model; give the class another `name`")
    kind: Any = getattr(loaded, "kind", "sequential")
    if kind not in get_args(Kind):
        raise unknown_name(f"kind of model '{name}'", str(kind), get_args(Kind))
    return ModelEntry(
        name=name,
        target=target,
        kind=kind,
        display_name=getattr(loaded, "display_name", name),
        authors=getattr(loaded, "authors", ""),
        link=getattr(loaded, "link", ""),
        uses_times=bool(getattr(loaded, "uses_times", False)),
    )


def _load(target: str) -> Any:
    module_name, _, attribute = target.rpartition(":")
    is_file = module_name.endswith(".py")
    try:
        module = _import_file(Path(module_name)) if is_file else importlib.import_module(module_name)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise ConfigError(
            f"{module_name} cannot be imported: {type(error).__name__}: {error} "
            f"(raised in {Path(place.filename).name}, line {place.lineno})"
        ) from error
    if not hasattr(module, attribute):
        raise unknown_name(f"class in {module_name}", attribute, [n for n in vars(module) if n[0].isupper()])
    loaded = getattr(module, attribute)
    if not callable(loaded):
        raise ConfigError(f"'{attribute}' in {module_name} is not a class, it is {loaded!r}")
    return loaded


def _import_file(path: Path) -> Any:
    name = f"genrec_bench_model_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"'{path}' is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look a class's module up by name
    spec.loader.exec_module(module)
    return module
