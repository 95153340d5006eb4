"""The results folder as a public record: every kind of tampering is named, honest additions pass."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from record_factory import make_generations, make_rankings, write_cost_only, write_record
from typer.testing import CliRunner

from bench.commands import results as results_commands
from bench.commands import results_check as check_commands
from bench.errors import ConfigError, RecordError
from bench.metrics.definitions import METRICS, Lists, Metric
from bench.metrics.ranking import evaluate
from bench.records import store
from bench.records.audits import audit
from bench.records.check import CheckOutcome, check_results
from bench.records.store import load_record
from bench.records.upload_audits import audit_upload
from bench.schema import FloatArray, Split


def add_record(folder: Path, split: Split, name: str, *, skill: float, **options: Any) -> Path:
    """Write a record scored as the harness scores."""
    lists = make_rankings(split, skill=skill)
    options |= {"metrics": evaluate(split, lists), "audits": audit(split, lists)}
    return write_record(folder, split, name, skill=skill, **options)


@pytest.fixture(scope="module")
def sound(sample_split: Split, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two scored records, one of them with texts, and a cost-only one."""
    folder = tmp_path_factory.mktemp("sound") / "results"
    add_record(folder, sample_split, "model-a", skill=0.1)
    add_record(folder, sample_split, "model-b", skill=0.3, generations=make_generations(sample_split))
    write_cost_only(folder, sample_split, "model-c")
    return folder


@pytest.fixture
def results(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "results"))


def record_of(results: Path, model: str = "model-a") -> Path:
    (path,) = (path for path in results.glob(f"v1/*/{model}/*.json"))
    return path


def messages(outcome: CheckOutcome) -> str:
    return "\n".join(f"{problem.path.name}: {problem.message}" for problem in outcome.problems)


def edit(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    body = json.loads(path.read_text())
    change(body)
    path.write_text(json.dumps(body, indent=1))


def test_a_sound_folder_has_no_problems_and_scores_again(results: Path) -> None:
    outcome = check_results(results)
    assert messages(outcome) == ""
    assert (outcome.records, outcome.rescored, outcome.cost_only, outcome.not_rescored) == (3, 2, 1, [])


def better(body: dict[str, Any]) -> None:
    body["metrics"]["seen_removed"]["recall@5"]["value"] += 1e-4


def wider(body: dict[str, Any]) -> None:
    body["metrics"]["seen_kept"]["ndcg@10"]["low"] -= 1e-3


def sliced(body: dict[str, Any]) -> None:
    body["metrics"]["slices"]["seen_kept"]["same_day"][0]["metrics"]["recall@5"]["value"] += 0.01


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (better, "recall@5"),
        (wider, "ndcg@10 low is recorded as"),
        (sliced, "same_day"),
        (
            lambda body: body["metrics"]["seen_kept"].pop("catalogue_coverage@10"),
            "metrics missing: catalogue_coverage@10",
        ),
        (lambda body: body["model"].__setitem__("name", "model-z"), "belongs at"),
        (lambda body: body.__setitem__("schema_version", 7), "version 7"),
        (lambda body: body.__setitem__("extra", 1), "not a valid record"),
        (lambda body: body.__setitem__("lists_sha256", "0" * 64), "SHA-256 differs"),
        (lambda body: body.__setitem__("lists_sha256", None), "does not name it"),
        (lambda body: body["dataset"].__setitem__("fingerprint", "0" * 64), "fingerprints differ"),
        (lambda body: body["dataset"].__setitem__("ties", "shuffled:1"), "fingerprints differ"),
    ],
)
def test_each_edit_of_a_record_is_found(change: Any, message: str, results: Path) -> None:
    edit(record_of(results), change)
    assert message in messages(check_results(results))


def with_former_names(body: dict[str, Any]) -> None:
    for view in ("seen_kept", "seen_removed"):
        found = body["metrics"][view]
        body["metrics"][view] = {
            name.replace("interest_coverage", "coverage"): one for name, one in found.items()
        }


def test_a_metric_under_its_former_name_is_read_and_checked(results: Path) -> None:
    path = record_of(results)
    written = load_record(path, results).record.metrics
    edit(path, with_former_names)
    assert '"coverage@5"' in path.read_text() and "interest_coverage" not in path.read_text()
    assert load_record(path, results).record.metrics == written
    assert messages(check_results(results)) == ""
    edit(path, lambda body: body["metrics"]["seen_kept"]["coverage@5"].__setitem__("value", 1.0))
    assert "coverage@5" in messages(check_results(results))
    edit(path, lambda body: body["metrics"]["seen_kept"].__setitem__("interest_coverage@5", {"value": 0.5}))
    assert "holds a metric twice" in messages(check_results(results))


