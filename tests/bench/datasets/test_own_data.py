"""Data of one's own: every layout reads alike, every fault is named at once, nothing ends in a traceback."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from record_factory import make_generations, make_rankings, write_record
from typer.testing import CliRunner, Result

from bench.commands import data as commands
from bench.datasets import load
from bench.datasets.export import export_interactions
from bench.datasets.own import dataset_folder
from bench.datasets.own.build import build
from bench.datasets.own.faults import Faults
from bench.datasets.own.join import Options
from bench.datasets.splits import leave_one_out, load_split
from bench.errors import BenchError, ConfigError, DataError
from bench.metrics.ranking import evaluate
from bench.records.audits import audit
from bench.records.check import check_results
from bench.records.list_files import read_lists
from bench.records.store import load_record
from bench.schema import Interactions, Split

DAY = 86_400
PURCHASES = [
    {"user_id": user, "item_id": item, "timestamp": 1_400_000_000 + day * DAY}
    for user, items in (("007", "abc"), ("7", "bcd"), ("x y", "dca"))
    for day, item in enumerate(items)
]
ITEMS = [{"item_id": item, "title": f"Thing {item}", "brand": "B"} for item in "dcba"]


def write(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    ending = path.name.removesuffix(".gz").rpartition(".")[2]
    if ending == "parquet":
        pq.write_table(pa.Table.from_pylist(list(rows)), path)
        return path
    if ending == "jsonl":
        text = "\n".join(map(json.dumps, rows)) + "\n"
    elif ending == "json":
        text = json.dumps(rows, indent=1)
    else:
        names = list(rows[0])
        headers = [f"{name}:token" for name in names] if ending in ("inter", "item") else names
        lines = [headers, *([row[name] for name in names] for row in rows)]
        separator = "," if ending == "csv" else "\t"
        text = "\n".join(separator.join(map(str, line)) for line in lines) + "\n"
    data = text.encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    return path


def added(folder: Path, purchases: object = PURCHASES, items: object = ITEMS, **options: Any) -> Interactions:
    first = write(folder / "x.csv", purchases) if isinstance(purchases, list) else purchases
    second = write(folder / "y.csv", items) if isinstance(items, list) else items
    return build(Options(interactions=(first,), items=second, **options), Faults())  # type: ignore[arg-type]


def content(data: Interactions) -> tuple[object, ...]:
    catalogue = data.catalogue
    return (
        data.user_ids,
        catalogue.item_ids,
        catalogue.titles,
        catalogue.brands,
        data.users.tolist(),
        data.items.tolist(),
        data.timestamps.tolist(),
    )


@pytest.mark.parametrize("ending", ["csv", "tsv", "csv.gz", "jsonl", "jsonl.gz", "json", "parquet", "inter"])
def test_every_format_reads_alike(tmp_path: Path, ending: str) -> None:
    other = "item" if ending == "inter" else ending
    data = added(tmp_path, write(tmp_path / f"x.{ending}", PURCHASES), write(tmp_path / f"y.{other}", ITEMS))
    assert content(data) == (
        ("007", "7", "x y"),  # leading zeros stay, so these are two users
        ("d", "c", "b", "a"),  # in the order of the table of items
        ("Thing d", "Thing c", "Thing b", "Thing a"),
        ("B",) * 4,
        [0, 0, 0, 1, 1, 1, 2, 2, 2],
        [3, 2, 1, 2, 1, 0, 0, 1, 3],
        [row["timestamp"] for row in PURCHASES],
    )


@pytest.mark.parametrize(
    "times",
    [
        lambda seconds: seconds,
        lambda seconds: seconds * 1000 + 7,
        lambda seconds: seconds * 1_000_000,
        lambda seconds: seconds * 1_000_000_000,
        lambda seconds: float(seconds) + 0.25,
        lambda seconds: str(np.datetime64(seconds, "s")),
        lambda seconds: str(np.datetime64(seconds, "s")).replace("T", " ") + "Z",
        lambda seconds: str(np.datetime64(seconds + 7200, "s")) + "+02:00",
    ],
)
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_times_of_every_kind(tmp_path: Path, times: Any, ending: str) -> None:
    rows = [{**row, "timestamp": times(row["timestamp"])} for row in PURCHASES]
    data = added(tmp_path, write(tmp_path / f"p.{ending}", rows))
    assert data.timestamps.tolist() == [row["timestamp"] for row in PURCHASES]


def test_a_zone_of_times_that_name_none(tmp_path: Path) -> None:
    rows = [{**row, "timestamp": str(np.datetime64(row["timestamp"] + 7200, "s"))} for row in PURCHASES]
    data = added(tmp_path, rows, zone="Europe/Berlin")  # two hours before UTC in May
    assert data.timestamps.tolist() == [row["timestamp"] for row in PURCHASES]


def test_titles_out_of_a_template(tmp_path: Path) -> None:
    items = [{"item_id": item, "name": item.upper(), "year": 1990 + n} for n, item in enumerate("dcba")]
    data = added(tmp_path, items=items, text="{name} ({year})")
    assert data.catalogue.titles == ("D (1990)", "C (1991)", "B (1992)", "A (1993)")


def test_titles_in_the_table_of_purchases(tmp_path: Path) -> None:
    rows = [{**row, "title": f"T {row['item_id']}"} for row in PURCHASES]
    data = build(Options(interactions=(write(tmp_path / "x.csv", rows),)), Faults())
    assert data.catalogue.item_ids == ("a", "b", "c", "d")  # as they are met
    assert data.catalogue.titles == ("T a", "T b", "T c", "T d")


def test_everything_left_out_is_counted(tmp_path: Path) -> None:
    extra = [{"user_id": "z", "item_id": item, "timestamp": 1_400_000_000} for item in ("a", "a", "?", "e")]
    faults = Faults()
    paths = (
        write(tmp_path / "x.csv", [*PURCHASES, *extra]),
        write(tmp_path / "y.csv", [*ITEMS, {"item_id": "e", "title": "", "brand": ""}]),
    )
    data = build(Options(interactions=(paths[0],), items=paths[1]), faults)
    notes = {note.what: note.count for note in faults.notes}
    assert notes == {
        "items without a title, left out with their purchases": 1,
        "bought items that are not in the table of items, left out": 1,
        "rows that repeat an earlier row of user, item and time, left out": 1,
        "users with fewer than 3 purchases, whom every split leaves out": 1,
    }
    assert (data.untitled_items, data.untitled_interactions) == (1, 1)
    assert (data.undescribed_items, data.undescribed_interactions, data.duplicates_dropped) == (1, 1, 1)


def test_dedupe_keeps_the_first_purchase_of_an_item(tmp_path: Path) -> None:
    rows = [("u", "a", 3), ("u", "a", 1), ("u", "b", 2), ("u", "a", 2)]
    table = [{"user_id": u, "item_id": i, "timestamp": 10**9 + t} for u, i, t in rows]
    assert len(added(tmp_path, table)) == 4
    data = added(tmp_path, table, dedupe=True)
    assert (data.timestamps - 10**9).tolist() == [1, 2]


def test_core_is_repeated_until_nothing_falls(tmp_path: Path) -> None:
    rows = [("u", i) for i in "abc"] + [("v", i) for i in "abcd"] + [("w", i) for i in "ad"]
    table = [{"user_id": u, "item_id": i, "timestamp": 10**9 + n} for n, (u, i) in enumerate(rows)]
    data = added(tmp_path, table, core=2)
    assert (data.user_ids, data.catalogue.item_ids) == (("u", "v", "w"), ("d", "c", "b", "a"))
    with pytest.raises(DataError, match="no purchase is left"):  # w falls, then every item, then all
        added(tmp_path, table, core=3)


def test_min_history(tmp_path: Path) -> None:
    rows = [*PURCHASES, {"user_id": "z", "item_id": "a", "timestamp": 1_400_000_000}]
    assert added(tmp_path, rows, min_history=2).user_ids == ("007", "7", "x y")


FAULTS: list[tuple[str, Any, Any, dict[str, Any], list[str]]] = [
    ("no columns", [{"a": 1, "b": 2}], ITEMS, {}, ["as the user", "as the item", "as the time"]),
    ("wrong option", PURCHASES, ITEMS, {"columns": {"user": "userid"}}, ["'userid'", "'user_id'"]),
    ("no title", PURCHASES, [{"item_id": "a", "x": 1}], {}, ["known as the title"]),
    ("other ids", PURCHASES, [{"item_id": f"0{i}", "title": "t"} for i in "abcd"], {}, ["leading zeros"]),
    ("no times", [{**row, "timestamp": "soon"} for row in PURCHASES], ITEMS, {}, ["timestamp", "soon"]),
    (
        "units mixed",
        [{**row, "timestamp": row["timestamp"] * (1000 if n % 3 else 1)} for n, row in enumerate(PURCHASES)],
        ITEMS, {}, ["no plausible time, or mix units: 3", "1400000000"],
    ),
    ("empty ids", [{**row, "user_id": ""} for row in PURCHASES[:2]], ITEMS, {}, ["no user id: 2"]),
    ("half ids", [{**row, "item_id": 1.5} for row in PURCHASES], ITEMS, {}, ["leading zeros"]),
    ("template", PURCHASES, ITEMS, {"text": "{nam}"}, ["names columns that are not there: nam"]),
    ("nothing left", PURCHASES, ITEMS, {"core": 50}, ["no purchase is left"]),
]  # fmt: skip


@pytest.mark.parametrize(("purchases", "items", "options", "words"), [case[1:] for case in FAULTS])
def test_faults_are_named(tmp_path: Path, purchases: Any, items: Any, options: Any, words: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        added(tmp_path, purchases, items, **options)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("name", "data", "word"),
    [
        ("x.csv", b"", "is empty"),
        ("x.csv", b"1,2,3\n4,5,6\n", "no line of column names"),
        ("x.csv", b"user,user,item,time\n1,2,3,4\n", "several columns are called user"),
        ("x.csv", b"user,item,time\n1,2\n3,4,5\n", "1 lines do not fit the header"),
        ("x.csv", b"user,item,time\n\xff\xfe,2,3\n", "x.csv"),
        ("x.csv", b"user,item,time\n", "no rows"),
        ("x.jsonl", b'{"user": 1, "item": 2, "time": 3}\n[1]\n', "line 2: not a JSON object"),
        ("x.jsonl", b'{"user": 1, "item": 2, "time": 3}\n{"user":\n', "line 2: not JSON"),
        ("x.json", b"[]", "holds no rows"),
        ("x.json", b'[{"user": 1}', "cannot be read"),
        ("x.parquet", b"PAR1 and nothing else", "cannot be read"),
        ("x.csv.gz", gzip.compress(b"user,item,time\n" * 99, mtime=0)[:40], "x.csv.gz"),
    ],
)
def test_damaged_files(tmp_path: Path, name: str, data: bytes, word: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(DataError, match=word):
        added(tmp_path, path)


_CELLS = st.one_of(
    st.sampled_from(
        ["", "a", "b", "1", "01", "1.0", "1400000000", "2014-01-01", "nan", "-1", "1e400", "\x00", '"']
    ),
    st.text(max_size=6),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    headers=st.lists(
        st.sampled_from(["user_id", "item_id", "timestamp", "title", "brand", "", "x"]), max_size=6
    ),
    rows=st.lists(st.lists(_CELLS, max_size=6), max_size=12),
    quoted=st.booleans(),
    options=st.fixed_dictionaries({"core": st.integers(0, 2), "dedupe": st.booleans()}),
)
def test_broken_tables_name_their_fault(
    tmp_path: Path, headers: list[str], rows: list[list[str]], quoted: bool, options: dict[str, Any]
) -> None:
    """Whatever the table, it is read or a BenchError says what is wrong with which file."""
    path = tmp_path / "broken.csv"
    with path.open("w", newline="", encoding="utf-8", errors="replace") as stream:
        writer = csv.writer(stream, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL, escapechar="\\")
        writer.writerow(headers)
        writer.writerows(rows)
    try:
        data = build(Options(interactions=(path,), **options), Faults())
    except BenchError as error:
        assert len(str(error)) > 20
        return
    assert len(data) and len(data.user_ids) and len(data.catalogue)
    assert data.timestamps.min() > 0 or "timestamp" in headers


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["user_id", "item_id", "timestamp", "title"]),
            st.one_of(
                st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), st.just([1])
            ),
        ),
        max_size=10,
    )
)
@example(
    rows=[
        {"user_id": None, "item_id": None, "timestamp": 2.0**63},
        {"user_id": None, "timestamp": False},
        {"user_id": None, "item_id": None, "timestamp": False, "title": None},
        {},
    ]
)
def test_broken_json_lines_name_their_fault(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    path = tmp_path / "broken.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    try:
        assert len(build(Options(interactions=(path,)), Faults()))
    except BenchError as error:
        assert len(str(error)) > 20


def run(*arguments: object) -> Result:
    app = typer.Typer()
    commands.register(app)
    app.callback()(lambda: None)
    result = CliRunner().invoke(app, ["data", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_add_use_and_remove(tmp_path: Path) -> None:
    home = tmp_path / "data"
    export_interactions(load("sample"), tmp_path / "out")
    tables = [
        "--interactions",
        tmp_path / "out" / "interactions.parquet",
        "--items",
        tmp_path / "out" / "items.parquet",
    ]
    said = run("add", "shop", *tables, "--data-dir", home).stdout
    assert "guessed: items.parquet: --title title" in said
    assert "shop: 1,000 users, 400 items, 7,318 purchases, fingerprint 9d7036f64849" in said
    split = load_split("shop", data_dir=home)
    assert split.fingerprint == load_split("sample").fingerprint
    assert split.catalogue.prices == load("sample").catalogue.prices
    described = dataset_folder.read_description(home / "shop")
    assert [source.name for source in described.sources] == ["interactions.parquet", "items.parquet"]
    assert "shop" in run("list", "--data-dir", home).stdout
    with pytest.raises(ConfigError, match="exists"):
        run("add", "shop", *tables, "--data-dir", home)
    assert run("remove", "shop", "--data-dir", home).exit_code == 0
    assert not (home / "shop").exists() and (tmp_path / "out" / "items.parquet").exists()
    with pytest.raises(ConfigError, match="unknown data set 'shop'"):
        load_split("shop", data_dir=home)


def test_csv_gives_the_fingerprint_of_the_source(tmp_path: Path) -> None:
    export_interactions(load("sample"), tmp_path / "out", as_csv=True)
    data = added(tmp_path, tmp_path / "out" / "interactions.csv", tmp_path / "out" / "items.csv")
    assert leave_one_out(data, dataset="x").fingerprint == load_split("sample").fingerprint


@pytest.mark.real_data
@pytest.mark.parametrize("as_csv", [False, True])
def test_real_beauty_gives_its_fingerprint(real_data_dir: Path, tmp_path: Path, as_csv: bool) -> None:
    export_interactions(load("beauty2014", real_data_dir), tmp_path / "out", as_csv=as_csv)
    ending = "csv" if as_csv else "parquet"
    paths = [tmp_path / "out" / f"{name}.{ending}" for name in ("interactions", "items")]
    assert leave_one_out(added(tmp_path, *paths), dataset="x").fingerprint.startswith("c0ca0533efba")


def test_a_split_made_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / "split"
    folder.mkdir()
    parts = {"train": "ab", "valid": "c", "test": "da"}
    for part, bought in parts.items():
        rows = [{"user_id": "u", "item_id": item, "timestamp": 10**9 + n} for n, item in enumerate(bought)]
        write(folder / f"{part}.csv", rows)
    run(
        "add",
        "theirs",
        "--splits",
        folder,
        "--items",
        write(tmp_path / "y.csv", ITEMS),
        "--data-dir",
        tmp_path,
    )
    split = load_split("theirs", split="source", data_dir=tmp_path)
    names = split.catalogue.item_ids
    assert [names[item] for item in split.train[0]] == ["a", "b"]
    assert (names[split.validation.targets[0]], names[split.test.targets[0]]) == ("c", "d")
    assert [names[item] for item in split.test.histories[0]] == ["a", "b", "c"]
    with pytest.raises(DataError, match="come without a split of their own"):
        load_split("sample", split="source")


def test_a_folder_of_splits_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("user,item,time\n")
    with pytest.raises(ConfigError, match="needs one file called valid"):
        run("add", "theirs", "--splits", tmp_path, "--data-dir", tmp_path)


@pytest.mark.parametrize("name", ["sample", "beauty2014", "../x", "X", ".x", "a..b", "a/b", ""])
def test_names_that_are_not_allowed(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="choose another|is not allowed"):
        run("add", name, "--interactions", tmp_path / "x", "--data-dir", tmp_path / "data")


def test_remove_deletes_nothing_that_it_did_not_make(tmp_path: Path) -> None:
    export_interactions(load("sample"), tmp_path / "out")
    tables = [
        "--interactions",
        tmp_path / "out" / "interactions.parquet",
        "--items",
        tmp_path / "out" / "items.parquet",
    ]
    run("add", "shop", *tables, "--data-dir", tmp_path)
    (tmp_path / "shop" / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match="holds files that are not the data set's: thesis.tex"):
        run("remove", "shop", "--data-dir", tmp_path)
    assert (tmp_path / "shop" / "thesis.tex").exists()


@pytest.mark.parametrize("damage", ["dataset.yaml", "items.parquet", "interactions.parquet"])
def test_a_damaged_own_data_set(tmp_path: Path, damage: str) -> None:
    export_interactions(load("sample"), tmp_path / "out")
    tables = [
        "--interactions",
        tmp_path / "out" / "interactions.parquet",
        "--items",
        tmp_path / "out" / "items.parquet",
    ]
    run("add", "shop", *tables, "--data-dir", tmp_path)
    (tmp_path / "shop" / damage).write_text("x: [")
    with pytest.raises(DataError, match="is damaged"):
        load("shop", tmp_path)


@pytest.fixture
def private_split(tmp_path: Path) -> Split:
    """The sample as private data of one's own, with ids that would be noticed."""
    data = load("sample")
    named = replace(
        data,
        user_ids=tuple(f"secret-user-{user}" for user in data.user_ids),
        catalogue=replace(
            data.catalogue,
            item_ids=tuple(f"secret-item-{item}" for item in data.catalogue.item_ids),
            titles=tuple(f"secret title {title}" for title in data.catalogue.titles),
        ),
    )
    export_interactions(named, tmp_path / "out")
    tables = [tmp_path / "out" / f"{name}.parquet" for name in ("interactions", "items")]
    home = tmp_path / "data"
    run("add", "shop", "--interactions", tables[0], "--items", tables[1], "--private", "--data-dir", home)
    return load_split("shop", data_dir=home)


