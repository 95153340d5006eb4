"""Runs with tuned constants: where they are found, what overrules them, what the record says."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.datasets.splits import load_split
from bench.errors import ConfigError
from bench.models import ModelEntry, find_model, model_from_file, tuned_folder
from bench.run.runner import Request, run
from bench.run.session import BenchSession
from bench.tuning.ledger import Ledger, ledger_path, write_ledger

MODEL = """
from baselines.markov import Markov


class Mine(Markov):
    name = "mine"
"""


def ledger(entry: ModelEntry, fingerprint: str, **chosen: object) -> Ledger:
    return Ledger(
        model=entry.name,
        dataset="sample",
        split="leave-one-out",
        ties="file",
        fingerprint=fingerprint,
        command="genrec-bench tune mine",
        created=datetime.now(UTC),
        commit="unknown",
        validation="20% of the users",
        users=200,
        metric="ndcg@10",
        view="seen_removed",
        sampler="by hand",
        seed=0,
        space={"window": {"kind": "whole", "low": 1, "high": 9, "log": False}},
        trials=2,
        seconds=1.5,
        default_value=0.1,
        value=0.2,
        chosen=chosen,
    )


@pytest.fixture
def mine(tmp_path: Path) -> ModelEntry:
    (tmp_path / "mine.py").write_text(MODEL)
    return model_from_file(f"{tmp_path / 'mine.py'}:Mine")


def session(entry: ModelEntry, tmp_path: Path, *settings: str, ties: str = "file") -> BenchSession:
    return BenchSession(
        dataset="sample",
        dataset_given=True,
        entries=[entry],
        split="loo",
        ties=ties,
        seed=0,
        depth=10,
        results_dir=tmp_path / "results",
        data_dir=None,
        settings=settings,
        capture=None,
    )


def test_a_run_uses_the_tuned_constants_and_its_record_holds_the_ledger(
    mine: ModelEntry, tmp_path: Path
) -> None:
    assert tuned_folder(mine) == tmp_path / "tuned"
    split = load_split("sample")
    path = ledger_path(tmp_path / "tuned", "mine", "sample", "leave-one-out", "file")
    write_ledger(path, ledger(mine, split.fingerprint, window=3, decay=0.5))
    ours = session(mine, tmp_path)
    for number in (1, 2):
        outcome = run(
            Request(
                entry=mine,
                load=lambda: (split, 0.0),
                results_dir=ours.results_dir,
                command="x",
                depth=10,
                arguments=ours.arguments(mine),
                ledger=ours.ledger(mine),
            )
        )
        record = outcome.record
        assert (record.model.parameters["window"], record.model.parameters["decay"]) == (3, 0.5)
        assert record.tuning is not None
        assert (record.tuning.trials, record.tuning.value, record.tuning.users) == (2, 0.2, 200)
        assert record.tuning.scored_on_test == number


def test_other_data_have_other_constants(mine: ModelEntry, tmp_path: Path) -> None:
    path = ledger_path(tmp_path / "tuned", "mine", "sample", "leave-one-out", "file")
    write_ledger(path, ledger(mine, "0" * 64, window=3))
    assert session(mine, tmp_path).arguments(mine) == {"window": 3}
    assert session(mine, tmp_path, ties="shuffled:0").arguments(mine) == {}


def test_constants_by_hand_overrule_the_ledger_and_stand_in_the_command(
    mine: ModelEntry, tmp_path: Path
) -> None:
    path = ledger_path(tmp_path / "tuned", "mine", "sample", "leave-one-out", "file")
    write_ledger(path, ledger(mine, "0" * 64, window=3))
    ours = session(mine, tmp_path, "decay=0.25", "window=7")
    assert ours.arguments(mine) == {"decay": 0.25, "window": 7}
    assert ours.ledger(mine) is None
    assert ours.command(mine).endswith("--set decay=0.25 --set window=7")


@pytest.mark.parametrize("setting", ["window", "=3", "window=[1"])
def test_a_setting_that_is_none(setting: str, mine: ModelEntry, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--set"):
        session(mine, tmp_path, setting).arguments(mine)


def test_models_without_constants_take_no_settings(tmp_path: Path) -> None:
    entry = find_model("random-items")
    ours = session(entry, tmp_path, "window=3")
    assert ours.arguments(entry) == {} and "--set" not in ours.command(entry)


def test_our_own_models_keep_their_constants_in_their_package() -> None:
    folder = tuned_folder(find_model("co-visit"))
    assert folder.name == "tuned" and (folder.parent / "co_visit.py").is_file()
