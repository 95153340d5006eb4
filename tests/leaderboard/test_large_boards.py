"""Boards of more rows than a screen: pages of the table, ranks that follow, and what is read of a record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from app_pages import Open, html_of, text_of
from record_factory import write_many, write_record
from streamlit.testing.v1 import AppTest

from bench.comparison.board_standings import stand
from bench.errors import RecordError
from bench.record import Metrics
from bench.records.store import load_record, load_records
from bench.schema import Split
from leaderboard.cells.pager import ROWS, pager, pager_html
from leaderboard.state import places


@pytest.fixture(scope="module")
def large(sample_split: Split, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    write_many(folder, sample_split, 120, models=120)
    return folder


@pytest.mark.parametrize(
    ("asked", "total", "page", "pages"),
    [("", 0, 1, 1), ("1", ROWS, 1, 1), ("2", ROWS + 1, 2, 2), ("9", 120, 3, 3), ("-1", 120, 1, 3),
     ("x", 120, 1, 3)],
)  # fmt: skip
def test_any_page_asked_for_is_one_that_there_is(asked: str, total: int, page: int, pages: int) -> None:
    found = pager(asked, total)
    assert (found.page, found.pages, found.last) == (page, pages, page == pages)
    assert bool(pager_html(found, lambda one: f"?p={one}")) == (pages > 1)


def test_every_row_stands_on_one_page(open_app: Open, large: Path) -> None:
    seen: list[str] = []
    for page in ("1", "2", "3"):
        html = html_of(open_app(large, p=page), "board")
        rows = html.split("<tbody>")[1].count('data-event="run"')
        assert rows == (20 if page == "3" else ROWS)
        assert f'data-value="{page}" aria-current="page"' in html
        # the models that nobody has measured stand behind the last row
        assert ("not measured yet" in html) == (page == "3")
        seen += [part.split('"')[0] for part in html.split('data-event="run" data-value="')[1:]]
    assert len(set(seen)) == len(seen) == 120
    assert "Rows 51–100 of 120" in html_of(open_app(large, p="2"), "board")
    only = html_of(open_app(large, p="3", q="model-01"), "board")
    assert "Rows" not in only and only.count('data-event="run"') == 10


def test_the_ranks_of_a_large_board_follow(
    open_app: Open, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "AT_ONCE", 10)
    monkeypatch.setattr(places, "_boards", places._boards.__class__())
    app = open_app(large, by="mrr")
    if "Ranks follow" in text_of(app):  # else they were there at once
        assert "–" in html_of(app, "board")
    records = load_records(large).valid()
    places.standings(records, "mrr@5", "seen_removed").result(timeout=60)
    app = app.run()
    assert "Ranks follow" not in text_of(app)
    assert html_of(app, "board").count("Models that share a letter") == ROWS


def test_ranks_are_kept_small_and_give_the_same_standings(sample_split: Split, tmp_path: Path) -> None:
    for number, skill in enumerate((0.05, 0.2, 0.21)):
        write_record(tmp_path, sample_split, f"model-{number}", skill=skill, seed=number)
    records = load_records(tmp_path).valid()
    found = places.standings(records, "ndcg@10", "seen_kept").result()
    assert found.places == stand(records, metric="ndcg@10", view="seen_kept").places
    model = places.compared_model(records[0])
    assert not isinstance(model, str)
    assert {column.dtype.itemsize for column in model.ranks[0].values()} == {1}


def test_records_without_their_bulk_say_the_rest(sample_split: Split, tmp_path: Path) -> None:
    path = write_record(tmp_path, sample_split, "model")
    whole = load_records(tmp_path).records[0].record
    slim = load_records(tmp_path, whole=False).records[0].record
    assert whole.metrics is not None and slim.metrics is not None
    assert whole.metrics.slices and whole.cost.memory_timeline
    assert not slim.metrics.slices and not slim.cost.memory_timeline
    bulky = slim.model_copy(
        update={
            "metrics": Metrics(**{**dict(slim.metrics), "slices": whole.metrics.slices}),
            "cost": slim.cost.model_copy(update={"memory_timeline": whole.cost.memory_timeline}),
        }
    )
    assert bulky == whole and load_record(path).record == whole


def test_bad_bulk_is_said_on_the_run_page(open_app: Open, sample_split: Split, tmp_path: Path) -> None:
    path = write_record(tmp_path, sample_split, "model")
    body = json.loads(path.read_text())
    body["cost"]["memory_timeline"] = [{"seconds": -1}]
    path.write_text(json.dumps(body))
    with pytest.raises(RecordError, match="memory_timeline"):
        load_record(path)
    assert html_of(open_app(tmp_path), "board").count('data-event="run"') == 1
    app: AppTest = open_app(tmp_path, page="run")
    assert not app.exception and "This record cannot be shown" in text_of(app)
    assert "memory_timeline" in text_of(app)
    body["cost"]["memory_timeline"] = "none"
    path.write_text(json.dumps(body))
    assert "memory_timeline" in html_of(open_app(tmp_path), "problems")
