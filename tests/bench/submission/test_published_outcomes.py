"""Published outcomes: ranks that others made become a marked row, and nothing is read into them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from record_factory import make_rankings, write_record
from typer.testing import CliRunner

from bench.commands.submit import register
from bench.comparison.board_standings import board_standings
from bench.comparison.compared_models import find_compared, load_compared
from bench.comparison.paired import compare, compare_metrics
from bench.comparison.paired_text import as_text
from bench.comparison.readme_tables import markdown_table
from bench.errors import ConfigError, RecordError
from bench.files.arrow import write_parquet
from bench.files.placing import file_sha256
from bench.metrics.ranking import evaluate, ranks_in_view
from bench.record import Record
from bench.records import store
from bench.records.check import check_results
from bench.records.list_files import read_lists
from bench.records.store import load_record, load_records
from bench.schema import Int32Array, Split
from bench.submission import Entry, ModelCard, SubmissionError
from bench.submission.outcomes import Outcomes, build_outcomes_record, known_ranks, read_outcomes_file
from leaderboard.frames import board_rows
from leaderboard.static_page import export

K = 5
COMMITTED = "20261126T022040720800Z-24006367"
"""Last item's text on Beauty, ties `file`: a user's own run of it may be newer."""
ENTRY = Entry(
    name="their-model", kind="generative", card=ModelCard(authors="They", link="https://example.org")
)


@pytest.fixture(scope="module")
def ranks(sample_split: Split) -> Int32Array:
    """Places in lists of five, as their authors would publish them."""
    lists = make_rankings(sample_split, skill=0.3, depth=K)
    return ranks_in_view(lists, sample_split.test, "seen_kept")


def rows(split: Split, ranks: Int32Array) -> list[tuple[str, int]]:
    return list(zip(split.user_ids, ranks.tolist(), strict=True))


def csv_file(path: Path, lines: list[tuple[str, object]], mark: str = ",") -> Path:
    body = "\n".join(f"{user}{mark}{rank}" for user, rank in lines)
    path.write_text(f"user_id{mark}rank\n{body}\n", encoding="utf-8")
    return path


def read(path: Path, split: Split, **options: object) -> Outcomes:
    return read_outcomes_file(path, split, depth=K, **options)  # type: ignore[arg-type]


def add(results: Path, split: Split, ranks: Int32Array, folder: Path) -> Path:
    found = read(csv_file(folder / "ranks.csv", rows(split, ranks)), split)
    record = build_outcomes_record(found, ENTRY, split, command="genrec-bench submit ...")
    return store.write(record, split, None, None, results, outcomes=found.ranks)


def test_every_format_gives_the_same_ranks(sample_split: Split, ranks: Int32Array, tmp_path: Path) -> None:
    lines = rows(sample_split, ranks)
    files = [csv_file(tmp_path / "a.csv", lines), csv_file(tmp_path / "b.tsv", lines[::-1], "\t")]
    packed = tmp_path / "c.csv.gz"
    packed.write_bytes(gzip.compress(files[0].read_bytes()))
    objects = tmp_path / "d.jsonl"
    objects.write_text("".join(json.dumps({"user_id": u, "rank": r}) + "\n" for u, r in lines))
    table = tmp_path / "e.parquet"
    pq.write_table(pa.table({"rank": ranks, "user_id": list(sample_split.user_ids)}), table)
    windows = tmp_path / "f.csv"
    windows.write_bytes(b"\xef\xbb\xbf" + files[0].read_bytes().replace(b"\n", b"\r\n"))
    for path in [*files, packed, objects, table, windows]:
        found = read(path, sample_split)
        assert found.report.ok, str(found.report)
        np.testing.assert_array_equal(found.ranks, ranks)


def test_the_metrics_are_those_of_the_lists_up_to_k_and_null_beyond(
    sample_split: Split, ranks: Int32Array, tmp_path: Path
) -> None:
    stored = load_record(add(tmp_path / "results", sample_split, ranks, tmp_path), tmp_path / "results")
    found = stored.record.metrics
    assert found is not None
    expected = evaluate(sample_split, make_rankings(sample_split, skill=0.3, depth=K))
    for name in ("recall@1", "ndcg@1", "mrr@1", "recall@5", "ndcg@5", "mrr@5"):
        assert found.seen_kept[name].value == pytest.approx(expected.seen_kept[name].value, abs=1e-15)
        assert found.seen_kept[name].low is not None
        assert found.seen_removed[name].value is None
    for name in ("recall@10", "ndcg@20"):
        assert found.seen_kept[name].value is None
    assert "catalogue_coverage@5" not in found.seen_kept
    assert set(found.slices) == {"seen_kept"}
    groups = zip(found.slices["seen_kept"]["same_day"], expected.slices["seen_kept"]["same_day"], strict=True)
    for ours, theirs in groups:
        assert ours.users == theirs.users
        assert ours.metrics["ndcg@5"].value == pytest.approx(theirs.metrics["ndcg@5"].value, abs=1e-15)
        assert ours.metrics["ndcg@10"].value is None


def test_the_record_says_what_it_is_and_has_no_lists_and_no_cost(
    sample_split: Split, ranks: Int32Array, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    stored = load_record(add(results, sample_split, ranks, tmp_path), results)
    record = stored.record
    assert (record.source, record.published_view, record.depth) == ("published-outcomes", "seen_kept", K)
    assert record.lists_sha256 is None and record.cost.wall_seconds == {}
    assert record.card == {"authors": "They", "link": "https://example.org"}
    assert not stored.lists_path.exists()
    with pytest.raises(RecordError, match="published outcomes"):
        read_lists(stored, sample_split)


@pytest.mark.parametrize(
    "broken", [{"published_view": None}, {"lists_sha256": "0" * 64}, {"source": "harness"}]
)
def test_a_record_of_outcomes_cannot_pass_for_another(
    broken: dict[str, object], sample_split: Split, ranks: Int32Array, tmp_path: Path
) -> None:
    path = add(tmp_path / "results", sample_split, ranks, tmp_path)
    with pytest.raises(ValueError, match="published outcomes"):
        Record.model_validate(json.loads(path.read_text()) | broken)


def test_every_fault_is_named_by_line(sample_split: Split, ranks: Int32Array, tmp_path: Path) -> None:
    lines: list[tuple[str, object]] = list(rows(sample_split, ranks))
    lines[0] = ("nobody", 1)
    lines[1] = (lines[2][0], 0)
    lines[3] = (lines[3][0], 6)
    lines[4] = (lines[4][0], 1.5)
    lines[5] = (lines[5][0], -1)
    lines[6] = (lines[6][0], "first")
    report = str(read(csv_file(tmp_path / "ranks.csv", lines), sample_split).report)
    assert "users that are not in the data set (1): line 2: 'nobody'" in report
    assert "users with more than one rank (1): line 4:" in report
    assert "ranks beyond 5" in report and "line 5: '6'" in report
    assert "(3): line 6: '1.5'; line 7: '-1'; line 8: 'first'" in report
    assert "users without an answer, counted as misses (2)" in report


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("user_id,score\nu,1\n", "need the columns user_id and rank"),
        ("user_id,rank\nu,1,2\n", "rows with another number of fields (1): line 2: 3 instead of 2"),
        ('{"user_id": "u", "rank": 1}\n{"user_id"\n', "lines that are not JSON (1): line 2"),
        ("# nothing\n", "holds no header and no rows"),
        ("", "is empty"),
    ],
)
def test_what_is_no_file_of_ranks_is_refused(
    text: str, message: str, sample_split: Split, tmp_path: Path
) -> None:
    path = tmp_path / "ranks.csv"
    path.write_text(text)
    found = read(path, sample_split)
    assert found.ranks is None and message in str(found.report)
    with pytest.raises(SubmissionError, match="refused"):
        build_outcomes_record(found, ENTRY, sample_split, command="")


def test_missing_users_count_as_misses_and_mark_the_row(
    sample_split: Split, ranks: Int32Array, tmp_path: Path
) -> None:
    path = csv_file(tmp_path / "half.csv", rows(sample_split, ranks)[:500])
    assert not read(path, sample_split).report.ok
    found = read(path, sample_split, allow_partial=True)
    record = build_outcomes_record(found, ENTRY, sample_split, command="")
    assert record.status == "partial" and record.metrics is not None
    assert record.metrics.seen_kept["recall@5"].value == pytest.approx((ranks[:500] > 0).sum() / 1000)


def test_a_length_that_no_rank_reaches_is_doubted(
    sample_split: Split, ranks: Int32Array, tmp_path: Path
) -> None:
    path = csv_file(tmp_path / "ranks.csv", rows(sample_split, ranks))
    found = read_outcomes_file(path, sample_split, depth=10)
    assert found.report.ok and "give --k that" in str(found.report)


def test_results_check_scores_the_ranks_again(sample_split: Split, ranks: Int32Array, tmp_path: Path) -> None:
    results = tmp_path / "results"
    path = add(results, sample_split, ranks, tmp_path)
    outcome = check_results(results)
    assert (outcome.rescored, outcome.problems) == (1, [])

    other = np.where(ranks == 5, 4, ranks).astype(np.int32)
    users = list(sample_split.user_ids)
    beside = path.with_suffix(".ranks.parquet")
    write_parquet(pa.table({"user_id": users, "seen_kept": other}), beside)
    assert "SHA-256 differs" in check_results(results).problems[0].message
    body = json.loads(path.read_text())
    path.write_text(json.dumps(body | {"outcomes_sha256": file_sha256(beside)}))
    assert "disagrees with the record's" in check_results(results).problems[0].message

    swapped = users[1::-1] + users[2:]
    write_parquet(pa.table({"user_id": swapped, "seen_kept": ranks}), beside)
    path.write_text(json.dumps(body | {"outcomes_sha256": file_sha256(beside)}))
    assert "does not name the users" in check_results(results).problems[0].message


def test_paired_verdicts_count_the_users_of_each_side(
    sample_split: Split, ranks: Int32Array, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    add(results, sample_split, ranks, tmp_path)
    lists = make_rankings(sample_split, skill=0.1, seed=1)
    metrics = evaluate(sample_split, lists)
    write_record(results, sample_split, "baseline", skill=0.1, seed=1, metrics=metrics)
    pair = find_compared(["their-model", "baseline"], results)
    found = compare_metrics(*pair, metrics=["recall@5"], view="seen_removed")["recall@5"]
    theirs = ranks_in_view(lists, sample_split.test, "seen_removed")
    hits = (theirs > 0) & (theirs <= 5)
    assert found.won == int(((ranks > 0) & ~hits).sum())
    assert found.lost == int(((ranks == 0) & hits).sum())
    text = as_text(compare(pair, metric="recall@5", view="seen_removed", resamples=100))
    assert "their-model: published outcomes, not re-run: places in lists of 5, seen items kept" in text
    with pytest.raises(ConfigError, match="deeper than the lists of their-model"):
        compare(pair, metric="recall@10", view="seen_removed", resamples=100)


def test_the_board_the_export_and_the_readme_show_the_row_with_its_mark(
    sample_split: Split, ranks: Int32Array, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    add(results, sample_split, ranks, tmp_path)
    metrics = evaluate(sample_split, make_rankings(sample_split, skill=0.1))
    write_record(results, sample_split, "baseline", skill=0.1, metrics=metrics)
    records = load_records(results).valid()
    models = [load_compared([stored], stored.record.model.name) for stored in records]
    standings = board_standings(models, metric="recall@5", view="seen_removed")
    assert standings["their-model"].best_rank == 1 and standings["baseline"].best_rank == 2
    assert set(board_standings(models, metric="recall@10", view="seen_removed")) == {"baseline"}

    frame = board_rows.leaderboard(records, view="seen_removed", cutoff=5).set_index("name")
    assert frame.loc["their-model", "recall"] == pytest.approx(float((ranks > 0).mean()))
    assert frame.loc["their-model", "marks"][0].why.startswith("published outcomes, not re-run")
    assert frame.loc["baseline", "marks"] == []
    for cutoff in (5, 20):
        page = export(results, tmp_path / f"site{cutoff}", view="seen_removed", cutoff=cutoff).read_text()
        assert "published outcomes" in page
    readme = markdown_table(records)
    row = next(line for line in readme.splitlines() if line.startswith("| `their-model` †"))
    assert row.startswith(f"| `their-model` † | - | - | - | {(ranks > 0).mean():.4f} |")
    assert "† Published outcomes, not re-run: places in lists of 5, seen items kept." in readme
    verdict = next(line for line in readme.splitlines() if line.startswith("| `their-model` | `baseline`"))
    assert verdict.count(": better") == 2


def test_outcomes_like_those_of_a_known_row_are_flagged(
    sample_split: Split, ranks: Int32Array, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    add(results, sample_split, ranks, tmp_path)
    known = known_ranks(sample_split, results, leave_out="another")
    again = ranks.copy()
    again[np.flatnonzero(ranks)[0]] = 0
    path = csv_file(tmp_path / "again.csv", rows(sample_split, again))
    entry = Entry(name="another", kind="generative")
    record = build_outcomes_record(read(path, sample_split), entry, sample_split, command="", known=known)
    verdicts = {audit.name: audit.verdict for audit in record.audits}
    assert verdicts["copy"] == "flag"
    perfect = csv_file(tmp_path / "perfect.csv", [(user, 1) for user in sample_split.user_ids])
    record = build_outcomes_record(read(perfect, sample_split), entry, sample_split, command="", known=known)
    verdicts = {audit.name: audit.verdict for audit in record.audits}
    assert verdicts == {"target_in_history": "pass", "too_good": "flag", "copy": "pass"}


def test_the_command_writes_the_record_and_refuses_what_does_not_belong(
    sample_split: Split, ranks: Int32Array, tmp_path: Path
) -> None:
    app = typer.Typer()
    register(app)
    file = csv_file(tmp_path / "ranks.csv", rows(sample_split, ranks))
    card = tmp_path / "card.yaml"
    card.write_text("seen_items: removed\nauthors: They\n")
    common = [str(file), "--dataset", "sample", "--name", "theirs", "--kind", "generative"]
    common += ["--results", str(tmp_path / "results")]
    done = CliRunner().invoke(app, [*common, "--outcomes", "--k", "5", "--card", str(card)])
    assert done.exit_code == 0, done.output
    assert f"seen items removed: Recall@5 {(ranks > 0).mean():.4f}" in done.output
    assert "seen items kept" not in done.output
    (stored,) = load_records(tmp_path / "results").records
    assert stored.record.published_view == "seen_removed"
    assert "--outcomes --k 5 --seen-items removed" in stored.record.command
    for wrong, message in (
        (["--outcomes"], "--outcomes needs --k"),
        (["--k", "5"], "belong to --outcomes"),
        (["--outcomes", "--k", "5", "--texts"], "leave out --texts"),
        (["--outcomes", "--k", "51"], "1 to 50"),
        (["--outcomes", "--k", "5", "--seen-items", "gone"], "'kept' or 'removed'"),
    ):
        failed = CliRunner().invoke(app, [*common, *wrong])
        assert isinstance(failed.exception, ConfigError) and message in str(failed.exception)


@pytest.mark.real_data
def test_the_published_llama_outcomes_of_beauty(
    real_data_dir: Path, real_split: Split, tmp_path: Path
) -> None:
    """Figures of their authors' per-user files, and the paired verdict on 1B against one BM25 search."""
    folder = real_data_dir / "published-outputs" / "beauty2014" / "test-ranks"
    if not folder.is_dir():
        pytest.skip("GENREC_BENCH_DATA holds no published-outputs/beauty2014/test-ranks")
    for size, recall in (("1b", 0.04548), ("3b", 0.06475), ("8b", 0.06806)):
        found = read(folder / f"llama-{size}.bm25.csv.gz", real_split)
        assert found.report.ok and found.report.missing_users == 0
        assert found.ranks is not None
        assert round(float((found.ranks > 0).mean()), 5) == recall
    found = read(folder / "llama-1b.bm25.csv.gz", real_split)
    record = build_outcomes_record(found, ENTRY, real_split, command="")
    store.write(record, real_split, None, None, tmp_path, outcomes=found.ranks)
    theirs = load_compared(load_records(tmp_path).records)
    (ours,) = find_compared([COMMITTED], Path("results"))
    verdicts = compare_metrics(ours, theirs, metrics=["recall@5", "ndcg@5"], view="seen_removed")
    assert round(verdicts["recall@5"].difference.value, 4) == 0.0041
    assert (verdicts["recall@5"].won, verdicts["recall@5"].lost) == (726, 635)
    assert round(verdicts["ndcg@5"].difference.value, 4) == 0.0094
