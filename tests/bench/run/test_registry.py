"""The table of models: built-in, added by an installed package, given as a file."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

from bench import models
from bench.contract import RecommenderContract
from bench.errors import ConfigError
from bench.metrics.ranking import evaluate
from bench.models import MODELS, available_models, create, find_model, model_from_file
from bench.recommender import Recommender
from bench.schema import Split

EXAMPLE = Path(__file__).parents[2] / "examples" / "example_model.py"


class TestExampleModel(RecommenderContract):
    """The README's example passes what every model must pass."""

    def make_model(self, seed: int) -> Recommender:
        return create(model_from_file(f"{EXAMPLE}:NextItem"), seed=seed)


def test_the_example_is_short_and_learns(sample_split: Split) -> None:
    assert len(EXAMPLE.read_text().splitlines()) < 25
    recall = {}
    for entry in (model_from_file(f"{EXAMPLE}:NextItem"), find_model("popularity-weighted")):
        model = create(entry, seed=0)
        model.fit(sample_split.training_data)
        lists = np.asarray(model.recommend(sample_split.test.histories, 20))
        recall[entry.name] = evaluate(sample_split, lists, resamples=10).seen_removed["recall@5"].value
    assert recall["next-item"] > 3 * recall["popularity-weighted"]


def test_every_built_in_name_is_its_key_and_the_baselines_run_by_default() -> None:
    assert all(name == entry.name for name, entry in MODELS.items())
    assert {"random-items", "popularity-weighted", "repeat-last", "last-item-text"} <= {
        name for name, entry in MODELS.items() if entry.default
    }


@pytest.mark.parametrize("name", [name for name, entry in MODELS.items() if entry.kind == "baseline"])
def test_the_table_says_what_the_class_says(name: str) -> None:
    model = create(MODELS[name], seed=3)
    assert isinstance(model, Recommender)
    assert model.kind == MODELS[name].kind  # type: ignore[attr-defined]
    assert model.display_name == MODELS[name].display_name  # type: ignore[attr-defined]
    assert model.seed == 3  # type: ignore[attr-defined]


def test_looking_at_the_table_imports_no_model() -> None:
    code = (
        "import sys; from bench.models import available_models, find_model\n"
        "available_models(); find_model('llama-8b'); find_model('last-item-text')\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('genrec', 'baselines', 'torch')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_model_names_the_closest() -> None:
    with pytest.raises(ConfigError, match="unknown model 'last-item'; did you mean 'last-item-text'"):
        find_model("last-item")


# -- entry points ---------------------------------------------------------------------------------


def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str, name: str = "their-model") -> None:
    """Act as if a package with this module and one entry point were installed."""
    (tmp_path / "their_package.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "their_package", raising=False)
    point = EntryPoint(name=name, value="their_package:Theirs", group=models.ENTRY_POINT_GROUP)
    monkeypatch.setattr(models, "entry_points", lambda group: [point] if group == point.group else [])


MODEL = """
class Theirs:
    kind = "hybrid"
    display_name = "Their model"
    authors = "They"
    link = "https://example.org"

    def __init__(self, seed, depth_factor=2):
        self.factor = depth_factor

    def fit(self, data): ...

    def recommend(self, histories, depth): ...
"""


def test_an_installed_package_adds_a_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, tmp_path, MODEL)
    assert "their-model" in available_models()
    assert "their_package" not in sys.modules
    entry = find_model("their-model")
    assert (entry.kind, entry.display_name, entry.authors) == ("hybrid", "Their model", "They")
    assert not entry.default
    assert create(entry, seed=1, depth_factor=5).factor == 5  # type: ignore[attr-defined]


def test_a_broken_package_stops_only_its_own_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, tmp_path, "x = 1\nimport no_such_library\n")
    assert find_model("random-items").name == "random-items"
    with pytest.raises(ConfigError, match=r"their_package cannot be imported.*no_such_library.*line 2"):
        find_model("their-model")


def test_an_entry_point_cannot_take_a_built_in_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, tmp_path, MODEL, name="random-items")
    with pytest.raises(ConfigError, match=r"'random-items' \(their_package:Theirs\)"):
        available_models()


@pytest.mark.parametrize(
    ("source", "name", "message"),
    [
        (
            MODEL.replace("hybrid", "hybird"),
            "theirs",
            "kind of model 'theirs' 'hybird'; did you mean 'hybrid'",
        ),
        (MODEL, "Their Model", "model name 'Their Model' is not allowed"),
        (MODEL.replace("Theirs", "There"), "theirs", "in their_package 'Theirs'; did you mean 'There'"),
        ("Theirs = 3", "theirs", "'Theirs' in their_package is not a class"),
    ],
)
def test_a_bad_entry_point_is_explained(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str, name: str, message: str
) -> None:
    install(monkeypatch, tmp_path, source, name)
    with pytest.raises(ConfigError, match=message):
        find_model(name)


# -- model files ----------------------------------------------------------------------------------


def test_a_model_file_is_named_by_its_class_or_by_itself(tmp_path: Path) -> None:
    assert model_from_file(f"{EXAMPLE}:NextItem").name == "next-item"
    path = tmp_path / "mine.py"
    path.write_text(MODEL + "\n    name = 'mine-v2'\n")
    entry = model_from_file(f"{path}:Theirs")
    assert (entry.name, entry.kind) == ("mine-v2", "hybrid")
    assert find_model("mine-v2", {entry.name: entry}) is entry


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("mine.py", "takes path.py:Class, got 'mine.py'"),
        ("{folder}/mine.py:Not a name", "takes path.py:Class"),
        ("{folder}/absent.py:Theirs", "there is no file"),
        ("{folder}/mine.py:Their", "did you mean 'Theirs'"),
        ("{folder}/mine.py:RandomItems", "'random-items' is taken by a built-in model"),
        ("{folder}/broken.py:Theirs", "cannot be imported: SyntaxError: .*line 1"),
        ("{folder}/raises.py:Theirs", r"cannot be imported: ZeroDivisionError: .*raises.py, line 2"),
    ],
)
def test_a_bad_model_file_is_explained(tmp_path: Path, location: str, message: str) -> None:
    (tmp_path / "mine.py").write_text(MODEL + "\nclass RandomItems(Theirs): ...\n")
    (tmp_path / "broken.py").write_text("class Theirs(:\n")
    (tmp_path / "raises.py").write_text("\n1 / 0\n")
    with pytest.raises(ConfigError, match=message):
        model_from_file(location.format(folder=tmp_path))


# -- constructors ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (MODEL.replace("(self, seed, ", "(self, "), "has no setting 'seed'; it takes: depth_factor"),
        (MODEL.replace("def fit", "def fitt"), "has no method 'fit'"),
        (MODEL.replace("def recommend", "def rank"), "has no method 'recommend'"),
    ],
)
def test_a_bad_constructor_is_explained(tmp_path: Path, source: str, message: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(source)
    with pytest.raises(ConfigError, match=message):
        create(model_from_file(f"{path}:Theirs"), seed=0)


def test_a_setting_that_the_model_does_not_take_is_an_error() -> None:
    with pytest.raises(
        ConfigError, match="model 'random-items' has no setting 'temperature'; it takes: seed"
    ):
        create(MODELS["random-items"], seed=0, temperature=2)
