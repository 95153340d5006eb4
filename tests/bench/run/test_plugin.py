"""`pytest bench --benchmark` as a user types it: cases, options, tables, records, and clear refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from bench.datasets.splits import load_split
from bench.metrics.ranking import evaluate
from bench.models import MODELS
from bench.records import store
from bench.records.list_files import read_lists
from bench.run.session import BenchSession

ROOT = Path(__file__).resolve().parents[3]

MODEL = '''
import numpy as np


class TopOfTheShop:
    """Everyone gets the first items of the catalogue."""

    def __init__(self, seed):
        self.parameters = {"first": 3}

    def fit(self, data):
        self.items = len(data.catalogue)

    def recommend(self, histories, depth):
        return np.tile(np.arange(min(depth, 3), dtype=np.int32), (len(histories), 1))


class Broken(TopOfTheShop):
    def recommend(self, histories, depth):
        return np.zeros((len(histories), 3), dtype=np.int32)


class Absent(TopOfTheShop):
    def check_available(self, data):
        from bench.errors import Unavailable

        raise Unavailable("needs a part that is not here; get it with: pip install part")


class Shuffles(TopOfTheShop):
    def fit(self, data):
        np.random.shuffle(data.train.items)


class SortsHistories(TopOfTheShop):
    def recommend(self, histories, depth):
        histories.items.sort()


class Exits(TopOfTheShop):
    def fit(self, data):
        raise SystemExit(3)
'''


@dataclass(frozen=True)
class Done:
    code: int
    printed: str


Bench = Callable[..., Done]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bench:
    """`pytest bench` in the folder `tmp_path`, within this process.

    (pytester would unload what a run imports, and NumPy cannot be loaded twice.)
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # under which pytest-benchmark times nothing

    def run(*arguments: str) -> Done:
        code = pytest.main([str(ROOT / "bench"), "-p", "no:cacheprovider", *arguments])
        return Done(int(code), "".join(capsys.readouterr()))

    return run


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(MODEL)
    return path


def test_a_run_writes_a_record_and_prints_the_tables(bench: Bench, tmp_path: Path) -> None:
    json_path = tmp_path / "timings.json"
    done = bench(
        "--benchmark",
        "--models",
        "random-items",
        "--seed",
        "7",
        f"--benchmark-json={json_path}",
    )
    assert done.code == 0, done.printed
    assert "1 passed" in done.printed
    assert "genrec-bench data download beauty2014" in done.printed  # how to get the real data
    assert "random-items" in done.printed and "Recall@5" in done.printed
    loaded = store.load_records(tmp_path / "results")
    (stored,) = loaded.records
    record = stored.record
    assert loaded.problems == []
    assert str(stored.path) in done.printed
    assert (record.seed, record.depth, record.dataset.name) == (7, 50, "sample")
    assert {"load", "start", "fit", "recommend", "latency", "score"} == set(record.cost.wall_seconds)
    assert record.cost.peak_rss_bytes and record.cost.latency_ms is not None
    assert record.metrics is not None
    (timing,) = json.loads(json_path.read_text())["benchmarks"]
    for view in ("seen_kept", "seen_removed"):
        expected = getattr(record.metrics, view)["recall@5"].value
        assert timing["extra_info"][f"{view}/recall@5"] == expected
    assert read_lists(stored, load_split("sample")).shape == (record.dataset.users, 50)


def test_without_the_option_every_case_skips_and_says_why(bench: Bench, tmp_path: Path) -> None:
    done = bench("-rs")
    assert done.code == 0
    assert "pytest bench --benchmark" in done.printed
    assert "passed" not in done.printed.splitlines()[-1] and "skipped" in done.printed.splitlines()[-1]
    assert not (tmp_path / "results").exists()


def test_a_model_of_ones_own(bench: Bench, model_file: Path, tmp_path: Path) -> None:
    done = bench("--benchmark", "--model-file", f"{model_file}:TopOfTheShop", "--depth", "5")
    assert done.code == 0, done.printed
    (stored,) = store.load_records(tmp_path / "results").records
    assert stored.record.model.name == "top-of-the-shop"
    assert stored.record.model.parameters == {"first": 3}
    assert stored.record.command == (
        "pytest bench --benchmark --dataset sample --model-file mine.py:TopOfTheShop "
        "--ties file --seed 0 --depth 5"
    )


