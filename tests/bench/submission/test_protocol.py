"""The protocol travels with the file; lists of another one are refused or flagged, and not ranked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from record_factory import make_rankings, write_record
from typer.testing import CliRunner

from bench.commands import results_check as results_check_commands
from bench.commands.results import group
from bench.commands.submit import register
from bench.comparison.board_standings import board_standings
from bench.comparison.compared_models import load_compared
from bench.comparison.readme_tables import markdown_table
from bench.datasets.export import export_for_submission
from bench.datasets.protocol_facts import facts_in_metadata
from bench.datasets.splits import load_split
from bench.errors import BenchError, ConfigError, RecordError
from bench.metrics.ranking import evaluate, remove_seen
from bench.records.check import check_results
from bench.records.store import StoredRecord, clear, load_records
from bench.records.upload_audits import audit_own_purchases, audit_protocol, log_odds
from bench.schema import NO_ITEM, Rankings, Split
from bench.submission import ModelCard
from bench.submission.protocol import Protocol, check_stated, settle_protocol
from leaderboard.frames import board_rows

SHUFFLED = "shuffled:0"


@pytest.fixture(scope="module")
def shuffled() -> Split:
    return load_split("sample", ties=SHUFFLED)


@pytest.fixture(scope="module")
def inputs(shuffled: Split, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "inputs"
    export_for_submission(shuffled, folder)
    return folder


def skilled(split: Split, *, seen: str) -> Rankings:
    """Lists that find the target of every third user, with the last item in front or seen items dropped."""
    rankings = make_rankings(split, skill=1 / 3, depth=50)
    if seen == "removed":
        return remove_seen(rankings, split.test.histories)
    last = split.test.histories.items[split.test.histories.indptr[1:] - 1]
    rest = np.where(rankings == last[:, None], NO_ITEM, rankings)
    order = np.argsort(rest == NO_ITEM, axis=1, kind="stable")
    return np.hstack([last[:, None], np.take_along_axis(rest, order, axis=1)[:, :49]]).astype(np.int32)


def histories(split: Split, fill: Rankings) -> Rankings:
    """Each user's history, newest first, filled up with other items."""
    rankings = np.full((len(split.test), 20), NO_ITEM, dtype=np.int32)
    for user, items in enumerate(split.test.histories):
        row = dict.fromkeys([*items[::-1].tolist(), *fill[user].tolist()])
        rankings[user] = list(row)[:20]
    return rankings


def frame(split: Split, rankings: Rankings) -> pd.DataFrame:
    ids = split.catalogue.item_ids
    lists = [[ids[item] for item in row if item != NO_ITEM] for row in rankings.tolist()]
    return pd.DataFrame({"user_id": split.user_ids, "item_ids": lists})


def settle(path: Path, **options: str | None) -> Protocol:
    given: dict[str, str | None] = {"dataset": None, "ties": None, "split": None, **options}
    return settle_protocol(path, ModelCard(), **given)  # type: ignore[arg-type]


def submit(path: Path, results: Path, *options: str, name: str = "mine") -> str:
    app = typer.Typer()
    register(app)
    words = [str(path), "--name", name, "--kind", "sequential", "--results", str(results), *options]
    done = CliRunner().invoke(app, words)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def test_every_exported_file_says_what_it_is(inputs: Path, shuffled: Split) -> None:
    files = sorted(inputs.glob("*.parquet"))
    assert len(files) == 4
    for path in files:
        facts = facts_in_metadata(pq.read_schema(path).metadata)
        assert facts == {
            "dataset": "sample",
            "split": "leave-one-out",
            "ties": SHUFFLED,
            "fingerprint": shuffled.fingerprint,
        }


def test_what_pandas_makes_of_the_inputs_still_says_it(inputs: Path, shuffled: Split, tmp_path: Path) -> None:
    lists = pd.read_parquet(inputs / "histories.parquet", columns=["user_id", "item_ids"])
    lists["item_ids"] = frame(shuffled, skilled(shuffled, seen="removed"))["item_ids"]
    lists.to_parquet(tmp_path / "lists.parquet")
    output = submit(tmp_path / "lists.parquet", tmp_path / "results")
    assert f"protocol: sample, ties {SHUFFLED}, split leave-one-out, stated by 'lists.parquet'" in output
    (stored,) = load_records(tmp_path / "results").records
    assert stored.record.dataset.fingerprint == shuffled.fingerprint
    assert f"--ties {SHUFFLED}" in stored.record.command
    verdicts = {audit.name: audit.verdict for audit in stored.record.audits}
    assert verdicts["protocol"] == "pass" and not stored.held_back


