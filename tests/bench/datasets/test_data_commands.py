from __future__ import annotations

import json
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import typer
from amazon_files import json_lines, literal_lines, review, write_pair
from typer.testing import CliRunner, Result

from bench.commands import data as commands
from bench.datasets import DATASETS, export, load
from bench.datasets.splits import leave_one_out, load_split
from bench.datasets.summary import summarise
from bench.datasets.verify import raw_counts, verify
from bench.errors import ConfigError, DataError, Unavailable
from bench.schema import Split

ITEMS = [{"asin": item, "title": title} for item, title in zip("ABCD", ("a", "b", "a", "d"), strict=True)]
ITEMS.append({"asin": "N"})
REVIEWS = [
    *(review("U1", item, day) for day, item in enumerate("ABCN")),
    *(review("U2", item, 5) for item in "DCBA"),
    review("U2", "A", 5),  # a duplicate
    review("U3", "A", 7),
]


@pytest.fixture
def toys_dir(tmp_path: Path) -> Path:
    """A data folder with a tiny copy of toys2014."""
    entry = DATASETS["toys2014"]
    folder = tmp_path / "data" / entry.folder
    paths = write_pair(folder, json_lines(REVIEWS), literal_lines(ITEMS))
    for path, name in zip(paths, (entry.files[0].name, entry.files[1].name), strict=True):
        path.rename(folder / name)
    return tmp_path / "data"


def run(*arguments: object, columns: int = 80) -> Result:
    app = typer.Typer()
    commands.register(app)
    app.callback()(lambda: None)
    result = CliRunner().invoke(app, ["data", *map(str, arguments)], env={"COLUMNS": str(columns)})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_list_names_every_data_set_within_80_columns(toys_dir: Path) -> None:
    result = run("list", "--all", "--data-dir", toys_dir)
    lines = result.stdout.splitlines()
    starts = [line.split()[0] for line in lines if line.split()]
    assert set(DATASETS) <= set(starts)
    assert all(len(line) <= 80 for line in lines if "Data folder" not in line)
    by_name = {line.split()[0]: line for line in lines if line.split()}
    assert by_name["toys2014"].rstrip().endswith("yes")
    assert not by_name["sports2014"].rstrip().endswith("yes")
    assert "videogames2023" not in run("list", "--data-dir", toys_dir).stdout
    assert "22,363" in by_name["beauty2014"] and "198,502" in by_name["beauty2014"]


def test_stats_of_a_data_set_counted_by_hand(toys_dir: Path) -> None:
    data = load("toys2014", toys_dir)
    figures = summarise(data, leave_one_out(data, dataset="toys2014"))
    assert (figures.users, figures.items, figures.interactions) == (2, 4, 7)
    assert figures.density == 7 / 8
    assert (figures.duplicates_dropped, figures.untitled_items, figures.untitled_interactions) == (1, 1, 1)
    assert (figures.users_dropped, figures.same_day_targets, figures.validation_users) == (1, 1, 0)
    assert figures.history_quantiles[0.0] == 2 and figures.history_quantiles[1.0] == 3
    assert (figures.shared_titles, figures.items_with_shared_title) == (1, 2)
    assert (str(figures.first_day), str(figures.last_day)) == ("1970-01-01", "1970-01-08")
    counts = raw_counts(data)
    assert (counts.users, counts.items, counts.interactions) == (3, 5, len(REVIEWS))

    printed = run("stats", "toys2014", "--data-dir", toys_dir).stdout
    assert all(len(line) <= 80 for line in printed.splitlines())
    for words in (
        "interactions 7",
        "density 87.500%",
        "dropped 1 (1 interactions)",
        "1 users (50.0%)",
        "min 2,",
    ):
        assert words in " ".join(printed.split())


def test_stats_prints_the_fingerprint_of_the_tie_rule() -> None:
    for ties, known in DATASETS["sample"].fingerprints.items():
        assert known in run("stats", "sample", "--ties", ties, columns=120).stdout


def test_verify_the_standard_copy() -> None:
    result = run("verify", "sample")
    assert result.exit_code == 0
    assert result.stdout.startswith("sample: the standard copy (fingerprint ")
    assert result.stdout.count("\n") == 1


