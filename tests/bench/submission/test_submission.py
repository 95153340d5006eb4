"""Submitted files: every format gives the same record; every fault is named; nothing half-written."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from submission_files import (
    TEXT_FORMATS,
    Named,
    csv_text,
    json_lines,
    named_lists,
    ranx_json,
    trec_text,
    write_gzip,
    write_parquet_lists,
    write_parquet_rows,
    write_text,
)
from typer.testing import CliRunner

from bench.commands.submit import register
from bench.comparison.cost_table import markdown_costs
from bench.comparison.readme_tables import markdown_table
from bench.errors import BenchError, ConfigError
from bench.files.placing import Placing
from bench.record import Record
from bench.records import store
from bench.records.list_files import read_lists
from bench.records.store import load_records
from bench.schema import NO_ITEM, Rankings, Split
from bench.submission import (
    Entry,
    ModelCard,
    SubmissionError,
    build_record,
    parse_card,
    read_card,
    read_submission,
)
from bench.submission import lists as lists_module
from bench.submission.reading import source as source_module

DEPTH = 50


def random_lists(split: Split, *, seed: int = 0, shortest: int = 0) -> Rankings:
    """Distinct random items, of lengths from `shortest` to 50; the target is put in for some users."""
    rng = np.random.default_rng(seed)
    users, items = len(split.user_ids), len(split.catalogue)
    depth = min(DEPTH, items)
    rankings = np.full((users, DEPTH), NO_ITEM, dtype=np.int32)
    for user in range(users):
        row = rng.permutation(items)[:depth].astype(np.int32)
        if user % 3 == 0 and split.test.targets[user] not in row:
            row[rng.integers(depth)] = split.test.targets[user]
        length = int(rng.integers(shortest, depth + 1))
        rankings[user, :length] = row[:length]
    return rankings


@pytest.fixture(scope="module")
def full_lists(sample_split: Split) -> Rankings:
    return random_lists(sample_split, shortest=1)


@pytest.fixture(scope="module")
def named(sample_split: Split, full_lists: Rankings) -> Named:
    return named_lists(sample_split, full_lists)


@pytest.fixture(scope="module")
def expected(sample_split: Split, named: Named, tmp_path_factory: pytest.TempPathFactory) -> Record:
    path = write_parquet_lists(tmp_path_factory.mktemp("expected"), named)
    return score(path, sample_split)


def score(path: Path, split: Split) -> Record:
    submission = read_submission(path, split)
    return build_record(submission, Entry(name="mine", kind="sequential"), split, command="x")


@pytest.mark.parametrize("name", TEXT_FORMATS)
@pytest.mark.parametrize("write", [write_text, write_gzip])
def test_every_text_format_gives_the_same_lists_and_metrics(
    name: str,
    write,
    sample_split: Split,
    named: Named,
    full_lists: Rankings,
    expected: Record,
    tmp_path: Path,
) -> None:
    path = write(tmp_path, name, named)
    submission = read_submission(path, sample_split)
    assert submission.report.ok, str(submission.report)
    assert submission.rankings is not None
    np.testing.assert_array_equal(submission.rankings, full_lists)
    record = build_record(submission, Entry(name="mine", kind="sequential"), sample_split, command="x")
    assert record.metrics == expected.metrics
    assert [audit.model_dump() for audit in record.audits] == [a.model_dump() for a in expected.audits]


@pytest.mark.parametrize("order", [("rank", "score"), ("rank",), ("score",), ()])
def test_parquet_with_a_row_an_item(
    order: tuple[str, ...], sample_split: Split, named: Named, full_lists: Rankings, tmp_path: Path
) -> None:
    submission = read_submission(write_parquet_rows(tmp_path, named, order=order), sample_split)
    assert submission.report.ok, str(submission.report)
    np.testing.assert_array_equal(submission.rankings, full_lists)


@pytest.mark.filterwarnings("ignore:.*unsafe cast from uint64 to int64")  # numba, where it compiles ranx anew
def test_metrics_equal_ranx_and_pytrec_eval(sample_split: Split, named: Named, expected: Record) -> None:
    """One relevant item a user; ranx counts users without a list too once they stand in the run."""
    pytrec_eval = pytest.importorskip("pytrec_eval")
    ranx = pytest.importorskip("ranx")
    targets = [sample_split.catalogue.item_ids[row] for row in sample_split.test.targets]
    qrels = {user: {target: 1} for user, target in zip(sample_split.user_ids, targets, strict=True)}
    run = {user: {item: 100.0 - place for place, item in enumerate(items)} for user, items in named}
    assert expected.metrics is not None
    kept = expected.metrics.seen_kept
    theirs = ranx.evaluate(ranx.Qrels(qrels), ranx.Run(run), ["ndcg@10", "recall@20"])
    for metric, value in theirs.items():
        assert kept[metric].value == pytest.approx(float(value), abs=1e-12)
    evaluator = pytrec_eval.RelevanceEvaluator(qrels, {"recall.5,10,20", "ndcg_cut.5,10,20"})
    outcomes = evaluator.evaluate(run).values()
    for ours, trec in (("recall@10", "recall_10"), ("ndcg@5", "ndcg_cut_5"), ("ndcg@20", "ndcg_cut_20")):
        mean = np.mean([outcome[trec] for outcome in outcomes])
        assert kept[ours].value == pytest.approx(mean, abs=1e-12)


def test_a_run_that_ranx_wrote_is_read_back(
    sample_split: Split, named: Named, full_lists, tmp_path: Path
) -> None:
    ranx = pytest.importorskip("ranx")
    run = ranx.Run({user: {i: 1.0 / (p + 1) for p, i in enumerate(items)} for user, items in named}, name="r")
    for name in ("run.json", "run.trec", "run.lz4", "run.parquet"):
        run.save(str(tmp_path / name))
        submission = read_submission(tmp_path / name, sample_split)
        assert submission.report.ok, str(submission.report)
        np.testing.assert_array_equal(submission.rankings, full_lists)


# Faults, each with its place ------------------------------------------------------------------------


def problems(split: Split, path: Path, **options) -> str:
    submission = read_submission(path, split, **options)
    assert not submission.report.ok
    assert submission.rankings is None
    with pytest.raises(SubmissionError):
        build_record(submission, Entry(name="mine", kind="sequential"), split, command="x")
    return str(submission.report)


def rows_of(split: Split) -> list[str]:
    """A sound CSV for the toy split, as lines."""
    return csv_text([(user, ["i0", "i1"]) for user in split.user_ids]).splitlines()


CSV_FAULTS = [
    (lambda rows: rows.__setitem__(3, "nobody,i0,1"), "line 4: 'nobody'"),
    (lambda rows: rows.__setitem__(3, "u1,i99,1"), "line 4: 'i99'"),
    (lambda rows: rows.__setitem__(4, "u1,i0,2"), "line 5: user 'u1' item 'i0'"),
    (lambda rows: rows.__setitem__(4, "u1,i1,1"), "line 5: user 'u1'"),
    (lambda rows: rows.__setitem__(4, "u1,i1,nan"), "line 5: nan"),
    (lambda rows: rows.__setitem__(4, "u1,i1,-3"), "line 5: -3"),
    (lambda rows: rows.__setitem__(4, "u1,i1,1.5"), "line 5: 1.5"),
    (lambda rows: rows.__setitem__(4, "u1,i1,first"), "line 5: 'first'"),
    (lambda rows: rows.__setitem__(4, "u1,i1"), "line 5: 2 instead of 3"),
    (lambda rows: rows.__setitem__(4, "u1,i1,2,9"), "line 5: 4 instead of 3"),
    (lambda rows: rows.__setitem__(4, '"u1,i1,2'), "line 5: "),
    (lambda rows: rows.__setitem__(0, "a,b,c"), "the numbers in 'c' may order the items"),
    (lambda rows: rows.insert(0, "# fingerprint: " + "f" * 64), "made for other data"),
    (lambda rows: rows.__delitem__(slice(1, 3)), "users without an answer, over 1% of all (1): 'u0'"),
    (lambda rows: rows.__delitem__(slice(1, None)), "no recommended items at all"),
]


@pytest.mark.parametrize(("damage", "message"), CSV_FAULTS)
def test_each_fault_of_a_table_is_named_with_its_place(
    damage, message: str, toy_split: Split, tmp_path: Path
) -> None:
    rows = rows_of(toy_split)
    damage(rows)
    path = tmp_path / "lists.csv"
    path.write_text("\n".join(rows) + "\n")
    assert message in problems(toy_split, path)


def test_one_report_holds_every_fault(toy_split: Split, tmp_path: Path) -> None:
    rows = rows_of(toy_split)
    rows[1], rows[4], rows[6], rows[8] = "nobody,i0,1", "u1,i77,2", "u2,i0,2", "u3,i1,x"
    path = tmp_path / "lists.csv"
    path.write_text("\n".join(rows) + "\n")
    text = problems(toy_split, path)
    for kind in ("users that are not", "items that are not", "hold an item twice", "no rank"):
        assert kind in text
    assert "refused, 5 kinds" in text  # a rank that is no number is also no whole number


def test_blank_lines_and_windows_line_ends_do_not_shift_line_numbers(
    toy_split: Split, tmp_path: Path
) -> None:
    rows = rows_of(toy_split)
    rows[5] = "u2,i99,1"
    rows.insert(2, "")
    path = tmp_path / "lists.csv"
    path.write_bytes("\r\n".join(rows).encode())
    assert "line 7: 'i99'" in problems(toy_split, path)


def test_ranks_that_disagree_with_scores(toy_split: Split, tmp_path: Path) -> None:
    lists = [(user, ["i0", "i1", "i2"]) for user in toy_split.user_ids]
    lines = trec_text(lists).splitlines()
    lines[4] = "u1 Q0 i1 2 99.0 run"
    path = tmp_path / "run.trec"
    path.write_text("\n".join(lines))
    assert "ranks that disagree with scores (1): line 5: user 'u1'" in problems(toy_split, path)


@pytest.mark.parametrize("value", ["nan", "inf", "1e999"])
def test_scores_that_are_not_finite(value: str, toy_split: Split, tmp_path: Path) -> None:
    lines = trec_text([(user, ["i0"]) for user in toy_split.user_ids]).splitlines()
    lines[2] = f"u2 Q0 i0 1 {value} run"
    path = tmp_path / "run.trec"
    path.write_text("\n".join(lines))
    assert "scores that are NaN or infinite (1): line 3" in problems(toy_split, path)


def test_a_user_with_two_lists(toy_split: Split, tmp_path: Path) -> None:
    lists = [(user, ["i0"]) for user in toy_split.user_ids]
    path = tmp_path / "lists.jsonl"
    path.write_text(json_lines([*lists, ("u1", ["i2"])]))
    assert "users with more than one list (1): line 7: user 'u1'" in problems(toy_split, path)
    run = tmp_path / "run.json"
    run.write_text(ranx_json(lists)[:-1] + ', "u1": {"i3": 1.0}}')
    assert "the key 'u1' stands twice" in problems(toy_split, run)
    order = tmp_path / "order.csv"
    order.write_text("user_id,item_id\n" + "".join(f"{u},i0\n" for u, _ in lists) + "u1,i2\n")
    assert "users with more than one list (1): line 8: user 'u1'" in problems(toy_split, order)


def test_a_list_over_depth_keeps_its_best_fifty_by_rank(sample_split: Split, tmp_path: Path) -> None:
    ids = sample_split.catalogue.item_ids
    lists = [(user, list(ids[:60])) for user in sample_split.user_ids]
    path = tmp_path / "lists.csv"
    body = [f"{user},{item},{place + 1}" for user, items in lists for place, item in enumerate(items)]
    np.random.default_rng(0).shuffle(body)
    path.write_text("\n".join(["user_id,item_id,rank", *body]))
    submission = read_submission(path, sample_split)
    assert submission.rankings is not None
    assert (submission.rankings == np.arange(50)).all()
    assert submission.report.longest == 60
    assert "lists longer than 50" in str(submission.report)


def test_memory_bound_does_not_change_the_result(
    sample_split: Split, named: Named, full_lists: Rankings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are cut to the best 50 a user whenever the buffer is full: tiny buffer and blocks, same lists."""
    monkeypatch.setattr(lists_module, "BUFFER_ROWS", 500)
    monkeypatch.setattr(source_module, "BLOCK_BYTES", 30_011)
    for name in ("rectools.csv", "order.csv", "run.trec", "lists.jsonl"):
        submission = read_submission(write_text(tmp_path, name, named), sample_split)
        assert submission.report.ok, str(submission.report)
        np.testing.assert_array_equal(submission.rankings, full_lists)


