"""The whole sequence, seen by models that write down what happens to them in their own process."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.errors import BenchError, ConfigError, DataError, ModelError, Unavailable
from bench.guard import array_digests
from bench.metrics.ranking import evaluate
from bench.models import model_from_file
from bench.progress import listening
from bench.record import ModelInfo
from bench.records import store
from bench.records.audits import audit
from bench.records.list_files import read_lists
from bench.run import runner
from bench.run.runner import Outcome, Request, dataset_info, run
from bench.schema import Split

MODELS = Path(__file__).with_name("spy_models.py")


class Harness:
    """Runs spy models on a split, results and log in a folder of the test."""

    def __init__(self, folder: Path, split: Split) -> None:
        self.results = folder / "results"
        self.log = folder / "log.jsonl"
        self.split = split

    def run(self, model: str, **options: Any) -> Outcome:
        self.log.unlink(missing_ok=True)
        request = {
            "entry": model_from_file(f"{MODELS}:{model}"),
            "load": lambda: (self.split, 0.25),
            "results_dir": self.results,
            "command": "as typed",
            "arguments": {"log": str(self.log)},
            **options,
        }
        return run(Request(**request))

    def calls(self, *names: str) -> list[dict[str, Any]]:
        lines = map(json.loads, self.log.read_text(encoding="utf-8").splitlines())
        return [line for line in lines if not names or line["call"] in names]


@pytest.fixture
def harness(tmp_path: Path, toy_split: Split) -> Harness:
    return Harness(tmp_path, toy_split)


def test_the_sequence_and_what_the_model_is_given(harness: Harness) -> None:
    outcome = harness.run("Whole", seed=7, depth=3)
    users = len(harness.split.test)
    calls = [call["call"] for call in harness.calls()]
    assert calls[:6] == ["init", "check_available", "fit", "recommend", "details", "recommend_afresh"]
    assert set(calls[6:]) == {"recommend_afresh"}  # single requests for the latency, and nothing else
    (init,), (fit,), (asked,) = harness.calls("init"), harness.calls("fit"), harness.calls("recommend")
    assert init["seed"] == 7 and init["pid"] != os.getpid()
    assert fit["attributes"] == sorted(vars(harness.split.training_data))
    assert fit["digests"] == {
        path: digest.hex()
        for path, digest in array_digests({"data": harness.split.training_data.timeless()}).items()
    }
    assert (asked["users"], asked["depth"]) == (users, 3)
    assert {(call["users"], call["depth"]) for call in harness.calls("recommend_afresh")} == {(1, 3)}

    record = outcome.record
    assert (record.seed, record.depth, record.command) == (7, 3, "as typed")
    assert record.model == ModelInfo(
        name="whole",
        kind="hybrid",
        parameters={"step": 1},
        display_name="The whole of it",
        authors="They",
        link="https://example.org/whole",
        uses_times=False,
        file_sha256=hashlib.sha256(MODELS.read_bytes()).hexdigest(),
    )
    assert record.dataset == dataset_info(harness.split)
    assert (record.status, record.source) == ("complete", "harness")
    assert record.details["answers"] == 1, "the report is of the run, not of the single requests after it"
    latency = record.cost.latency_ms
    assert latency is not None and latency.users == users
    (stored,) = store.load_records(harness.results).records
    assert stored.path == outcome.path and stored.texts_path.is_file()


def test_the_answers_are_nowhere_in_the_models_process(harness: Harness) -> None:
    harness.run("Searcher", depth=2)
    found = harness.calls("search")[0]
    assert found["splits"] == 0
    assert found["examples"] == [len(harness.split.validation)]
    assert found["unlocked"] == []


def test_scores_and_audits_are_those_of_the_lists_whatever_the_models_seed(
    tmp_path: Path, sample_split: Split
) -> None:
    outcome = Harness(tmp_path, sample_split).run("Spy", seed=7)
    (stored,) = store.load_records(tmp_path / "results").records
    lists = read_lists(stored, sample_split)
    assert lists.shape == (len(sample_split.test), 50)
    assert outcome.record.metrics == evaluate(sample_split, lists)
    assert outcome.record.metrics != evaluate(sample_split, lists, seed=7)
    assert outcome.record.audits == audit(sample_split, lists) != []


def test_seconds_of_earlier_runs_are_added(harness: Harness) -> None:
    cost = harness.run("Whole").record.cost
    assert 1000 <= cost.wall_seconds["fit"] < 1100
    assert 500 <= cost.wall_seconds["recommend"] < 600
    assert cost.peak_rss_bytes == 5 * 10**15
    assert cost.peak_vram_bytes is not None and cost.peak_vram_bytes.allocated == 3 * 10**15
    assert cost.users_per_second == pytest.approx(
        len(harness.split.test) / cost.wall_seconds["recommend"], abs=1e-3
    )
    assert list(cost.wall_seconds) == ["load", "start", "fit", "recommend", "latency", "score"]
    assert cost.wall_seconds["load"] == 0.25


def test_memory_is_the_models_own(harness: Harness) -> None:
    hungry = harness.run("Hungry").record.cost
    modest = harness.run("Spy").record.cost
    assert (
        hungry.peak_rss_bytes and modest.peak_rss_bytes and hungry.start_rss_bytes and modest.start_rss_bytes
    )
    assert hungry.peak_rss_bytes - hungry.start_rss_bytes > 240 * 2**20
    assert modest.peak_rss_bytes - modest.start_rss_bytes < 50 * 2**20
    assert {sample.stage for sample in modest.memory_timeline} == {"fit", "recommend", "latency"}


def test_the_process_starts_up_while_the_data_are_read(harness: Harness) -> None:
    def load() -> tuple[Split, float]:
        deadline = time.monotonic() + 60
        while not harness.log.is_file():
            assert time.monotonic() < deadline, "the model is constructed only after the data are read"
            time.sleep(0.01)
        time.sleep(1.0)
        return harness.split, 1.0

    begun = time.monotonic()
    cost = harness.run("Spy", load=load).record.cost
    assert cost.wall_seconds["start"] <= time.monotonic() - begun - 1.0, "waiting for data is no start-up"


def test_progress_is_passed_on(harness: Harness) -> None:
    heard: list[tuple[str, int, int, str]] = []
    with listening(lambda *told: heard.append(told)):
        harness.run("Whole")
    users = len(harness.split.test)
    assert heard == [
        ("fit", 0, 1, ""),
        ("learn", 1, 3, "loss 0.5"),
        ("fit", 1, 1, ""),
        ("recommend", 0, users, ""),
        ("recommend", users, users, ""),
        ("latency", 0, 1, ""),
        ("latency", 1, 1, ""),
        ("score", 0, 1, ""),
        ("score", 1, 1, ""),
    ]


def test_what_a_model_prints_is_shown_and_not_taken_for_a_report(
    harness: Harness, capfd: pytest.CaptureFixture[str]
) -> None:
    heard: list[str] = []
    with listening(lambda what, *_: heard.append(what)):
        harness.run("Chatty")
    assert heard == ["fit", "fit", "recommend", "recommend", "latency", "latency", "score", "score"]
    shown = capfd.readouterr().err
    assert '["fit", 1, 1, ""]' in shown and "no line end" in shown and "from a child" in shown


@pytest.mark.parametrize(
    ("model", "kind", "message"),
    [
        ("Shuffles", ModelError, r"writes into an array .*`np\.random\.shuffle\(data\.train\.items\)`"),
        ("Sly", ModelError, r"'sly' has changed what it was given: histories\.items\."),
        (
            "Raises",
            ModelError,
            r"(?s)'raises' raised RuntimeError: CUDA out of memory\n.*line \d+, in recommend",
        ),
        ("Exits", ModelError, r"(?s)'exits' raised SystemExit: 3\n.*spy_models.py"),
        ("ExitsAtOnce", ModelError, r"process of model 'exits-at-once' ended .* at 'fit': exit code 5"),
        ("Killed", ModelError, r"at 'learn': SIGKILL. The system kills so when memory runs out"),
        ("Crashes", ModelError, r"at 'recommend': SIGSEGV$"),
        ("CannotBeMade", ModelError, r"(?s)raised ValueError: no such file: weights.bin"),
        ("Absent", Unavailable, "^needs a part; get it with: pip install part$"),
        ("Refuses", DataError, "^weights.bin is damaged$"),
        ("NotANumber", ModelError, r"details\(\) of NotANumber must be plain JSON without NaN"),
        ("Unprintable", ModelError, "parameters of model 'unprintable' must be plain JSON"),
        ("Repeats", ModelError, "'repeats' broke the contract of ranked lists: user row 0: item 0 is listed"),
        (
            "TooDeep",
            ModelError,
            "'too-deep' broke the contract of ranked lists: asked for 3 items a user, got 4",
        ),
    ],
)
def test_a_failure_is_explained_and_leaves_nothing(
    model: str, kind: type[BenchError], message: str, harness: Harness
) -> None:
    before = array_digests({"split": harness.split})
    with pytest.raises(kind, match=message) as caught:
        harness.run(model, depth=3)
    assert type(caught.value) is kind
    assert "worker.py" not in str(caught.value), "the harness's own frames say nothing of the model"
    assert not harness.results.exists()
    assert array_digests({"split": harness.split}) == before


def test_a_crash_shows_where_in_the_model(harness: Harness, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ModelError):
        harness.run("Crashes")
    shown = capfd.readouterr().err
    assert "Segmentation fault" in shown and "spy_models.py" in shown


def test_a_process_that_ends_beside_its_own_workers_is_not_waited_for(harness: Harness) -> None:
    try:
        with pytest.raises(ModelError, match="exit code 6"):
            harness.run("CrashesBesideAWorker")
        (forked,) = harness.calls("forked")
        assert psutil.pid_exists(forked["pid"]), "the harness waited until the worker had ended"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(harness.calls("forked")[0]["pid"], signal.SIGKILL)


def test_an_argument_that_the_model_does_not_take(harness: Harness) -> None:
    with pytest.raises(ConfigError, match="model 'spy' has no setting 'depth_factor'"):
        harness.run("Spy", arguments={"depth_factor": 2})


def test_data_that_cannot_be_read_end_the_process_too(harness: Harness) -> None:
    def load() -> tuple[Split, float]:
        raise DataError("line 3 is damaged")

    with pytest.raises(DataError, match="line 3"):
        harness.run("Spy", load=load)
    assert not [child for child in psutil.Process().children() if "worker" in " ".join(child.cmdline())]


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_no_model_outlives_the_harness(end: signal.Signals, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    code = (
        "import sys; from pathlib import Path; from bench.models import model_from_file\n"
        "from bench.contract import small_shop; from bench.run.runner import Request, run\n"
        f"entry = model_from_file({f'{MODELS}:Sleeps'!r})\n"
        f"run(Request(entry=entry, load=lambda: (small_shop(), 0.0), results_dir=Path('r'), command='', "
        f"arguments={{'log': {str(log)!r}}}))"
    )
    harness = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
        # tests that a shell runs in the background are started with SIGINT ignored, and so would this be
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    pid = _until(lambda: _asleep(log))
    harness.send_signal(end)
    _, shown = harness.communicate(timeout=60)
    _until(lambda: not psutil.pid_exists(pid))
    if end == signal.SIGINT:
        assert "KeyboardInterrupt" in shown
        assert not list(tmp_path.glob("genrec-bench-*")), "the folder of the exchange is left behind"


def _asleep(log: Path) -> int | None:
    lines = [json.loads(line) for line in log.read_text().splitlines()] if log.is_file() else []
    return next((line["pid"] for line in lines if line["call"] == "asleep"), None)


def _until(found: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while not (value := found()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return value


def test_the_record_brings_the_run_back(harness: Harness) -> None:
    """A file's name says little: its hash is kept; and the command has what was chosen on validation."""
    record = harness.run("Spy").record
    assert record.model.file_sha256 == hashlib.sha256(MODELS.read_bytes()).hexdigest()
    assert record.command == "as typed"
    chosen = ['generate.strategy="constrained"', "generate.num_beams=6"]
    command = runner._with_chosen("pytest bench --models m", {"chosen_settings": chosen})
    assert shlex.split(command)[3:] == ["m", "--set", chosen[0], "--set", chosen[1]]