def test_a_header_a_sidecar_and_a_card_say_it_too(inputs: Path, shuffled: Split, tmp_path: Path) -> None:
    facts = {"dataset": "sample", "ties": SHUFFLED, "fingerprint": shuffled.fingerprint}
    csv = tmp_path / "a.csv"
    csv.write_text("".join(f"# {key}: {value}\n" for key, value in facts.items()) + "user_id,item_id,rank\n")
    lines = tmp_path / "b.jsonl"
    lines.write_text(json.dumps(facts) + '\n{"user_id": "u", "item_ids": []}\n')
    beside = tmp_path / "c.csv"
    beside.write_text("user_id,item_id,rank\n")
    (tmp_path / "c.csv.dataset.json").write_text((inputs / "dataset.json").read_text())
    for path in (csv, lines, beside):
        found = settle(path)
        assert (found.dataset, found.ties, found.fingerprint) == (
            "sample",
            SHUFFLED,
            shuffled.fingerprint,
        )
        check_stated(found, shuffled.fingerprint)
    same_folder = tmp_path / "folder"
    same_folder.mkdir()
    (same_folder / "dataset.json").write_text((inputs / "dataset.json").read_text())
    (same_folder / "d.csv").write_text("user_id,item_id,rank\n")
    assert settle(same_folder / "d.csv").stated_by == "'dataset.json'"
    card = ModelCard(ties=SHUFFLED)
    plain = tmp_path / "e.csv"
    plain.write_text("user_id,item_id,rank\n")
    found = settle_protocol(plain, card, dataset="sample", ties=None, split=None)
    assert (found.ties, found.stated_by) == (SHUFFLED, "the card")
    assert settle(plain).stated_by is None and "neither the file" in settle(plain).line


def test_contradictions_are_refused(sample_split: Split, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"# ties: {SHUFFLED}\nuser_id,item_id,rank\n")
    with pytest.raises(BenchError, match="ties 'file' is asked for, but 'a.csv' itself says"):
        settle(path, ties="file")
    assert settle(path, ties=SHUFFLED).ties == SHUFFLED
    (tmp_path / "a.csv.dataset.json").write_text('{"ties": "file"}')
    with pytest.raises(BenchError, match="one of them belongs to other lists"):
        settle(path)
    (tmp_path / "a.csv.dataset.json").write_text('["ties"]')
    with pytest.raises(BenchError, match=r"'a.csv.dataset.json' beside the file does not say"):
        settle(path)
    stated = Protocol(dataset="sample", ties="file", split="loo", fingerprint="0" * 64, stated_by="the card")
    with pytest.raises(ConfigError, match="the card says that the lists were made for fingerprint"):
        check_stated(stated, sample_split.fingerprint)
    path.write_text("# split: loo\nuser_id,item_id,rank\n")
    (tmp_path / "a.csv.dataset.json").unlink()
    assert settle(path, split="leave-one-out").split == "leave-one-out"


@pytest.mark.parametrize(
    "attributes", [b"[1]", b"{", b'{"genrec_bench": 3}', b'{"genrec_bench": {"ties": 1}}']
)
def test_metadata_of_others_is_no_statement(attributes: bytes, tmp_path: Path) -> None:
    table = pa.table({"user_id": ["u"]}).replace_schema_metadata({b"PANDAS_ATTRS": attributes})
    pq.write_table(table, tmp_path / "a.parquet")
    assert settle(tmp_path / "a.parquet").stated_by is None


@pytest.mark.parametrize("seen", ["removed", "repeated"])
def test_lists_of_another_tie_rule_fit_it_better(seen: str, sample_split: Split, shuffled: Split) -> None:
    """Whether a model drops seen items or repeats the last one, both ways round are told."""
    for made, other in ((sample_split, shuffled), (shuffled, sample_split)):
        lists = skilled(made, seen=seen)
        assert log_odds(made, other, lists) < -20
        assert log_odds(other, made, lists) > 20
        right = audit_protocol(made, lists, None, {"ties of the other": other})
        wrong = audit_protocol(other, lists, None, {"ties of the first": made})
        assert right.verdict == "info" and "nobody states it; recall@10" in right.message
        assert wrong.verdict == "flag" and "fit ties of the first far better" in wrong.message