def test_a_model_that_breaks_the_contract_fails_and_writes_nothing(
    bench: Bench, model_file: Path, tmp_path: Path
) -> None:
    done = bench("--benchmark", "--model-file", f"{model_file}:Broken")
    assert done.code == 1
    assert "broke the contract of ranked lists" in done.printed
    assert not list(tmp_path.glob("results/**/*.json"))


def test_models_cannot_touch_each_other(bench: Bench, model_file: Path, tmp_path: Path) -> None:
    names = ("Shuffles", "SortsHistories", "Exits", "TopOfTheShop")
    options = [word for name in names for word in ("--model-file", f"{model_file}:{name}")]
    done = bench("--benchmark", *options)
    assert "3 failed, 1 passed" in done.printed
    for name in ("shuffles", "sorts-histories"):
        assert f"model '{name}' writes into an array that it was given" in done.printed
    assert "model 'exits' raised SystemExit: 3" in done.printed
    assert "runner.py" not in done.printed, "the harness's own traceback says nothing"
    (stored,) = store.load_records(tmp_path / "results").records
    split = load_split("sample")
    lists = np.tile(np.arange(3, dtype=np.int32), (len(split.test), 1))
    assert stored.record.metrics == evaluate(split, lists, depth=50)


def test_the_recorded_command_holds_every_setting_given_by_hand(tmp_path: Path) -> None:
    session = BenchSession(
        dataset="sample",
        dataset_given=True,
        entries=[],
        split="loo",
        ties="shuffled:3",
        seed=5,
        depth=20,
        results_dir=tmp_path,
        data_dir=None,
        settings=("generate.num_beams=3", "finetune.epochs=1"),
        capture=None,
    )
    assert session.command(MODELS["llama-tiny"]) == (
        "pytest bench --benchmark --dataset sample --models llama-tiny --ties shuffled:3 --seed 5 --depth 20 "
        "--set generate.num_beams=3 --set finetune.epochs=1"
    )
    assert "--set" not in session.command(MODELS["random-items"]), "it takes none of them"


def test_a_model_that_cannot_run_here_skips_and_says_how_to_get_it(
    bench: Bench, model_file: Path, tmp_path: Path
) -> None:
    done = bench("--benchmark", "-rs", "--model-file", f"{model_file}:Absent")
    assert done.code == 0
    assert "1 skipped" in done.printed and "pip install part" in done.printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "beuty2014"], "unknown data set 'beuty2014'; did you mean 'beauty2014'?"),
        (["--models", "last-item"], "unknown model 'last-item'; did you mean 'last-item-text'?"),
        (["--models", ","], "none was given"),
        (["--ties", "random"], "random"),
        (["--ties", "shuffled:x"], "shuffled:"),
        (["--seed", "one"], "--seed takes a whole number"),
        (["--depth", "0"], "--depth takes a whole number"),
        (["--model-file", "nowhere.py:Model"], "there is no file 'nowhere.py'"),
        (["--model-file", "mine.py"], "path.py:Class"),
        (["--models", "random-items", "--set", "finetune.lora_r=4"], "--set changes generative models"),
        (["--dataset", "beauty2014", "--models", "random-items", "--data-dir", "nowhere"], "nowhere"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_runs(
    bench: Bench, arguments: list[str], message: str, tmp_path: Path
) -> None:
    done = bench("--benchmark", *arguments)
    assert done.code == pytest.ExitCode.USAGE_ERROR
    assert message in done.printed
    assert "Traceback" not in done.printed
    assert not list(tmp_path.glob("results/**/*.json"))


def test_speed_cases_run_only_when_named(bench: Bench, tmp_path: Path) -> None:
    quiet = bench("--benchmark", "--collect-only", "-q")
    named = bench("--benchmark", "--collect-only", "-q", "-k", "speed")
    assert "test_speed" not in quiet.printed and "deselected" in quiet.printed
    assert "test_speed" in named.printed
