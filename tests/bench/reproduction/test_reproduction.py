"""The reproduction report: figures counted another way, saved whole, read back, damage refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from bench.commands.reproduce import as_text, register
from bench.errors import ConfigError, RecordError
from bench.records.store import load_records
from bench.reproduction.kept_report import FILE_NAME, Reproduction, load, save
from bench.reproduction.rerun import reproduce
from bench.reproduction.score_ties import tie_orders
from bench.retrieval.bm25 import BM25Index
from bench.retrieval.item_text import item_texts
from bench.schema import Catalogue, Split


@pytest.fixture(scope="module")
def found() -> Reproduction:
    return reproduce("sample")


def test_every_section_is_there_for_any_data_set(found: Reproduction) -> None:
    sections = list(dict.fromkeys(row.section for row in found.rows))
    assert sections == ["data", "last item", "traps", "score ties", "same-day ties", "popularity"]
    assert all(row.published is None and row.agrees is None for row in found.rows)


def test_score_ties_keep_their_order(found: Reproduction) -> None:
    recall = {
        row.what.rpartition(" ")[2]: row.ours
        for row in found.rows
        if row.section == "score ties" and row.metric == "ndcg@5"
    }
    assert recall["worst"] <= recall["shuffled"] <= recall["best"]
    assert recall["worst"] <= recall["file"] <= recall["best"]
    (published_order,) = [row for row in found.rows if row.section == "last item" and row.metric == "ndcg@5"]
    assert recall["file"] == published_order.ours


def many_equal_titles(split: Split, kinds: int) -> Split:
    """The same split with a few titles shared by many items each, so that ties are long."""
    old = split.catalogue
    titles = tuple(f"Brand{row % kinds} soap" for row in range(len(old)))
    catalogue = Catalogue(
        item_ids=old.item_ids, titles=titles, brands=old.brands, categories=old.categories, prices=old.prices
    )
    return replace(split, catalogue=catalogue)


@pytest.mark.parametrize("kinds", [1, 3, 40])
def test_tie_orders_equal_a_count_over_all_scores(kinds: int, sample_split: Split) -> None:
    split = many_equal_titles(sample_split, kinds)
    texts = item_texts(split.catalogue)
    everything = BM25Index.build(texts).top_k(texts, len(texts))
    scores = np.zeros((len(texts), len(texts)))
    np.put_along_axis(scores, np.where(everything.items < 0, 0, everything.items), everything.scores, axis=1)
    hits = dict.fromkeys(("best", "worst", "file"), 0)
    for history, target in zip(split.test.histories, split.test.targets, strict=True):
        row = scores[history[-1]]
        better, equal = int((row > row[target]).sum()), int((row == row[target]).sum())
        before = int((row[:target] == row[target]).sum())
        hits["best"] += row[target] > 0 and better < 5
        hits["worst"] += row[target] > 0 and better + equal <= 5
        hits["file"] += row[target] > 0 and better + before < 5
    values = tie_orders(split)
    for order, count in hits.items():
        assert values[order]["recall@5"] == pytest.approx(count / len(split.test)), order


def test_the_report_is_saved_whole_and_read_back(found: Reproduction, tmp_path: Path) -> None:
    path = save(found, tmp_path)
    assert path == tmp_path / "v1" / "sample" / FILE_NAME
    assert load("sample", tmp_path) == found
    assert save(found, tmp_path) == path
    assert [file.name for file in path.parent.iterdir()] == [FILE_NAME]
    assert load_records(tmp_path).records == [] and load_records(tmp_path).problems == []
    assert load("other", tmp_path) is None


@pytest.mark.parametrize("body", ["", "{", "[]", '{"dataset": "sample"}', "[" * 5000])
def test_a_damaged_report_is_refused(body: str, tmp_path: Path) -> None:
    path = tmp_path / "v1" / "sample" / FILE_NAME
    path.parent.mkdir(parents=True)
    path.write_text(body)
    with pytest.raises(RecordError, match="not a reproduction report"):
        load("sample", tmp_path)


def test_a_full_disk_keeps_the_old_report(
    found: Reproduction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(found, tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(RecordError, match="No space left"):
        save(found.model_copy(update={"rows": []}), tmp_path)
    assert load("sample", tmp_path) == found


def test_the_command(tmp_path: Path) -> None:
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    outcome = CliRunner().invoke(app, ["reproduce", "--dataset", "sample", "--results", str(tmp_path)])
    assert outcome.exit_code == 0, outcome.output
    assert "score ties" in outcome.output and "saved: " in outcome.output
    unknown = CliRunner().invoke(app, ["reproduce", "--dataset", "beauty2041"])
    assert isinstance(unknown.exception, ConfigError) and "did you mean 'beauty2014'" in str(
        unknown.exception
    )
    unsaved = CliRunner().invoke(
        app, ["reproduce", "--dataset", "sample", "--no-save", "--results", str(tmp_path / "x")]
    )
    assert unsaved.exit_code == 0 and not (tmp_path / "x").exists()


@pytest.mark.real_data
def test_the_published_figures_come_out(real_data_dir: Path) -> None:
    found = reproduce("beauty2014", real_data_dir)
    rows = {(row.what, row.metric): row for row in found.rows}
    published = [row for row in found.rows if row.published is not None and row.section != "published texts"]
    assert len(published) == 19
    differing = {(row.section, row.metric) for row in published if not row.agrees}
    # another random order of days; equal counts at the cut of the list of ten
    assert differing == {("data", "targets changed by shuffling days"), ("popularity", "recall@10")}
    agreed = [row for row in published if row.section in ("last item", "score ties")]
    assert len(agreed) == 6 and all(row.agrees for row in agreed)
    clean = rows["most popular, seen items removed, clean counts", "recall@10"]
    assert clean.difference is not None and abs(clean.difference) < 3e-4
    assert "differs" in as_text(found)