def test_lists_without_a_statement_are_tried_under_other_rules(shuffled: Split, tmp_path: Path) -> None:
    path = tmp_path / "lists.jsonl"
    frame(shuffled, skilled(shuffled, seen="removed")).to_json(path, orient="records", lines=True)
    output = submit(path, tmp_path / "results", "--dataset", "sample", "--dry-run")
    assert "neither the file, a sidecar nor the card says so" in output
    assert "if they were made for it, submit them with --ties shuffled:0" in output


def test_histories_of_another_split_are_found(sample_split: Split, shuffled: Split) -> None:
    fill = make_rankings(sample_split, skill=0.0, depth=20)
    wrong = audit_own_purchases(sample_split, histories(shuffled, fill))
    assert wrong.verdict == "flag" and "look like histories" in wrong.message
    repeats = audit_own_purchases(
        sample_split, histories(sample_split, skilled(sample_split, seen="removed"))
    )
    assert repeats.verdict == "pass"
    assert audit_own_purchases(sample_split, skilled(sample_split, seen="repeated")).verdict == "pass"


@pytest.fixture
def flagged(sample_split: Split, shuffled: Split, tmp_path: Path) -> Path:
    """A folder with an honest row and, submitted, the histories of the wrong tie rule."""
    results = tmp_path / "results"
    metrics = evaluate(sample_split, make_rankings(sample_split, skill=0.02))
    write_record(results, sample_split, "honest", skill=0.02, metrics=metrics)
    fill = make_rankings(sample_split, skill=0.0, depth=20)
    path = tmp_path / "lists.parquet"
    frame(sample_split, histories(shuffled, fill)).to_parquet(path)
    output = submit(path, results, "--dataset", "sample", "--ties", "file")
    assert "it has no rank until somebody has looked at it and clears it" in output
    return results


def rows_of(results: Path) -> dict[str, StoredRecord]:
    return {stored.record.model.name: stored for stored in load_records(results).valid()}


def places(results: Path) -> dict[str, int]:
    models = [load_compared([stored], name) for name, stored in rows_of(results).items()]
    found = board_standings(models, metric="recall@5", view="seen_removed")
    return {name: standing.best_rank for name, standing in found.items()}


def test_the_histories_of_the_wrong_split_are_not_ranked_until_cleared(flagged: Path) -> None:
    rows = rows_of(flagged)
    assert "history" in {flag.name for flag in rows["mine"].held_back}
    assert places(flagged) == {"honest": 1}
    ordered = board_rows.by_rank(
        board_rows.leaderboard(list(rows.values()), view="seen_removed", cutoff=5), "ndcg"
    )
    assert ordered["name"].tolist() == ["honest", "mine"] and ordered["ndcg"].is_monotonic_increasing
    readme = markdown_table(list(rows.values()))
    assert readme.index("| `honest` |") < readme.index("| `mine` (lists of 20, protocol, history) ‡ |")
    assert "‡ `mine` is not ranked: flagged (" in readme

    app = typer.Typer()
    app.add_typer(group, name="results")
    if not any(command.callback is results_check_commands.clear for command in group.registered_commands):
        results_check_commands.register(app)
    words = ["results", "clear", rows["mine"].id, "--reason", "made on purpose for a test"]
    done = CliRunner().invoke(app, [*words, "--results", str(flagged)])
    assert done.exit_code == 0, done.output
    assert "look like histories" in done.output
    assert places(flagged)["mine"] == 1
    problems = check_results(flagged).problems
    assert not [problem for problem in problems if problem.path.parent.name == "mine"]
    again = CliRunner().invoke(app, [*words, "--results", str(flagged)])
    assert isinstance(again.exception, RecordError) and "nothing to clear" in str(again.exception)


def test_only_flags_can_be_cleared_and_a_damaged_note_is_named(flagged: Path) -> None:
    rows = rows_of(flagged)
    with pytest.raises(RecordError, match="no flag that holds back"):
        clear(rows["honest"], "no reason at all")
    with pytest.raises(RecordError, match="3 to 2,000 characters"):
        clear(rows["mine"], "")
    rows["mine"].path.with_suffix(".cleared.json").write_text('{"reason": "because"}')
    loaded = load_records(flagged)
    assert [stored.record.model.name for stored in loaded.records] == ["honest"]
    assert "not a valid note (cleared)" in loaded.problems[0].message