def test_edited_lists_are_found_even_if_their_hash_is_edited_too(results: Path) -> None:
    from bench.files.placing import file_sha256

    path = record_of(results)
    lists = path.with_suffix(".parquet")
    table = pq.read_table(lists)
    ids = table["item_ids"].to_pylist()
    ids[0], ids[1] = ids[1], ids[0]
    pq.write_table(pa.table({"user_id": table["user_id"], "item_ids": ids}), lists)
    assert "SHA-256 differs" in messages(check_results(results))
    edit(path, lambda body: body.__setitem__("lists_sha256", file_sha256(lists)))
    assert "is recorded as" in messages(check_results(results)) or "does not follow" in messages(
        check_results(results)
    )


def test_edited_ranks_are_found(results: Path) -> None:
    ranks = record_of(results).with_suffix(".ranks.parquet")
    table = pq.read_table(ranks)
    turned = {name: np.roll(np.asarray(table[name]), 1) for name in table.column_names}
    pq.write_table(pa.table(turned), ranks)
    assert "does not follow from the ranked lists" in messages(check_results(results))


@pytest.mark.parametrize("suffix", [".parquet", ".ranks.parquet"])
@pytest.mark.parametrize("damage", ["remove", "cut", "empty"])
def test_damaged_files_are_found(suffix: str, damage: str, results: Path) -> None:
    path = record_of(results).with_suffix(suffix)
    if damage == "remove":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: 0 if damage == "empty" else 100])
    outcome = check_results(results)
    assert len(outcome.problems) == 1 and outcome.rescored == 1


@pytest.mark.parametrize(
    "name",
    [
        "notes.txt", "v1/sample/model-a/notes.txt", "v1/sample/model-a/deep/x.json", "v2/sample/m/x.json",
        "v1/sample/../../x.json", "v1/Sample/model-a/20260101T000000000000Z-abc.json", "v1/sample/.tmp-x",
        "v1/sample/reproduction.json", "v1/sample/model-a/20260101T000000000000Z-abc.parquet",
    ],
)  # fmt: skip
def test_files_out_of_place_are_found(name: str, results: Path) -> None:
    path = results / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    outcome = check_results(results)
    outside = results.resolve() not in path.resolve().parents
    assert bool(outcome.problems) != outside


def test_links_and_large_files_are_refused(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (results / "v1" / "sample" / "model-a" / "20260101T000000000000Z-abc.json").symlink_to("/etc/passwd")
    assert "a link" in messages(check_results(results))
    monkeypatch.setattr("bench.records.check.MAX_FILE_BYTES", 1000)
    assert "larger than" in messages(check_results(results))


def test_a_record_whose_data_are_not_at_hand_is_counted_not_failed(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.records.check.load_split", _missing_data)
    outcome = check_results(results, data_dir=tmp_path)
    assert outcome.rescored == 0 and outcome.problems == []
    assert len(outcome.not_rescored) == 2 and "get it by" in outcome.not_rescored[0]


def test_a_record_of_a_copy_with_estimated_times_is_listed_where_the_original_is_at_hand(
    results: Path, tmp_path: Path
) -> None:
    path = record_of(results)
    body = json.loads(path.read_bytes())
    body["dataset"] |= {"estimated_times": 7, "fingerprint": "7" * 64}
    path.write_text(json.dumps(body))
    outcome = check_results(results)
    assert outcome.problems == [] and outcome.rescored == 1
    (listed,) = outcome.other_copy
    assert "copy with 7 estimated times" in listed and "model-a" in listed


def _missing_data(*_: object, **__: object) -> Split:
    from bench.errors import DataError

    raise DataError("there is no file; get it by data download")


def _without_empties(body: dict[str, Any]) -> None:
    body["audits"] = []


def _passing(body: dict[str, Any]) -> None:
    next(one for one in body["audits"] if one["name"] == "identical_lists")["verdict"] = "fail"


def _drawn(body: dict[str, Any]) -> None:
    next(one for one in body["audits"] if one["name"] == "shuffled_users")["value"] += 0.01


def _more(body: dict[str, Any]) -> None:
    body["metrics"]["seen_kept"]["novelty@5"] = {"value": 0.3}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_without_empties, "the audit shuffled_users is missing"),
        (_passing, "identical_lists is recorded as fail but gives pass"),
        (_drawn, "shuffled_users is recorded with"),
        (_more, "not known here, so they cannot be checked: novelty@5"),
        (lambda body: body.update(status="partial"), "recorded as partial, but its lists are complete"),
        (lambda body: body["metrics"].update(draws=1) or _more(body), "novelty@5"),
        (lambda body: body.update(depth=10), "holds places outside 0..10"),
    ],
)
def test_status_audits_and_names_are_checked(change: Any, message: str, results: Path) -> None:
    edit(record_of(results), change)
    assert message in messages(check_results(results))


