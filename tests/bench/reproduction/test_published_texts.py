"""Published texts through our retrieval: hand-made files, damage, and the source's strategy table."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from bench.errors import DataError
from bench.reproduction.published_texts import PRINTED, lists_of, published_rows, read_texts_file
from bench.reproduction.rerun import reproduce
from bench.retrieval.bm25 import BM25Index
from bench.retrieval.item_text import item_texts
from bench.retrieval.settings import RetrieveSettings
from bench.schema import Split


def write(folder: Path, name: str, lines: list[object]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    return path


def test_each_file_is_scored_both_ways_against_the_right_users(toy_split: Split, tmp_path: Path) -> None:
    folder = tmp_path / "published-outputs" / "toy" / "validation"
    # the validation user's target is item 5, a Pink Lipstick; Oak Comb stands in its history
    texts = ["Title: Oak Comb", "Title: Pink Lipstick\nTitle: Oak Comb Oak Comb"]
    write(folder, "llama-8b.beam5", [{"user_id": "u4", "texts": texts}])
    rows = list(published_rows(toy_split, tmp_path))
    assert [row.what.partition(": ")[2] for row in rows] == [
        "rule published, seen items kept",
        "rule by_likelihood, seen items removed",
    ]
    assert rows[0].ours is not None and rows[1].ours is not None
    # published: the whole second text asks for Oak Comb too, so that both find one item
    assert rows[0].ours["recall@5"] == 0.0 and "50% of the texts run on" in rows[0].why
    assert rows[1].ours["mrr@5"] == 1.0
    assert all(row.printed is None for row in rows)


def test_published_figures_without_their_texts_say_so(toy_split: Split, tmp_path: Path) -> None:
    from dataclasses import replace

    rows = list(published_rows(replace(toy_split, dataset="beauty2014"), tmp_path))
    assert len(rows) == len(PRINTED["beauty2014", "validation"])
    assert all(row.ours is None and "not at hand" in row.why and row.printed for row in rows)


def test_texts_stand_in_the_order_of_the_file(toy_split: Split, tmp_path: Path) -> None:
    lines = [
        {"user_id": "u3", "texts": ["Title: Oak Brush", "Title: Mint Soap"]},
        {"user_id": "u1", "texts": ["Title: Sea Salt Scrub"]},
    ]
    texts = read_texts_file(write(tmp_path, "x.beam5", list(lines)), toy_split)
    assert texts.users.tolist() == [1, 3]
    index = BM25Index.build(item_texts(toy_split.catalogue))
    lists = lists_of(texts, toy_split, RetrieveSettings(list_rule="by_likelihood"), index)
    assert lists[3, :2].tolist() == [3, 1] and lists[1, 0] == 7
    assert (lists[[0, 2, 4, 5]] == -1).all()


@pytest.mark.parametrize(
    "line",
    [
        {"user_id": "stranger", "texts": []},
        {"user_id": "u1"},
        {"user_id": "u1", "texts": None},
        ["u1"],
        "text",
    ],
)
def test_a_file_for_other_users_or_of_another_kind_is_refused(
    toy_split: Split, tmp_path: Path, line: object
) -> None:
    with pytest.raises(DataError, match="is not a file of texts"):
        read_texts_file(write(tmp_path, "x.beam5", [line]), toy_split)


def test_a_file_cut_short_is_refused(toy_split: Split, tmp_path: Path) -> None:
    path = write(tmp_path, "x.beam5", [{"user_id": "u1", "texts": ["a" * 500]}])
    path.write_bytes(path.read_bytes()[:-6])
    with pytest.raises(DataError, match="is not a file of texts"):
        read_texts_file(path, toy_split)


@pytest.mark.real_data
def test_the_strategy_table_comes_out_to_the_printed_digits(real_split: Split, real_data_dir: Path) -> None:
    if not (real_data_dir / "published-outputs" / "beauty2014").is_dir():
        pytest.skip("the data folder holds no published-outputs/beauty2014")
    found = {row.what: row for row in published_rows(real_split, real_data_dir)}
    compared = [row for row in found.values() if row.printed is not None]
    assert len(compared) == 4
    for row in compared:
        assert row.ours is not None and row.printed is not None
        for metric, printed in zip(("recall@5", "ndcg@5", "mrr@5"), row.printed, strict=True):
            assert f"{row.ours[metric]:.3f}" == printed, (row.what, metric)
    ours = found["LLaMA 3.1 8B, beam5, validation users: rule by_likelihood, seen items removed"].ours
    assert ours is not None
    assert [round(ours[metric], 4) for metric in ("recall@5", "ndcg@5", "mrr@5")] == [0.0707, 0.0510, 0.0446]


def test_the_report_of_a_data_set_without_published_texts_has_no_such_rows() -> None:
    assert all(row.ours is not None for row in reproduce("sample").rows)