def test_verify_another_copy(toys_dir: Path) -> None:
    result = run("verify", "toys2014", "--data-dir", toys_dir)
    assert result.exit_code == 1
    assert result.stdout == (
        "toys2014: NOT the standard copy: 8 times lie before 1990, such as 0; "
        "it has 3 users, 5 items, 10 purchases; "
        "published are 19,412 users, 11,924 items, 167,597 purchases\n"
    )


def test_verdicts() -> None:
    data, entry = load("sample"), DATASETS["sample"]
    split = leave_one_out(data, dataset="sample")
    assert verify(entry, data, split).standard

    def changed(**fields: Any) -> Any:
        return type(entry)(**{**vars(entry), **fields})

    wrong = verify(changed(fingerprints={"file": "0" * 64}), data, split)
    assert not wrong.standard and "NOT the standard copy: fingerprint" in wrong.line
    by_count = verify(changed(fingerprints={}), data, split)
    assert by_count.standard and "the published counts" in by_count.line and "no fingerprint" in by_count.line
    unknown = verify(changed(fingerprints={}, counts=None), data, split)
    assert not unknown.standard and "nothing is known to compare with" in unknown.line


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def test_download_from_a_mirror_then_verify(toys_dir: Path, tmp_path: Path) -> None:
    served = toys_dir / DATASETS["toys2014"].folder
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(served))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        mirror = f"http://127.0.0.1:{server.server_port}"
        first = run("download", "toys2014", "--data-dir", tmp_path / "new", "--mirror", mirror, columns=300)
        again = run("download", "toys2014", "--data-dir", tmp_path / "new", "--mirror", mirror, columns=300)
        server.shutdown()
        thread.join()
    assert first.exit_code == again.exit_code == 1  # it is not the standard copy, and the output says so
    assert first.stdout.count("arrived") == 2 and again.stdout.count("was here") == 2
    assert "NOT the standard copy" in first.stdout
    assert "sha256" in first.stdout
    assert load("toys2014", tmp_path / "new").users.tolist() == load("toys2014", toys_dir).users.tolist()


def test_download_of_the_sample() -> None:
    assert "nothing to download" in run("download", "sample").stdout


# Export


def columns_of(path: Path) -> dict[str, list[Any]]:
    return pq.read_table(path).to_pydict()


def test_export_parquet(tmp_path: Path, sample_split: Split) -> None:
    from bench.datasets.prompts import example_texts, prompts, training_texts
    from bench.retrieval.item_text import item_texts

    folder = tmp_path / "out"
    result = run("export", "sample", "--to", folder)
    assert sample_split.fingerprint in result.stdout.replace("\n", "")
    texts = item_texts(sample_split.catalogue)
    train = columns_of(folder / "train.parquet")
    assert list(train) == ["reviewer_id", "text"]
    assert train["reviewer_id"] == list(sample_split.user_ids)
    assert train["text"] == training_texts(sample_split.train, texts)
    for name, examples in (("validation", sample_split.validation), ("test", sample_split.test)):
        rows = columns_of(folder / f"{name}.parquet")
        assert list(rows) == ["reviewer_id", "ptext", "text", "seen_asins", "asin", "asin_text"]
        assert rows["reviewer_id"] == [sample_split.user_ids[user] for user in examples.histories.users]
        assert rows["ptext"] == prompts(examples.histories, texts)
        assert rows["text"] == example_texts(examples, texts)
        ids = sample_split.catalogue.item_ids
        assert rows["seen_asins"] == [[ids[item] for item in history] for history in examples.histories]
        assert rows["asin"] == [ids[item] for item in examples.targets]
        assert rows["asin_text"] == [texts[item] for item in examples.targets]
        assert rows["text"] == [p + t for p, t in zip(rows["ptext"], rows["asin_text"], strict=True)]
    catalogue = columns_of(folder / "catalogue.parquet")
    assert catalogue["title"] == list(sample_split.catalogue.titles)
    assert catalogue["categories"] == [list(names) for names in sample_split.catalogue.categories]
    facts = json.loads((folder / "dataset.json").read_text())
    assert facts["fingerprint"] == sample_split.fingerprint and facts["users"] == 1_000


