"""Tuning: who decides, what is searched, that it can be taken up again, and the ledger."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from bench.cli import build_app
from bench.contract import small_shop
from bench.datasets.splits import load_split
from bench.errors import ConfigError, ModelError
from bench.models import ModelEntry, find_model, model_from_file
from bench.schema import Split
from bench.tuning import study
from bench.tuning.ledger import ledger_path, read_ledger
from bench.tuning.validation import validation_share, with_validation

CO_VISIT = find_model("co-visit")


# -- who decides ----------------------------------------------------------------------------------


def test_a_larger_validation_takes_last_training_purchases_and_nothing_else(sample_split: Split) -> None:
    data = sample_split.training_data
    larger = with_validation(data, 0.3, seed=1)
    assert len(larger.validation) == round(0.3 * 1000)
    own = set(data.validation.histories.users.tolist())
    assert own <= set(larger.validation.histories.users.tolist())
    asked = dict(
        zip(
            larger.validation.histories.users.tolist(),
            zip(larger.validation.histories, larger.validation.targets.tolist(), strict=True),
            strict=True,
        )
    )
    before = dict(zip(data.train.users.tolist(), data.train, strict=True))
    for user, sequence in zip(larger.train.users.tolist(), larger.train, strict=True):
        if user in asked and user not in own:
            history, target = asked[user]
            assert np.array_equal(history, sequence)
            assert np.array_equal(before[user], [*sequence, target])
        else:
            assert np.array_equal(before[user], sequence)
    tested = {user: history.tolist() for user, history in enumerate(sample_split.test.histories)}
    for user, (history, target) in asked.items():
        whole = [*history.tolist(), target]
        assert tested[user][: len(whole)] == whole  # the test target comes after all that is used


def test_times_go_with_the_held_out_purchases(sample_split: Split) -> None:
    data = sample_split.training_data
    assert data.train.times is not None
    larger = with_validation(data, 0.5, seed=0)
    assert larger.train.times is not None and larger.validation.request_times is not None
    assert len(larger.validation.request_times) == len(larger.validation)
    last = {
        user: times for user, times in zip(data.train.users.tolist(), data.train.indptr[1:] - 1, strict=True)
    }
    own = set(data.validation.histories.users.tolist())
    for user, time in zip(
        larger.validation.histories.users.tolist(), larger.validation.request_times.tolist(), strict=True
    ):
        if user not in own:
            assert time == data.train.times[last[user]]


def test_a_smaller_share_is_drawn_from_the_splits_own_users(sample_split: Split) -> None:
    data = sample_split.training_data
    smaller = with_validation(data, 0.02, seed=0)
    assert len(smaller.validation) == 20
    assert smaller.train is data.train
    assert set(smaller.validation.histories.users.tolist()) <= set(data.validation.histories.users.tolist())
    assert with_validation(data, None, seed=0) is data


@pytest.mark.parametrize("text", ["20", "0%", "101%", "-5%", "all", "20 %", ""])
def test_a_wrong_share_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--validation takes 'split' or a share"):
        validation_share(text)


# -- the search -----------------------------------------------------------------------------------


def test_the_search_finds_what_the_shop_needs_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """In this shop the next item follows the last one: looking back over the history can only hurt."""
    data = with_validation(small_shop(users=300, items=40).training_data, 0.5, seed=0)
    first = study.search(CO_VISIT, data, trials=4, journal=tmp_path / "j")
    again = study.search(CO_VISIT, data, trials=12, journal=tmp_path / "j")
    assert (first.trials, again.trials) == (4, 12)
    assert (
        again.default_value
        == first.default_value
        == study.score(CO_VISIT, data, {}, metric="ndcg@10", view="seen_removed", seed=0)
    )
    assert again.value >= first.value >= first.default_value  # type: ignore[operator]
    assert again.seconds > first.seconds
    assert again.value == study.score(
        CO_VISIT, data, again.chosen, metric="ndcg@10", view="seen_removed", seed=0
    )


def test_other_users_or_another_metric_are_another_study(tmp_path: Path) -> None:
    data = small_shop(users=100).training_data
    for users, metric in ((0.4, "ndcg@10"), (0.5, "ndcg@10"), (0.5, "recall@5")):
        asked = with_validation(data, users, seed=0)
        found = study.search(CO_VISIT, asked, trials=2, metric=metric, journal=tmp_path / "j")
        assert found.trials == 2


def test_a_model_without_a_space_says_what_it_needs() -> None:
    with pytest.raises(ConfigError, match=r"'random-items' declares no constants to tune.*space\(\)"):
        study.space_of(find_model("random-items"))


def test_a_failing_trial_ends_the_search_with_the_models_own_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text(
        "from bench.tuning.space import Real\n"
        "class Broken:\n"
        "    def __init__(self, seed, x=0.5): self.x = x\n"
        "    @classmethod\n"
        "    def space(cls): return {'x': Real(0, 1)}\n"
        "    def fit(self, data): raise ZeroDivisionError('x is no use')\n"
        "    def recommend(self, histories, depth): ...\n"
    )
    entry = ModelEntry(name="broken", target=f"{broken}:Broken", kind="untrained", display_name="Broken")
    data = small_shop().training_data
    with pytest.raises(ZeroDivisionError, match="no use"):
        study.search(entry, data, trials=3, journal=tmp_path / "j")
    with pytest.raises(ZeroDivisionError, match="no use"):  # and is not counted as a trial
        study.search(entry, data, trials=3, journal=tmp_path / "j")


# -- the command ----------------------------------------------------------------------------------


WRITES_PAST_NUMPY = """
import ctypes
import numpy as np


