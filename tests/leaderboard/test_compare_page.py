"""Comparing runs: all pairs, what they differ in, two user by user, single users; uploads too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from app_pages import Open, html_of, stored_runs, text_of
from record_factory import START, make_rankings, write_record
from streamlit.testing.v1 import AppTest
from test_leaderboard_html import json_lines

from bench.comparison.compared_models import load_compared
from bench.comparison.paired import compare
from bench.fusion.complement import overlap
from bench.metrics.slices import user_groups
from bench.records.store import load_records
from bench.schema import Split


def test_two_runs_get_a_verdict(open_app: Open, folders: dict[str, Path]) -> None:
    runs = stored_runs(folders["board"])
    app = open_app("board", page="compare", runs=[runs["llama-tiny"].id, runs["random-items"].id])
    verdict = html_of(app, "verdict")
    assert verdict.count("A is better") == 3 and "uncorrected" in verdict
    assert html_of(app, "users").count('data-event="user"') == 20
    assert "Overlap of the lists" in text_of(app) and len(app.get("vega_lite_chart")) == 4
    assert not html_of(app, "matrix")
    same = open_app("board", page="compare", runs=[runs["repeat-last"].id, runs["random-items"].id])
    assert html_of(same, "verdict").count("cannot tell") == 3


def test_all_pairs_of_several_runs(open_app: Open, folders: dict[str, Path]) -> None:
    runs = stored_runs(folders["board"])
    names = ["random-items", "llama-tiny", "last-item-text", "llama-twin"]
    app = open_app("board", page="compare", runs=[runs[name].id for name in names], by="recall")
    found = compare(
        [load_compared([runs[name]], name) for name in names],
        metric="recall@5",
        view="seen_removed",
        resamples=200,
    )
    matrix = html_of(app, "matrix")
    assert matrix.count('data-event="pair"') == 12
    assert matrix.count('"number good"') == matrix.count('"number bad"')
    assert matrix.count('"number good"') == sum(pair.significant for pair in found.pairs)
    for pair in found.pairs:
        assert f"{pair.paired.won:,} won, {pair.paired.lost:,} lost" in matrix
        assert f"{pair.paired.lost:,} won, {pair.paired.won:,} lost" in matrix
    assert "Recall@5" in text_of(app)
    # the two best are looked at first; the choice of another pair is in the URL
    assert app.selectbox(key="url:pair:0").value == runs["llama-twin"].id
    app.selectbox(key="url:pair:1").set_value(runs["random-items"].id).run()
    assert app.query_params["pair"] == [runs["llama-twin"].id, runs["random-items"].id]
    assert html_of(app, "verdict").count("A is better") == 3
    app.selectbox(key="url:pair:0").set_value(runs["random-items"].id).run()
    assert "Pick two different runs" in text_of(app)


def test_settings_and_costs_in_which_they_differ(open_app: Open, sample_split: Split, tmp_path: Path) -> None:
    from bench.record import ModelInfo

    for name, depth in (("short", 10), ("long", 20)):
        parameters = {"window": depth, "same": "value", "nested": {"rate": depth / 100}}
        model = ModelInfo(name=name, display_name=name, kind="baseline", parameters=parameters)
        write_record(tmp_path, sample_split, name, skill=depth / 100, model=model)
    app = open_app(tmp_path, page="compare")
    settings = html_of(app, "settings")
    for text in ("window", "10", "20", "nested.rate", "0.1", "0.2"):
        assert f">{text}<" in settings
    assert "same" not in settings and "commit" not in settings
    assert "Recommend (wall time)" in html_of(app, "costs") and "1.00 s" in html_of(app, "costs")


def test_what_two_runs_find_together(open_app: Open, folders: dict[str, Path]) -> None:
    runs = stored_runs(folders["board"])
    chosen = [runs["llama-tiny"], runs["last-item-text"]]
    app = open_app("board", page="compare", runs=[one.id for one in chosen], k="10")
    ranks = [load_compared([one]).ranks[0]["seen_removed"] for one in chosen]
    found = overlap(ranks[0], ranks[1], 10)
    table, reach = html_of(app, "complement"), html_of(app, "reach")
    for count in (found.both, found.first_only, found.second_only, found.neither):
        assert f">{count:,}<" in table
    assert f">{found.either:,}<" in reach and f">{found.reachable:,}<" in reach
    assert "genrec-bench fuse llama-tiny last-item-text --dataset sample" in text_of(app)


def test_users_are_sampled_from_a_side_and_a_group(
    open_app: Open, folders: dict[str, Path], sample_split: Split
) -> None:
    runs = stored_runs(folders["board"])
    chosen = [runs["llama-tiny"], runs["last-item-text"]]
    ours, theirs = (load_compared([one]).ranks[0]["seen_removed"] for one in chosen)
    wanted = (theirs > 0) & (theirs <= 5) & ~((ours > 0) & (ours <= 5)) & sample_split.same_day
    group = "Target bought on the day of the purchase before: same day"
    params = {"page": "compare", "runs": [one.id for one in chosen], "side": "second", "group": group}
    app = open_app("board", **params)
    allowed = {sample_split.user_ids[user] for user in np.flatnonzero(wanted)}
    shown = set(_user_ids(html_of(app, "users")))
    assert shown and shown <= allowed
    assert f"of {len(allowed)} users: a random sample" in text_of(app)
    assert set(_user_ids(html_of(open_app("board", **params), "users"))) == shown  # a link repeats it
    everyone = open_app("board", page="compare", runs=params["runs"], side="neither")
    before = _user_ids(html_of(everyone, "users"))
    next(button for button in everyone.button if button.label == "Another sample").click().run()
    assert everyone.query_params["draw"] == "1"
    assert _user_ids(html_of(everyone, "users")) != before
    kinds = {f"{group.label}" for members in user_groups(sample_split).values() for group in members}
    assert any(label in option for option in app.selectbox(key="url:group").options for label in kinds)


def _user_ids(html: str) -> list[str]:
    return [part.partition('"')[0] for part in html.split('data-event="user" data-value="')[1:]]


@pytest.mark.parametrize("name", ["llama-twin", "last-item-text", "random-items"])
def test_compare_with_always_opens_a_second_run(open_app: Open, folders: dict[str, Path], name: str) -> None:
    runs = stored_runs(folders["board"])
    app = open_app("board", page="run", run=runs[name].id)
    next(button for button in app.button if button.label == "Compare with …").click().run()
    assert not app.exception and app.title[0].value == "Compare runs"
    chosen = app.multiselect(key="url:runs").value
    assert chosen[0] == runs[name].id and len(set(chosen)) == 2
    assert html_of(app, "verdict")
    assert (chosen[1] == runs["last-item-text"].id) == (name != "last-item-text")


def test_identical_runs_are_called_so(open_app: Open, sample_split: Split, tmp_path: Path) -> None:
    for name in ("one", "copy-of-it"):
        write_record(tmp_path, sample_split, name, skill=0.2, created=START)
    write_record(tmp_path, sample_split, "another", skill=0.3)
    runs = stored_runs(tmp_path)
    app = open_app(tmp_path, page="compare", runs=[runs["one"].id, runs["copy-of-it"].id])
    assert "A and B are identical" in text_of(app) and "Their ranked lists are the same file" in text_of(app)
    assert not html_of(app, "verdict") and not html_of(app, "users")
    app = open_app(tmp_path, page="compare", runs=[one.id for one in runs.values()])
    assert html_of(app, "matrix").count("identical") == 2


def test_a_link_with_unknown_runs_says_so(open_app: Open) -> None:
    app = open_app("board", page="compare", runs=["sample/gone/1", "sample/gone/2"])
    assert "records: sample/gone/1, sample/gone/2" in text_of(app) and html_of(app, "verdict")


def test_an_upload_is_compared_and_explored_in_its_session_only(
    open_app: Open, sample_split: Split, folders: dict[str, Path]
) -> None:
    lists = json_lines(sample_split, make_rankings(sample_split, skill=0.43, seed=9))

    def upload_and(action: str) -> AppTest:
        app = open_app("board", page="submit")
        app.file_uploader[0].set_value(("lists.jsonl", lists, "application/octet-stream"))
        app.button[0].click()
        app.run()
        next(button for button in app.button if button.label == action).click().run()
        assert not app.exception
        return app

    app = upload_and("Compare it with …")
    mine = app.multiselect(key="url:runs").value[0]
    assert mine.startswith("sample/my-model/") and "your upload" in text_of(app)
    assert html_of(app, "verdict").count("A is better") == 3 and html_of(app, "users")
    assert len(app.get("vega_lite_chart")) == 4 and "genrec-bench fuse" not in text_of(app)
    app = upload_and("Explore its lists")
    assert app.multiselect(key="url:runs").value == [mine] and ">my-model<" in html_of(app, "lists")
    other = open_app("board", page="compare", runs=[mine])
    assert f"records: {mine}" in text_of(other) and "your upload" not in text_of(other)
    assert all("my-model" not in one.id for one in load_records(folders["board"]).records)