def test_a_record_from_the_future_is_found(results: Path) -> None:
    path = record_of(results)
    for suffix in (".json", ".parquet", ".ranks.parquet"):
        old = path.with_suffix(suffix)
        old.rename(old.with_name(old.name.replace("2026", "2926", 1)))
    renamed = path.with_name(path.name.replace("2026", "2926", 1))
    edit(renamed, lambda body: body.update(created="2926-01-02T03:04:05Z"))
    assert "still to come" in messages(check_results(results))


def test_a_partial_submission_cannot_call_itself_complete(sample_split: Split, tmp_path: Path) -> None:
    lists = make_rankings(sample_split, skill=0.1)
    lists[:20] = -1
    record = load_record(add_record(tmp_path / "a", sample_split, "model-a", skill=0.1)).record
    update = {
        "source": "submission",
        "metrics": evaluate(sample_split, lists),
        "audits": [*audit(sample_split, lists), *audit_upload(sample_split, lists, "the card", {})],
        "lists_sha256": None,
    }
    honest = record.model_copy(update=update | {"status": "partial"})
    store.write(honest, sample_split, lists, None, tmp_path / "honest")
    assert messages(check_results(tmp_path / "honest")) == ""
    store.write(record.model_copy(update=update), sample_split, lists, None, tmp_path / "other")
    assert "recorded as complete, but its lists are partial" in messages(check_results(tmp_path / "other"))


def test_a_submission_cannot_drop_the_audits_that_would_hold_it_back(
    sample_split: Split, tmp_path: Path
) -> None:
    record = load_record(add_record(tmp_path / "a", sample_split, "model-a", skill=0.1)).record
    lists = make_rankings(sample_split, skill=0.1)
    update = {"source": "submission", "audits": audit(sample_split, lists), "lists_sha256": None}
    store.write(record.model_copy(update=update), sample_split, lists, None, tmp_path / "b")
    found = messages(check_results(tmp_path / "b"))
    assert "the audit history is missing" in found and "the audit protocol is missing" in found


def test_a_metric_that_came_later_may_be_missing_but_not_one_of_the_schema(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def double(lists: Lists, cutoffs: Sequence[int]) -> list[FloatArray]:
        return [2 * lists.lengths for _ in cutoffs]

    later = Metric(name="doubled", label="Doubled", share=False, of_user=double)
    monkeypatch.setitem(METRICS, "doubled", later)
    assert messages(check_results(results)) == ""
    path = record_of(results)
    edit(path, lambda body: body["metrics"]["seen_kept"].update({"doubled@5": {"value": 100.0}}))
    assert "doubled@5 low is recorded as None" in messages(check_results(results))
    edit(
        path,
        lambda body: body["metrics"]["seen_kept"].update(
            {"doubled@5": {"value": 100.0, "low": 100.0, "high": 100.0}}
        ),
    )
    assert messages(check_results(results)) == ""
    monkeypatch.setitem(METRICS, "doubled", dataclasses.replace(later, schema=1))
    assert "metrics missing: doubled@1" in messages(check_results(results))


def test_intervals_are_demanded_where_they_were_drawn_as_now(results: Path) -> None:
    """A record drawn by NumPy's Generator keeps its intervals, whatever NumPy draws; means are exact."""
    path = record_of(results)
    edit(path, lambda body: body["metrics"].update(draws=1))
    edit(path, wider)
    assert messages(check_results(results)) == ""
    edit(path, better)
    assert "recall@5" in messages(check_results(results))


@pytest.mark.parametrize("suffix", [".parquet", ".ranks.parquet"])
def test_pipes_and_links_are_found_and_not_opened(suffix: str, results: Path) -> None:
    path = record_of(results).with_suffix(suffix)
    path.unlink()
    os.mkfifo(path)
    assert "not an ordinary file" in messages(check_results(results))
    path.unlink()
    path.symlink_to("/dev/zero")
    assert "a link" in messages(check_results(results))


def test_the_workflow_lets_no_record_pass_unscored() -> None:
    steps = (Path(__file__).parents[3] / ".github/workflows/ci.yml").read_text()
    job = steps[steps.index("  results:") :]
    assert "continue-on-error" not in job and "results check --all-data" in job


# Against a commit -----------------------------------------------------------------------------------


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *words], capture_output=True, check=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(results: Path) -> Path:
    """The folder as the last commit of the branch main."""
    git(results.parent, "init", "-q", "-b", "main")
    git(results.parent, "add", "results")
    git(results.parent, "commit", "-q", "-m", "records")
    git(results.parent, "switch", "-q", "-c", "work")
    return results


