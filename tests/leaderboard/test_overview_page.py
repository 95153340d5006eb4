"""The overview: every data set under one protocol, and mean ranks over nothing that is not there."""

from __future__ import annotations

import dataclasses
import re
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from app_pages import Open, html_of, text_of
from hypothesis import given
from hypothesis import strategies as st
from record_factory import START, write_record

from bench.comparison.board_standings import stand
from bench.comparison.mean_ranks import mean_ranks
from bench.comparison.pareto import better_by_value
from bench.datasets.audit.data_audit import audit_data, file_name
from bench.files.atomic import replace_text
from bench.records.store import load_records
from bench.schema import Split
from leaderboard.frames import board_rows, overview_rows


@pytest.fixture(scope="module")
def shelves(sample_split: Split, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two data sets under the usual protocol, one of them also shuffled; `writer` ran on one only."""
    folder = tmp_path_factory.mktemp("shelves")
    beauty = dataclasses.replace(sample_split, dataset="beauty2014", fingerprint="b" * 64)
    toys = dataclasses.replace(sample_split, dataset="toys2014", fingerprint="c" * 64)
    shuffled = dataclasses.replace(beauty, ties="shuffled:0", fingerprint="d" * 64)
    for day, (split, skills) in enumerate(
        (
            (beauty, {"counts": 0.4, "walks": 0.2, "guesses": 0.02}),
            (toys, {"counts": 0.2, "walks": 0.4, "guesses": 0.02}),
            (shuffled, {"counts": 0.35}),
        )
    ):
        for number, (name, skill) in enumerate(skills.items()):
            created = START + timedelta(days=day)
            write_record(folder, split, name, skill=skill, seed=number, kind="untrained", created=created)
    write_record(folder, beauty, "writer", skill=0.1, seed=9, kind="generative")
    write_record(folder, sample_split, "counts", skill=0.3, kind="untrained")
    audit = audit_data(sample_split).model_copy(update={"dataset": "beauty2014", "fingerprint": "b" * 64})
    replace_text(folder / "v1" / "beauty2014" / file_name("b" * 64), audit.model_dump_json())
    return folder


def test_the_first_page_says_what_all_boards_say(open_app: Open, shelves: Path) -> None:
    app = open_app(shelves, page="")
    assert not app.exception and 'data-value="overview" aria-current="page"' in html_of(app, "menu")
    said = text_of(app)
    assert "2 data sets, 4 models, one protocol: who predicts the next item best?" in said
    assert "Best by nDCG@5: Counts on 1, Walks on 1." in said
    assert re.search(r"trains nothing on 0 of 1; it reaches \d+ % of it", said)
    table = html_of(app, "datasets")
    names = [
        table.index(name) for name in ("Amazon Beauty 2014", "Amazon Toys and Games 2014", "Sample shop")
    ]
    assert names == sorted(names), "the generated data stand last"
    assert "1,000" in table and "none measured yet" in table
    assert "ties of time" in table and "not audited under this protocol" in table


def test_a_model_has_a_mean_rank_where_it_ran_everywhere(open_app: Open, shelves: Path) -> None:
    html = html_of(open_app(shelves, page="overview"), "matrix")
    rows = dict(re.findall(r"untrained · (\w+)</small>.*?data-column=\"mean\".*?>([\d.]+)</span>", html))
    assert rows == {"counts": "1.5", "walks": "1.5", "guesses": "3.0"}
    writer = html[html.index("generative · writer") :]
    assert "run on 1 of 2" in writer and "not run" in writer
    alone = html_of(open_app(shelves, page="overview", sets=["beauty2014"]), "matrix")
    assert "not run" not in alone and "run on" not in alone


def test_one_switch_changes_split_and_tie_rule(open_app: Open, shelves: Path) -> None:
    app = open_app(shelves, page="overview")
    rules = app.selectbox(key="url:split+ties")
    assert len(rules.options) == 2 and "(3 data sets)" in rules.options[0]
    rules.set_value("leave-one-out|shuffled:0").run()
    assert app.query_params["ties"] == "shuffled:0" and "split" not in app.query_params
    assert html_of(app, "datasets").count('data-event="board"') == 1
    assert html_of(open_app(shelves, page="leaderboard", ties="shuffled:0"), "board").count("older") == 0
    app.selectbox(key="url:split+ties").set_value("leave-one-out|file").run()
    assert "ties" not in app.query_params


def test_an_old_link_to_the_board_still_leads_there(open_app: Open, shelves: Path) -> None:
    app = open_app(shelves, page="", data="toys2014")
    assert 'data-value="leaderboard" aria-current="page"' in html_of(app, "menu")
    assert "Amazon Toys and Games 2014" in text_of(app)


def test_the_matrix_takes_its_values_from_the_boards(shelves: Path) -> None:
    groups = board_rows.boards(load_records(shelves).valid())
    views = []
    for key, records in overview_rows.boards_of(groups, "leave-one-out", "file").items():
        standings = stand(records, metric="ndcg@5", view="seen_removed")
        frame = board_rows.leaderboard(records, view="seen_removed", cutoff=5, standings=standings)
        views.append(overview_rows.board_view(key, records, frame, standings, "ndcg"))
    rows = {row.name: row for row in overview_rows.matrix(views)}
    for stored in groups[views[0].key]:
        assert stored.record.metrics is not None
        shown = rows[stored.record.model.name].rows[0]
        assert shown is not None
        assert shown["ndcg"] == stored.record.metrics.seen_removed["ndcg@5"].value
    assert rows["writer"].mean is None and overview_rows.matrix([]) == []


def test_mean_ranks_by_hand() -> None:
    """Two data sets: the order turns round, and on the second no test tells the first two apart."""
    values = [[0.3, 0.2, 0.1], [0.20, 0.21, 0.1]]
    some = better_by_value(values[1])
    some[1, 0] = False
    first, second, third = mean_ranks(values, [better_by_value(values[0]), some])
    assert (first.mean, first.best, first.worst) == (1.5, 1.0, 1.5)
    assert (second.mean, second.best, second.worst) == (1.5, 1.5, 2.0)
    assert (third.mean, third.best, third.worst) == (3.0, 3.0, 3.0)


@given(st.lists(st.lists(st.integers(0, 5), min_size=4, max_size=4), min_size=1, max_size=4))
def test_mean_ranks_share_all_places(values: list[list[int]]) -> None:
    found = mean_ranks(values, [better_by_value(row) for row in values])
    assert sum(one.mean for one in found) == pytest.approx(1 + 2 + 3 + 4)
    assert all(one.best <= one.mean <= one.worst for one in found)
    alike = mean_ranks(values, [np.zeros((4, 4), dtype=bool)] * len(values))
    assert all((one.best, one.worst) == (1, 4) for one in alike)