class Sly:
    def __init__(self, seed):
        pass

    def fit(self, data):
        ctypes.memset(data.train.items.ctypes.data, 1, 4)

    def recommend(self, histories, depth):
        return np.zeros((len(histories), 1), dtype=np.int32)
"""


def test_a_trial_that_changes_what_the_next_one_reads_is_found(tmp_path: Path) -> None:
    path = tmp_path / "sly.py"
    path.write_text(WRITES_PAST_NUMPY)
    entry, data = model_from_file(f"{path}:Sly"), small_shop().training_data
    with pytest.raises(ModelError, match=r"model 'sly' has changed what it was given: data\.train\.items"):
        study.score(entry, data, {}, metric="ndcg@5", view="seen_kept", seed=0)


def test_the_command_writes_a_ledger_that_can_be_read_back(tmp_path: Path) -> None:
    words = ["tune", "markov", "--trials", "3", "--validation", "10%", "--ties", "shuffled:0"]
    words += ["--to", str(tmp_path), "--work-dir", str(tmp_path / "work")]
    answer = CliRunner().invoke(build_app(), words)
    assert answer.exit_code == 0, answer.output
    assert "100 validation users" in answer.output and "test users not asked" in answer.output
    path = ledger_path(tmp_path, "markov", "sample", "leave-one-out", "shuffled:0")
    ledger = read_ledger(path)
    assert ledger is not None
    assert (ledger.users, ledger.trials, ledger.validation) == (100, 3, "10% of the users")
    assert ledger.command == (
        "genrec-bench tune markov --dataset sample --split loo --ties shuffled:0 --validation 10% "
        "--trials 3 --by ndcg@10 --view seen_removed --seed 0"
    )
    assert set(ledger.chosen) == set(ledger.space) == {"window", "decay", "back", "shrink", "history_decay"}


def test_a_damaged_ledger_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    assert read_ledger(path) is None
    for text in ("model: [", yaml.safe_dump({"model": "x"}), "\x00"):
        path.write_text(text)
        with pytest.raises(ConfigError, match="is damaged"):
            read_ledger(path)


def test_a_given_point_is_tried_and_a_wrong_one_refused(tmp_path: Path) -> None:
    words = ["tune", "markov", "--trials", "2", "--to", str(tmp_path), "--work-dir", str(tmp_path / "work")]
    point = {"window": 3, "decay": 0.6, "back": 0.25, "shrink": 2.0, "history_decay": 0.5}
    given = [word for name, value in point.items() for word in ("--start", f"{name}={value}")]
    result = CliRunner().invoke(build_app(), [*words, *given])
    assert result.exit_code == 0, result.output
    ledger = read_ledger(tmp_path / "sample" / "markov.leave-one-out.file.yaml")
    assert ledger is not None and ledger.command.endswith(" ".join(given))
    entry, data = find_model("markov"), load_split("sample").training_data
    values = [
        study.score(entry, data, constants, metric="ndcg@10", view="seen_removed", seed=0)
        for constants in ({}, point)
    ]
    assert (ledger.default_value, ledger.value) == (values[0], max(values))
    for point, message in (("window=0", "searched in"), ("widow=3", "not among"), ("window", "KEY=VALUE")):
        refused = CliRunner().invoke(build_app(), [*words, "--start", point])
        assert isinstance(refused.exception, ConfigError) and message in str(refused.exception)
