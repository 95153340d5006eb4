"""Numbers reported elsewhere: sorted, searched, by protocol and by year, never among measured rows."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
from app_pages import Open, Parsed, html_of, text_of
from record_factory import write_record

from bench.labels import with_metric_labels
from bench.records.store import load_record
from bench.reported.rows import Source, load_reported
from bench.schema import Split
from leaderboard.frames import reported_rows
from leaderboard.frames.board_rows import BoardKey

BOARD = BoardKey(dataset="beauty2014", split="leave-one-out", ties="file", fingerprint="f" * 64)


@pytest.fixture
def beauty(sample_split: Split, tmp_path: Path) -> Path:
    """A results folder with one row said to be of Beauty, of which others have published figures."""
    write_record(tmp_path, dataclasses.replace(sample_split, dataset="beauty2014"), "last-item-text")
    return tmp_path


def test_reported_numbers_show_our_value_only_where_protocols_allow(
    sample_split: Split, tmp_path: Path
) -> None:
    beauty = dataclasses.replace(sample_split, dataset="beauty2014")
    mine = load_record(write_record(tmp_path, beauty, "last-item-text"))
    rows = load_reported("beauty2014")
    frame = reported_rows.reported_rows(rows, BOARD, [mine], view="seen_removed", cutoff=5).set_index("id")
    assert mine.record.metrics is not None
    same = frame.loc["nanogenrec-last-item-bm25"]
    assert same["recall"] == 0.04333
    # that source keeps seen items, whatever view the page shows
    assert same["recall_ours"] == mine.record.metrics.seen_kept["recall@5"].value
    assert math.isnan(frame.loc["gpt4rec", "recall_ours"])
    assert not frame.loc["gpt4rec", "comparable"] and frame.loc["gpt4rec", "recall"] == 0.0653
    assert frame.loc["gpt4rec", "other"] == {"recall@10": 0.0810}
    nothing = reported_rows.reported_rows(rows, BOARD, [], view="seen_removed", cutoff=5)
    assert nothing["recall_ours"].isna().all() and len(nothing) == len(rows)


@pytest.mark.parametrize(
    ("row", "view", "changes", "fit"),
    [
        ("nanogenrec-last-item-bm25", "seen_kept", {}, "same"),
        ("nanogenrec-last-item-bm25", "seen_removed", {}, "other"),
        ("nanogenrec-last-item-bm25", "seen_kept", {"ties": "shuffled:0"}, "other"),
        ("nanogenrec-last-item-bm25", "seen_kept", {"split": "time:0.9"}, "other"),
        ("gpt4rec", "seen_kept", {}, "other"),
    ],
)
def test_whether_a_protocol_is_that_of_a_view(row: str, view: str, changes: dict[str, str], fit: str) -> None:
    (found,) = [one for one in load_reported("beauty2014") if one.id == row]
    key = dataclasses.replace(BOARD, **changes)
    assert reported_rows.fit_of(found, key, "seen_kept" if view == "seen_kept" else "seen_removed") == fit
    unsaid = [one for one in load_reported("beauty2014") if one.protocol.seen_items == "unknown"]
    assert {reported_rows.fit_of(one, BOARD, "seen_kept") for one in unsaid} <= {"unsaid", "other"}


def test_the_year_is_that_of_the_arxiv_number_or_as_stated() -> None:
    def year(link: str | None, **more: int) -> int | None:
        return Source.model_validate({"title": "a source", "link": link, **more}).year

    assert year("https://arxiv.org/abs/2304.03879") == 2023
    assert year("https://github.com/someone/2304.03879") is None and year(None) is None
    assert year("https://github.com/RUCAIBox/CIKM2020-S3Rec", year=2020) == 2020


def test_progress_is_the_best_so_far_of_dated_rows() -> None:
    frame = reported_rows.reported_rows(
        load_reported("beauty2014"), BOARD, [], view="seen_removed", cutoff=10
    )
    found = reported_rows.progress(frame, "ndcg")
    assert found["year"].is_monotonic_increasing and found["best"].is_monotonic_increasing
    dated = frame[frame["year"].notna()]
    assert found["best"].iloc[-1] == dated["ndcg"].max() and len(found) == dated["ndcg"].notna().sum()


def test_the_page_sorts_searches_and_filters_by_protocol(open_app: Open, beauty: Path) -> None:
    app = open_app(beauty, page="reported", k="10")
    assert "GPT4Rec" in html_of(app, "reported") and "Progress over time" in text_of(app)
    assert html_of(app, "own") and "nobody published them" in text_of(app)
    assert "own calculation" not in html_of(app, "reported")
    app = open_app(beauty, page="reported", k="10", reported_sort="-ndcg")
    table = html_of(app, "reported")
    assert 'data-column="ndcg" class="number" aria-sort="descending"' in table
    values = _column(table, "ndcg")
    assert values == sorted(values, reverse=True) and len(values) > 50
    app = open_app(beauty, page="reported", k="10", q_reported="tiger 2023")
    assert not html_of(app, "reported") and "No row passes these filters" in text_of(app)
    app = open_app(beauty, page="reported", k="10", q_reported="TIGER", fit="maybe", view="seen_kept")
    rows = html_of(app, "reported")
    assert "TIGER" in rows and "other protocol" not in rows and not html_of(app, "own")


def _column(table: str, key: str) -> list[float]:
    cells = [cell.partition("</td>")[0] for cell in table.split(f'<td data-column="{key}"')[1:]]
    texts = ["".join(Parsed(f"<td{cell}").text[:1]) for cell in cells]
    return [float(text) for text in texts if text and text != "–"]


def test_a_data_set_without_figures_shows_those_of_another_and_says_so(open_app: Open) -> None:
    app = open_app("board", page="reported")
    assert "have been read yet" in text_of(app) and html_of(app, "reported")
    assert app.selectbox(key="url:figures").value == "beauty2014"


def test_metrics_are_named_as_people_read_them() -> None:
    text = "recall@10 0.7, ndcg@5 and mrr@20; the lists of sample@5 stay"
    assert with_metric_labels(text) == "Recall@10 0.7, nDCG@5 and MRR@20; the lists of sample@5 stay"
