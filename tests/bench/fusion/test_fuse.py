"""Fusing rows and saying what they find together."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bench.cli import build_app
from bench.fusion.complement import overlap
from bench.fusion.members import validation_split
from bench.fusion.rrf import choose, fuse
from bench.metrics.ranking import evaluate
from bench.models import find_model
from bench.records import store
from bench.records.list_files import read_lists
from bench.run.runner import Request, run
from bench.schema import NO_ITEM, Examples, Histories, Split


def ranked(*rows: list[int]) -> np.ndarray:
    return np.array(rows, dtype=np.int32)


def test_reciprocal_ranks_by_hand() -> None:
    first, second = ranked([0, 1, 2]), ranked([2, 3, NO_ITEM])
    # k = 1: item 0 has 1/2, 1 has 1/3, 2 has 1/4 + 1/2, 3 has 1/3; 1 and 3 are equal, the lower row first
    assert fuse([first, second], [1, 1], 1, 5, 4).tolist() == [[2, 0, 1, 3]]
    assert fuse([first, second], [1, 0], 1, 5, 4).tolist() == [[0, 1, 2, NO_ITEM]]
    assert fuse([first, second], [0.1, 0.9], 1, 5, 2).tolist() == [[2, 3]]


def test_a_row_that_is_never_right_does_no_harm() -> None:
    examples = Examples(
        histories=Histories.from_lists([[9]] * 4), targets=np.array([0, 1, 2, 3], dtype=np.int32)
    )
    good = ranked(*[[item, 7, 8] for item in range(4)])
    bad = ranked(*[[5, 6, 4] for _ in range(4)])
    found = choose([bad, good], examples, 10, metric="ndcg@3", view="seen_removed", depth=3)
    assert found.value == 1 and found.alone == (0, 1)
    assert found.weights[1] >= found.weights[0]
    assert found.trials == 11 * 4


def test_rows_that_know_different_users_are_better_together() -> None:
    users, rng = 60, np.random.default_rng(0)
    targets = rng.integers(0, 40, users).astype(np.int32)
    examples = Examples(histories=Histories.from_lists([[49]] * users), targets=targets)
    noise = [(rng.permutation(40)[:3] + 40 % 50).tolist() for _ in range(users)]
    halves = []
    for half in (0, 1):
        rows = [
            [int(target), *noise[user][:2]] if user % 2 == half else [41, 42, 43]
            for user, target in enumerate(targets)
        ]
        halves.append(ranked(*rows))
    found = choose(halves, examples, 200, metric="recall@3", view="seen_removed", depth=3)
    assert found.alone == (0.5, 0.5)
    assert found.value > 0.9


def test_overlap_by_hand() -> None:
    first, second = (np.array(ranks, dtype=np.int32) for ranks in ([1, 5, 0, 11, 0], [2, 0, 3, 0, 0]))
    found = overlap(first, second, 10)
    assert (found.both, found.first_only, found.second_only, found.neither) == (1, 1, 1, 2)
    assert (found.either, found.reachable, found.users) == (3, 4, 5)


def test_the_validation_users_keep_their_names_and_targets(sample_split: Split) -> None:
    asked = validation_split(sample_split)
    rows = sample_split.validation.histories.users.tolist()
    assert asked.user_ids == tuple(sample_split.user_ids[row] for row in rows)
    assert asked.test.targets is sample_split.validation.targets
    assert asked.test.histories.users.tolist() == list(range(len(rows)))


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory, sample_split: Split) -> Path:
    folder = tmp_path_factory.mktemp("fusing") / "results"
    for name in ("markov", "last-item-text"):
        run(
            Request(entry=find_model(name), load=lambda: (sample_split, 0.0), results_dir=folder, command="x")
        )
    return folder


def invoke(*words: str, results: Path) -> str:
    answer = CliRunner().invoke(build_app(), [*words, "--results", str(results)], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return answer.output


def test_fuse_writes_a_hybrid_row_with_its_ledger(measured: Path, sample_split: Split) -> None:
    answer = invoke("fuse", "markov", "last-item-text", "--name", "both", results=measured)
    assert "50 validation users" in answer
    (stored,) = (one for one in store.load_records(measured).valid() if one.record.model.name == "both")
    record = stored.record
    assert (record.model.kind, record.source, record.status) == ("hybrid", "harness", "complete")
    assert record.tuning is not None and record.tuning.users == 50
    assert sum(record.tuning.chosen["weights"]) == pytest.approx(1)
    assert record.metrics is not None
    assert record.metrics == evaluate(sample_split, read_lists(stored, sample_split))
    members = record.details["fusion"]["members"]
    assert [member["model"] for member in members] == ["markov", "last-item-text"]
    assert record.cost.wall_seconds["fit"] > 0 and record.cost.peak_rss_bytes


def test_equal_weights_choose_nothing(measured: Path, sample_split: Split) -> None:
    words = ("fuse", "markov", "last-item-text", "--name", "as-published", "--equal-weights")
    assert "validation" not in invoke(*words, results=measured)
    found = {one.record.model.name: one for one in store.load_records(measured).valid()}
    stored = found["as-published"]
    assert stored.record.tuning is None and "--equal-weights" in stored.record.command
    lists = [read_lists(found[name], sample_split) for name in ("markov", "last-item-text")]
    again = fuse(lists, [1, 1], 60, len(sample_split.catalogue), 50)
    assert read_lists(stored, sample_split).tolist() == again.tolist()


def test_complement_counts_every_user_once(measured: Path) -> None:
    found = json.loads(invoke("complement", "markov", "last-item-text", "--json", results=measured))
    assert found["both"] + found["first_only"] + found["second_only"] + found["neither"] == 1000
    assert found["reachable"] >= found["both"] + found["first_only"] + found["second_only"]
    told = invoke("complement", "markov", "last-item-text", "--validation", results=measured)
    assert "50 validation users" in told


def test_validation_lists_may_come_from_a_file(measured: Path, sample_split: Split, tmp_path: Path) -> None:
    """A row whose second answer is always right has an nDCG of 1 / log2(3) or more, and leads the fusion."""
    asked = validation_split(sample_split)
    ids = sample_split.catalogue.item_ids
    file = tmp_path / "oracle.jsonl"
    file.write_text(
        "".join(
            json.dumps({"user_id": user, "item_ids": [ids[target - 1], ids[target]]}) + "\n"
            for user, target in zip(asked.user_ids, asked.test.targets.tolist(), strict=True)
        )
    )
    answer = invoke(
        "fuse", "markov", "oracle", "--lists", f"oracle={file}", "--validation-only", results=measured
    )
    alone, fused = (float(answer.split(word)[1].split()[0]) for word in ("oracle ", "fused "))
    assert fused >= alone >= 0.6309


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fuse", "markov"], "two or more different rows"),
        (["fuse", "markov", "markov"], "two or more different rows"),
        (["fuse", "markov", "llama-8b", "--validation-only"], "must be given: --lists llama-8b=FILE"),
        (["fuse", "markov", "ease", "--lists", "x"], "NAME=FILE"),
        (["fuse", "markov", "ease", "--lists", f"eas={__file__}"], "did you mean 'ease'"),
        (["tiers", "markov", "ease", "--texts", f"mark={__file__}"], "did you mean 'markov'"),
        (["fuse", "markov", "ease", "--equal-weights", "--validation-only"], "asks no validation users"),
        (["complement", "markov", "markov"], "two different rows"),
        (["fuse", "markov", "nobody"], "nobody"),
    ],
)
def test_what_cannot_be_fused_is_said(words: list[str], message: str, measured: Path) -> None:
    answer = CliRunner().invoke(build_app(), [*words, "--results", str(measured)])
    assert answer.exit_code != 0
    assert message in str(answer.exception)