def test_equal_scores_keep_the_order_of_the_file(toy_split: Split, tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    body = "".join(f"{user},i5,1\n{user},i2,1\n{user},i7,2\n" for user in toy_split.user_ids)
    path.write_text("user_id,item_id,score\n" + body)
    submission = read_submission(path, toy_split)
    assert submission.rankings is not None
    assert (submission.rankings[:, :3] == [7, 5, 2]).all()
    assert "equal scores" in str(submission.report)


# Missing users --------------------------------------------------------------------------------------


def test_a_few_missing_users_count_as_misses_and_many_need_permission(
    sample_split: Split, named: Named, tmp_path: Path
) -> None:
    users = len(named)
    few = write_parquet_lists(tmp_path, named[users // 100 :])
    submission = read_submission(few, sample_split)
    assert submission.report.ok
    assert submission.report.missing_users == users // 100
    assert "counted as misses" in str(submission.report)
    record = build_record(submission, Entry(name="mine", kind="sequential"), sample_split, command="x")
    assert record.status == "complete" and record.dataset.users == users

    many = write_parquet_lists(tmp_path, named[users // 10 :])
    assert "--allow-partial" in problems(sample_split, many)
    allowed = read_submission(many, sample_split, allow_partial=True)
    partial = build_record(allowed, Entry(name="mine", kind="sequential"), sample_split, command="x")
    assert partial.status == "partial"
    assert partial.details["submission"]["missing_users"] == users // 10
    whole = score(write_parquet_lists(tmp_path, named), sample_split)
    assert partial.metrics is not None and whole.metrics is not None
    ours, theirs = partial.metrics.seen_kept["recall@20"].value, whole.metrics.seen_kept["recall@20"].value
    assert ours is not None and theirs is not None and ours < theirs


# Hostile files --------------------------------------------------------------------------------------


def test_archives_and_archives_in_gzip_are_refused(toy_split: Split, tmp_path: Path) -> None:
    plain = tmp_path / "lists.csv"
    plain.write_text("\n".join(rows_of(toy_split)))
    with zipfile.ZipFile(tmp_path / "lists.zip", "w") as archive:
        archive.write(plain, "lists.csv")
    with tarfile.open(tmp_path / "lists.tar", "w") as archive:
        archive.add(plain, "lists.csv")
    assert "zip archive" in problems(toy_split, tmp_path / "lists.zip")
    assert "tar archive" in problems(toy_split, tmp_path / "lists.tar")
    for name in ("lists.zip", "lists.tar"):
        nested = tmp_path / f"{name}.gz"
        nested.write_bytes(gzip.compress((tmp_path / name).read_bytes()))
        assert "inside gzip" in problems(toy_split, nested)
    twice = tmp_path / "lists.csv.gz.gz"
    twice.write_bytes(gzip.compress(gzip.compress(plain.read_bytes())))
    assert "gzip file inside gzip" in problems(toy_split, twice)


def test_a_gzip_bomb_is_refused_early(toy_split: Split, tmp_path: Path) -> None:
    path = tmp_path / "bomb.csv.gz"
    with gzip.open(path, "wb", compresslevel=9) as file:
        file.write(b"user_id,item_id,rank\n")
        for _ in range(64):
            file.write(b"u0,i0,1\n" * 2**17)
    assert "times its size" in problems(toy_split, path)


def test_an_endless_line_is_refused(toy_split: Split, tmp_path: Path) -> None:
    path = tmp_path / "line.csv"
    path.write_bytes(b"user_id,item_id\n" + b"u0," + b"i" * (9 * 2**20))
    assert "line 2: longer than 4 MiB" in problems(toy_split, path)


def test_damaged_gzip_is_refused(sample_split: Split, named: Named, tmp_path: Path) -> None:
    path = write_gzip(tmp_path, "lists.csv", named)
    path.write_bytes(path.read_bytes()[:-20])
    assert "damaged or cut short" in problems(sample_split, path)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "is empty"),
        (b"user_id,item_id\nu0,i0\nu1,\xe9\n", "line 3: the text is not UTF-8 (byte 0xe9)"),
        (b"user_id,item_id\nu0,\x00i0\n", "line 2: zero bytes"),
        (b"\x80\x04\x95 pickle", "is a Python pickle"),
        (b"hello\n", "begins no known format"),
        (b"hello world\n", "the columns 'column 1', 'column 2' hold no user_id"),
        (b"PAR1 and then nothing of it", "damaged or no parquet"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"u0": {"i0": 1}', "is not JSON"),
        (b'{"user_id": "u0", "item_ids": ["i0"]', "line 1: "),
        (b'{"user_id": "u0", "item_ids": {"i0": []}}', "line 1: scores must be numbers"),
        (b'{"user_id": "u0", "item_ids": ["i0", true]}', "line 1: item id 'True' is a bool"),
        (
            b'{"user_id": "u0", "item_ids": ["\\ud800"]}',
            "line 1: item id '\\ud800' holds half a",
        ),
        (b'{"user_id": "u0", "item_ids": ["i0"], "scores": [1, 2]}', "line 1: 1 items but 2 scores"),
        (b'{"u0": {"i0": ' + b"9" * 5000 + b"}}", "is not JSON"),
        (b'{"u0": {"i0": "high"}}', "entry 1: scores must be numbers, not 'high'"),
    ],
)
def test_files_that_are_not_what_they_seem(
    body: bytes, message: str, toy_split: Split, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(body)
    assert message in problems(toy_split, path)


def test_folders_missing_files_and_pipes(toy_split: Split, tmp_path: Path) -> None:
    assert "not an ordinary file" in problems(toy_split, tmp_path)
    assert "does not exist" in problems(toy_split, tmp_path / "nothing")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"user_id": [1.5], "item_ids": [["i0"]]}, "must be text"),
        ({"user_id": ["u0"], "thing": [1]}, "hold no item_id or item_ids"),
        ({"user_id": ["u0", None], "item_ids": [["i0"], ["i1"]]}, "row 2"),
        (
            {"user_id": ["u0"], "item_id": ["i0"], "rank": ["first"]},
            "no rank (1): row 1: 'first'",
        ),
        ({"user_id": ["u0", "u1"], "item_ids": [["i0"], ["i1", "i9"]]}, "row 2: 'i9'"),
        ({"user_id": ["u0"], "item_ids": [["i0"]], "scores": [[1.0, 2.0]]}, "row 1: 1 items but 2 scores"),
    ],
)
def test_parquet_of_the_wrong_shape(table: dict, message: str, toy_split: Split, tmp_path: Path) -> None:
    path = tmp_path / "lists.parquet"
    pq.write_table(pa.table(table), path)
    assert message in problems(toy_split, path)


