"""Files for the validation users: scored against their own targets, never a record."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from bench.commands.submit import register
from bench.datasets.rules.validation_users import on_validation
from bench.datasets.splits import load_split
from bench.errors import DataError
from bench.metrics.ranking import mean_quality, ranks_in_view
from bench.records.store import load_records
from bench.schema import Examples, Histories, Split


def command(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    register(app)
    app.command("other")(lambda: None)
    done = CliRunner().invoke(app, ["submit", *arguments])
    return done.exit_code, done.output + repr(done.exception or "")


def test_the_validation_user_is_asked_for_its_own_target(toy_split: Split) -> None:
    asked = on_validation(toy_split)
    assert asked.user_ids == ("u4",)
    assert asked.test.targets.tolist() == [5]
    assert asked.test.histories[0].tolist() == [2, 3, 0, 1]
    assert asked.test.histories.users.tolist() == [0]
    assert asked.train is toy_split.train and len(asked.validation) == 0
    assert not asked.same_day.any()
    ranks = ranks_in_view(np.array([[2, 5, 0]], dtype=np.int32), asked.test, "seen_removed")
    assert mean_quality(ranks, (1, 5))["recall@1"] == 1.0


def test_a_shared_day_is_seen_where_times_are_known(toy_split: Split) -> None:
    day = 86_400
    times = np.array([0, day, 2 * day, 3 * day + 5], dtype=np.int64)
    for target_time, same in ((3 * day + 9, True), (4 * day, False)):
        examples = Examples(
            histories=replace(toy_split.validation.histories, times=times),
            targets=toy_split.validation.targets,
            request_times=np.array([target_time], dtype=np.int64),
        )
        assert on_validation(replace(toy_split, validation=examples)).same_day.tolist() == [same]


def test_a_split_without_validation_users_is_refused(toy_split: Split) -> None:
    nobody = Examples(histories=Histories.from_lists([]), targets=np.empty(0, dtype=np.int32))
    with pytest.raises(DataError, match="no validation users"):
        on_validation(replace(toy_split, validation=nobody))


def test_submit_on_validation_scores_and_records_nothing(tmp_path: Path) -> None:
    split = load_split("sample")
    asked = on_validation(split)
    lines = [
        {"user_id": user, "texts": [split.catalogue.titles[target], "Nothing"], "log_likelihoods": [-1, -2]}
        for user, target in zip(asked.user_ids, asked.test.targets.tolist(), strict=True)
    ]
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    options = [str(path), "--dataset", "sample", "--name", "mine", "--kind", "generative", "--texts"]
    code, output = command(*options, "--on", "validation", "--results", str(tmp_path / "results"))
    assert code == 0, output
    removed = output.partition("seen items removed")[2]
    assert "Recall@5 1.0000" in removed and "nothing was written" in output
    assert not load_records(tmp_path / "results").valid()
    code, output = command(*options, "--results", str(tmp_path / "results"))
    assert (
        code != 0 and "users without" in output
    )  # the same file for the test users lacks nearly all of them


def test_texts_can_be_kept_out_of_a_record(tmp_path: Path) -> None:
    split = load_split("sample")
    lines = [
        {"user_id": user, "texts": [split.catalogue.titles[0], "Zyx secret"], "log_likelihoods": [-1, -2]}
        for user in split.user_ids
    ]
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    options = [
        str(path),
        "--dataset",
        "sample",
        "--kind",
        "generative",
        "--results",
        str(tmp_path / "results"),
    ]
    for name, more in (("open", []), ("closed", ["--no-texts"])):
        code, output = command(*options, "--name", name, "--texts", *more)
        assert code == 0, output
    kept = {stored.record.model.name: stored for stored in load_records(tmp_path / "results").valid()}
    assert [kept[name].record.texts_sha256 is None for name in ("open", "closed")] == [False, True]
    assert kept["closed"].record.lists_sha256 == kept["open"].record.lists_sha256 is not None
    assert not list((tmp_path / "results").rglob("closed/*.texts.parquet"))
    assert "--no-texts" in kept["closed"].record.command
    told = {name: stored.record.model_dump_json() for name, stored in kept.items()}
    assert "Zyx" in told["open"] and "Zyx" not in told["closed"]
    assert "texts" in str(kept["closed"].record.details["submission"]["warnings"])
    code, output = command(*options, "--name", "lists", "--no-texts")
    assert code != 0 and "belongs to --texts" in output