def test_export_dataset_dict_reads_back(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    run("export", "sample", "--to", tmp_path / "hf", "--format", "dataset-dict", "--ties", "shuffled:0")
    run("export", "sample", "--to", tmp_path / "plain", "--ties", "shuffled:0")
    loaded = datasets.load_from_disk(str(tmp_path / "hf"))
    assert set(loaded) == {"train", "validation", "test"}
    for name, rows in loaded.items():
        assert rows.to_dict() == columns_of(tmp_path / "plain" / f"{name}.parquet")


def test_dataset_dict_without_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toy_split: Split
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(Unavailable, match=r"pip install 'genrec-bench\[export\]'"):
        export.export_dataset_dict(toy_split, tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_export_for_submission_holds_no_test_target(tmp_path: Path, toy_split: Split) -> None:
    export.export_for_submission(toy_split, tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [
        "catalogue.parquet",
        "dataset.json",
        "histories.parquet",
        "train.parquet",
        "validation.parquet",
    ]
    ask = columns_of(tmp_path / "out" / "histories.parquet")
    assert ask["user_id"] == ["u0", "u1", "u2", "u3", "u4", "u5"]
    assert ask["item_ids"][0] == ["i0", "i1", "i2"] and ask["item_ids"][4] == ["i2", "i3", "i0", "i1", "i5"]
    learn = columns_of(tmp_path / "out" / "train.parquet")
    choose = columns_of(tmp_path / "out" / "validation.parquet")
    assert choose == {"user_id": ["u4"], "item_ids": [["i2", "i3", "i0", "i1"]], "target_id": ["i5"]}
    for user, target in enumerate(toy_split.test.targets.tolist()):
        target_id = toy_split.catalogue.item_ids[target]
        assert target_id not in ask["item_ids"][user]
        assert target_id not in learn["item_ids"][user]
    # item 7 is a test target and nothing else: only the catalogue may name it
    for name in ("histories", "train", "validation"):
        assert "Sea Salt Scrub" not in str(columns_of(tmp_path / "out" / f"{name}.parquet"))
        assert "i7" not in str(columns_of(tmp_path / "out" / f"{name}.parquet"))


def test_export_overwrites_nothing_and_leaves_no_half_folder(
    tmp_path: Path, toy_split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "mine.txt").write_text("keep")
    with pytest.raises(DataError, match="exists already"):
        export.export_parquet(toy_split, folder)
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]

    def full_disk(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full_disk)
    with pytest.raises(DataError, match="No space left on device"):
        export.export_parquet(toy_split, tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_wrong_options(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'sample'"):
        run("export", "sampel", "--to", tmp_path / "x")
    with pytest.raises(ConfigError, match="parquet only"):
        run("export", "sample", "--to", tmp_path / "x", "--format", "dataset-dict", "--for-submission")
    with pytest.raises(ConfigError, match="Allowed: file, shuffled"):
        run("stats", "sample", "--ties", "random")
    assert run("export", "sample", "--to", tmp_path / "x", "--format", "csv").exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_the_real_command_prints_one_error_line(tmp_path: Path) -> None:
    code = "from bench.cli import main; import sys; sys.argv = ['genrec-bench', *sys.argv[1:]]; main()"
    command = [sys.executable, "-c", code, "data", "verify", "toys2014", "--data-dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: toys2014: there is no file") and done.stderr.count("\n") == 1


@pytest.mark.real_data
def test_real_beauty_is_the_standard_copy(real_data_dir: Path) -> None:
    result = run("verify", "beauty2014", "--data-dir", real_data_dir)
    assert result.exit_code == 0 and result.stdout.startswith("beauty2014: the standard copy")
    figures = " ".join(run("stats", "beauty2014", "--data-dir", real_data_dir).stdout.split())
    for words in (
        "users 22,363",
        "items 12,094",
        "interactions 198,371",
        "7 (131 interactions)",
        "9,719 users",
    ):
        assert words in figures


@pytest.mark.real_data
def test_real_beauty_with_one_row_less_is_not(real_data_dir: Path, tmp_path: Path) -> None:
    import gzip

    entry = DATASETS["beauty2014"]
    folder = tmp_path / entry.folder
    folder.mkdir()
    rows = gzip.decompress((real_data_dir / entry.folder / entry.files[0].name).read_bytes()).split(b"\n", 1)[
        1
    ]
    (folder / entry.files[0].name).write_bytes(rows)
    (folder / entry.files[1].name).symlink_to(real_data_dir / entry.folder / entry.files[1].name)
    result = run("verify", "beauty2014", "--data-dir", tmp_path)
    assert result.exit_code == 1 and "NOT the standard copy: fingerprint" in result.stdout
    assert load_split("beauty2014", data_dir=tmp_path).interactions == 198_370