def test_a_declared_fingerprint_must_match(toy_split: Split, tmp_path: Path) -> None:
    lists = [(user, ["i0"]) for user in toy_split.user_ids]
    for fingerprint, fits in ((toy_split.fingerprint, True), ("a" * 64, False)):
        line = json.dumps({"fingerprint": fingerprint}) + "\n"
        (tmp_path / "l.jsonl").write_text(line + json_lines(lists))
        table = pa.table({"user_id": [u for u, _ in lists], "item_ids": [i for _, i in lists]})
        pq.write_table(table.replace_schema_metadata({"fingerprint": fingerprint}), tmp_path / "l.parquet")
        (tmp_path / "l.trec").write_text(f"# fingerprint: {fingerprint}\n{trec_text(lists)}")
        for name in ("l.jsonl", "l.parquet", "l.trec"):
            report = read_submission(tmp_path / name, toy_split).report
            assert report.ok == fits, str(report)
            assert fits or f"instead of {toy_split.fingerprint}" in str(report)


# Names and cards ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["", "My Model", "../up", ".hidden", "a/b", "a" * 65, "a..b", "é", "last-item-text"]
)
def test_names_that_are_not_allowed(name: str) -> None:
    with pytest.raises(ConfigError, match=r"not allowed|belongs to"):
        Entry(name=name, kind="generative")