def test_adding_records_is_fine(repository: Path, sample_split: Split) -> None:
    add_record(repository, sample_split, "model-new", skill=0.2)
    git(repository.parent, "add", "results")
    git(repository.parent, "commit", "-q", "-m", "one more")
    assert messages(check_results(repository, base="main")) == ""


def test_a_branch_that_is_behind_removes_nothing(repository: Path, sample_split: Split) -> None:
    git(repository.parent, "switch", "-q", "main")
    add_record(repository, sample_split, "model-new", skill=0.2)
    git(repository.parent, "add", "results")
    git(repository.parent, "commit", "-q", "-m", "main moves on")
    git(repository.parent, "switch", "-q", "work")
    assert messages(check_results(repository, base="main")) == ""


@pytest.mark.parametrize("committed", [True, False])
def test_edits_and_removals_are_found(repository: Path, committed: bool) -> None:
    edit(record_of(repository), better)
    for path in record_of(repository, "model-b").parent.iterdir():
        path.unlink()
    if committed:
        git(repository.parent, "commit", "-q", "-a", "-m", "improve")
    text = messages(check_results(repository, base="main"))
    assert "was edited since" in text and "scores moved: seen_removed recall@5" in text
    assert text.count("was removed since") == 4


def test_invalidating_is_an_addition_and_cannot_be_taken_back(repository: Path) -> None:
    marked = record_of(repository).with_suffix(".invalid.json")
    app = commands()
    record = f"sample/model-a/{record_of(repository).stem}"
    words = ["results", "invalidate", record, "--reason", "trained on test items"]
    assert CliRunner().invoke(app, [*words, "--results", str(repository)]).exit_code == 0
    assert "trained on test items" in marked.read_text()
    git(repository.parent, "add", "results")
    git(repository.parent, "commit", "-q", "-m", "withdraw")
    assert messages(check_results(repository, base="main")) == ""
    withdrawn = git(repository.parent, "rev-parse", "HEAD")
    marked.unlink()
    assert "was removed since" in messages(check_results(repository, base=withdrawn))


def test_a_base_that_does_not_exist(repository: Path) -> None:
    for base in ("nowhere", "--output=/tmp/x", ""):
        with pytest.raises(ConfigError, match="knows no commit"):
            check_results(repository, base=base)


def test_outside_a_repository(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(results.parent))
    with pytest.raises(RecordError, match="git"):
        check_results(results, base="main")


# The commands ---------------------------------------------------------------------------------------


def commands() -> typer.Typer:
    app = typer.Typer()
    app.callback()(lambda: None)
    results_commands.register(app)
    check_commands.register(app)
    return app


def test_the_command_ends_with_a_count_and_fails_on_problems(results: Path) -> None:
    app = commands()
    good = CliRunner().invoke(app, ["results", "check", "--results", str(results)])
    assert good.exit_code == 0, good.output
    assert "3 records, 2 re-scored, 0 not for want of data, 1 of cost alone, 0 problems" in good.output
    edit(record_of(results), better)
    bad = CliRunner().invoke(app, ["results", "check", "--results", str(results)])
    assert bad.exit_code == 1
    assert "v1/sample/model-a/" in bad.output and "recall@5" in bad.output
    nowhere = CliRunner().invoke(app, ["results", "check", "--results", str(results / "none")])
    assert isinstance(nowhere.exception, RecordError)


def test_an_invalidated_record_stays_and_needs_a_reason(results: Path) -> None:
    app, path = commands(), record_of(results)
    words = ["results", "invalidate", f"sample/model-a/{path.stem}", "--results", str(results), "--reason"]
    short = CliRunner().invoke(app, [*words, ""])
    assert isinstance(short.exception, RecordError)
    assert CliRunner().invoke(app, [*words, "wrong data"]).exit_code == 0
    stored = load_record(path, results)
    assert stored.invalid is not None and stored.invalid.reason == "wrong data"
    again = CliRunner().invoke(app, [*words, "again"])
    assert isinstance(again.exception, RecordError) and "already" in str(again.exception)
    assert messages(check_results(results)) == ""