def test_private_data_stay_out_of_records_and_of_the_board(private_split: Split, tmp_path: Path) -> None:
    split, results = private_split, tmp_path / "results"
    assert split.user_ids[0] == "secret-user-C0000"  # files and commands here know the ids
    lists = make_rankings(split, skill=0.1)
    texts = make_generations(split)
    scored = {"metrics": evaluate(split, lists), "audits": audit(split, lists)}
    path = write_record(results, split, "strong", generations=texts, **scored)
    for file in path.parent.iterdir():
        assert b"secret" not in file.read_bytes() and b"secret" not in _unpacked(file)
    assert not path.with_suffix(".texts.parquet").exists()
    stored = load_record(path)
    assert stored.record.dataset.private
    assert np.array_equal(read_lists(stored, split), lists)
    outcome = check_results(results, data_dir=tmp_path / "data")
    assert (outcome.problems, outcome.rescored) == ([], 1)
    shown = split.masked()
    assert shown.fingerprint == split.fingerprint
    words = (*shown.user_ids, *shown.catalogue.item_ids, *shown.catalogue.titles)
    assert not any("secret" in word for word in words)
    assert np.array_equal(read_lists(stored, shown), lists)


def _unpacked(file: Path) -> bytes:
    if file.suffix != ".parquet":
        return b""
    return json.dumps(pq.read_table(file).to_pylist()).encode()