def test_kinds_name_the_closest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'generative'"):
        Entry(name="m", kind="generativ")


CARD = """
display_name: My model
authors: A. Author, B. Author
link: https://example.org/paper
licence: MIT
base_model: none
training_data: beauty2014 training sequences
tuned_on: validation
parameters: 60000000
seeds: [1, 2, 3]
hardware: one RTX 4090
cost: {fit_seconds: 120, peak_vram_gb: 8.5}
"""


def test_a_card_reaches_the_record_with_its_cost_declared(toy_split: Split, tmp_path: Path) -> None:
    (tmp_path / "card.yaml").write_text(CARD)
    card = read_card(tmp_path / "card.yaml")
    path = tmp_path / "lists.csv"
    path.write_text("\n".join(rows_of(toy_split)))
    entry = Entry(name="mine", kind="hybrid", card=card)
    record = build_record(read_submission(path, toy_split), entry, toy_split, command="x")
    assert record.source == "submission" and record.cost.source == "declared"
    assert record.cost.wall_seconds == {"fit": 120.0}
    assert record.cost.peak_vram_bytes is not None and record.cost.peak_vram_bytes.process == 8_500_000_000
    assert record.environment.gpu is None
    assert (record.model.display_name, record.model.parameters["parameters"], record.seed) == (
        "My model",
        60_000_000,
        1,
    )
    assert record.card["hardware"] == "one RTX 4090"
    assert record.details["submission"]["file"] == "lists.csv"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("autors: me", "did you mean 'authors'"),
        ("link: javascript:alert(1)", "link"),
        ("seeds: many", "seeds"),
        ("parameters: -1", "parameters"),
        ("cost: {fit_secondes: 1}", "did you mean 'fit_seconds'"),
        ("cost: {fit_seconds: .nan}", "fit_seconds"),
        ("fingerprint: abc", "fingerprint"),
        ("- a list", "field: value"),
        ("a: [", "is not YAML"),
        ("a: !!python/object/apply:os.system ['true']", "is not YAML"),
        ("a: &x [1]\nb: *x", "aliases"),
        ("seeds: " + "[" * 3000, "brackets"),
        ("- " * 4000, "YAML"),
        ("authors: 2020-13-45", "card"),
        ("x: " + "a" * 70_000, "KiB"),
        (b"\xff\xfe\x00", "UTF-8"),
    ],
)
def test_cards_with_faults(text: str | bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "card.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SubmissionError, match=message):
        read_card(path)


def test_declared_costs_stand_in_the_tables_with_the_card_s_hardware(
    toy_split: Split, tmp_path: Path
) -> None:
    """Never as measured on this machine; without a word on the hardware, it is not known."""
    path = tmp_path / "lists.csv"
    path.write_text("\n".join(rows_of(toy_split)))
    cost = "cost: {fit_seconds: 36000, recommend_seconds: 100, users_per_second: 10, peak_vram_gb: 70}"
    for name, text in (("big", f"hardware: 8x A100 | 80GB\n{cost}"), ("silent", cost)):
        card = parse_card(text.encode(), "card.yaml")
        entry = Entry(name=name, kind="generative", card=card)
        submission = read_submission(path, toy_split)
        record = build_record(submission, entry, toy_split, command="x")
        store.write(record, toy_split, submission.rankings, None, tmp_path)
    records = load_records(tmp_path).valid()
    for table in (markdown_table(records), markdown_costs(records)):
        (big,) = [line for line in table.splitlines() if "`big`" in line]
        (silent,) = [line for line in table.splitlines() if "`silent`" in line]
        assert "8x A100 / 80GB (declared)" in big and "not stated" in silent
        assert "CPU" not in big + silent


def test_a_card_for_other_data_is_refused(toy_split: Split, tmp_path: Path) -> None:
    path = tmp_path / "lists.csv"
    path.write_text("\n".join(rows_of(toy_split)))
    card = parse_card(f"fingerprint: {'b' * 64}".encode(), "card.yaml")
    with pytest.raises(SubmissionError, match="made for other data"):
        entry = Entry(name="mine", kind="hybrid", card=card)
        build_record(read_submission(path, toy_split), entry, toy_split, command="x")
    assert ModelCard().fingerprint is None


# The command ----------------------------------------------------------------------------------------


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    return app


def submit(app: typer.Typer, path: Path, results: Path, *words: str):
    arguments = ["submit", str(path), "--dataset", "sample", "--name", "mine", "--kind", "sequential"]
    return CliRunner().invoke(app, [*arguments, "--results", str(results), *words])


def test_the_command_writes_a_record_that_scores_again(
    app: typer.Typer,
    sample_split: Split,
    named: Named,
    full_lists: Rankings,
    expected: Record,
    tmp_path: Path,
) -> None:
    path = write_text(tmp_path, "run.trec", named)
    (tmp_path / "card.yaml").write_text(CARD)
    outcome = submit(
        app, path, tmp_path / "results", "--card", str(tmp_path / "card.yaml"), "--declared-fit-seconds", "9"
    )
    assert outcome.exit_code == 0, outcome.output
    (stored,) = load_records(tmp_path / "results").records
    assert stored.record.metrics == expected.metrics
    np.testing.assert_array_equal(read_lists(stored, sample_split), full_lists)
    assert stored.record.cost.wall_seconds == {"fit": 9.0}
    assert str(tmp_path) not in stored.record.model_dump_json()
    assert "--card card.yaml" in stored.record.command
    assert "--declared-fit-seconds 9" in stored.record.command


def test_a_refused_file_leaves_nothing_behind(app: typer.Typer, toy_split: Split, tmp_path: Path) -> None:
    path = tmp_path / "lists.csv"
    path.write_text("\n".join(rows_of(toy_split)))  # users of another data set
    outcome = submit(app, path, tmp_path / "results")
    assert isinstance(outcome.exception, BenchError)
    assert "users that are not in the data set" in str(outcome.exception)
    assert not (tmp_path / "results").exists()


def test_a_dry_run_writes_nothing(app: typer.Typer, named: Named, tmp_path: Path) -> None:
    outcome = submit(app, write_text(tmp_path, "run.json", named), tmp_path / "results", "--dry-run")
    assert outcome.exit_code == 0 and "nothing was written" in outcome.output
    assert not (tmp_path / "results").exists()


def test_a_second_submission_of_the_same_lists_is_flagged_as_a_copy(
    app: typer.Typer, named: Named, tmp_path: Path
) -> None:
    path = write_text(tmp_path, "lists.csv", named)
    assert submit(app, path, tmp_path / "results").exit_code == 0
    arguments = ["submit", str(path), "--dataset", "sample", "--name", "other", "--kind", "sequential"]
    outcome = CliRunner().invoke(app, [*arguments, "--results", str(tmp_path / "results")])
    assert outcome.exit_code == 0, outcome.output
    newest = load_records(tmp_path / "results").records[0].record
    (copy,) = [audit for audit in newest.audits if audit.name == "copy"]
    assert copy.verdict == "flag" and "mine" in copy.message


def _submit_and_die(path: Path, results: Path) -> None:
    """Run the command in a process that dies the moment the ranked lists are in place."""
    import os

    place = Placing.place

    def dying(self: Placing, target: Path, fill):
        if target.suffix == ".json":
            os._exit(9)
        return place(self, target, fill)

    Placing.place = dying
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    submit(app, path, results)


def test_a_kill_before_the_record_is_whole_leaves_no_record(
    app: typer.Typer, named: Named, tmp_path: Path
) -> None:
    path = write_text(tmp_path, "lists.csv", named)
    code = "import sys; import test_submission as t; from pathlib import Path; "
    code += "t._submit_and_die(*map(Path, sys.argv[1:]))"
    words = [sys.executable, "-c", code, path, tmp_path / "results"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run(words, env=environment, check=False).returncode == 9
    loaded = load_records(tmp_path / "results")
    assert loaded.records == [] and loaded.problems == []
    assert submit(app, path, tmp_path / "results").exit_code == 0
    assert len(load_records(tmp_path / "results").records) == 1


def test_a_full_disk_leaves_no_record(
    app: typer.Typer, named: Named, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    path = write_text(tmp_path, "lists.csv", named)
    monkeypatch.setattr("os.link", full)
    outcome = submit(app, path, tmp_path / "results")
    assert isinstance(outcome.exception, BenchError) and "No space left" in str(outcome.exception)
    assert not (tmp_path / "results").exists()
