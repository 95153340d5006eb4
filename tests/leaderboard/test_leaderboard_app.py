"""Every page of the app, run headless: with no, one, many, partial and hostile records."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from app_pages import ALLOWED, APP, Open, Parsed, html_of, text_of
from record_factory import START, make_ledger, make_rankings, write_record
from streamlit.testing.v1 import AppTest
from test_leaderboard_html import json_lines

from bench.records.store import load_records
from bench.reproduction.kept_report import OWN_SOURCE, ReproducedRow, Reproduction, save
from bench.schema import Split
from leaderboard.navigation import PAGES


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("folder", ["empty", "one", "board", "many", "partial", "hostile"])
def test_every_page_stands_whatever_the_folder_holds(open_app: Open, page: str, folder: str) -> None:
    app = open_app(folder, page=page)
    assert not app.exception, app.exception
    assert app.title and f'data-value="{page}" aria-current="page"' in html_of(app, "menu")


def test_an_empty_folder_says_how_to_fill_it(open_app: Open) -> None:
    for page in ("leaderboard", "cost", "run", "compare", "explore", "submit"):
        app = open_app("empty", page=page)
        assert "There are no records to show" in text_of(app)
        assert "pytest bench --benchmark" in text_of(app)


def test_hostile_records_are_listed_and_nothing_of_them_is_markup(open_app: Open) -> None:
    for page in PAGES:
        app = open_app("hostile", page=page)
        parsed = Parsed(html_of(app))
        assert parsed.tags <= ALLOWED | {"nav", "g", "text", "path", "line", "circle", "p", "title"}
        assert not any(link.lower().startswith(("javascript", "data", "//")) for link in parsed.links)
        assert not any(element.proto.allow_html for element in app.markdown)
        shown = "".join(
            str(element.value) for element in [*app.markdown, *app.title, *app.header, *app.caption]
        )
        assert "evil.example" not in shown and "<script" not in shown
    app = open_app("hostile")
    assert "Not shown, because … (12)" in [expander.label for expander in app.expander]
    problems = html_of(app, "problems")
    for name in (
        "version",
        "path-as-id",
        "nan",
        "truncated",
        "empty",
        "huge",
        "elsewhere",
        "script-as-id",
        "above-one",
    ):
        assert f"v1/sample/hostile/{name}.json" in problems
    assert "recall@5 is above 1" in problems and "negative-cost.json" in problems
    assert "schema version 9 is unknown" in problems and "larger than" in problems


def test_the_board_shows_groups_and_collapses_older_records(open_app: Open) -> None:
    app = open_app("board")
    html = html_of(app, "board")
    assert html.count('data-event="run"') == 7 and "1 older" in html
    assert html.index("llama-twin") < html.index("last-item-text") < html.index("random-items")
    assert "nDCG@5" in html and "7 models, 8 records" in text_of(app)
    app = open_app("board", older="last-item-text")
    assert html_of(app, "board").count('data-event="run"') == 8 and "hide older" in html_of(app, "board")


def test_a_link_reproduces_the_view(open_app: Open) -> None:
    app = open_app("board", view="seen_kept", k="10", by="mrr", kind="baseline", sort="date", q="weighted")
    assert [element.value for element in app.button_group][:3] == ["seen_kept", "10", "mrr"]
    html = html_of(app, "board")
    assert "MRR@10" in html and html.count('data-event="run"') == 1
    assert app.multiselect(key="url:kind").value == ["baseline"] and 'aria-sort="ascending"' in html


def test_changing_a_choice_writes_the_url(open_app: Open) -> None:
    app = open_app("board")
    assert app.query_params == {"page": "leaderboard"}
    app.button_group[0].set_value("seen_kept").run()
    assert app.query_params == {"page": "leaderboard", "view": "seen_kept"}
    app.text_input(key="url:q").set_value("llama").run()
    assert app.query_params["q"] == "llama" and html_of(app, "board").count('data-event="run"') == 3
    app.multiselect(key="url:kind").set_value(["generative"]).run()
    assert html_of(app, "board").count('data-event="run"') == 2
    app.text_input(key="url:q").set_value("zzz").run()
    assert "No model passes these filters" in text_of(app)
    app.button[0].click().run()
    assert "q" not in app.query_params and "kind" not in app.query_params
    app.button_group[0].set_value("seen_removed").run()
    assert app.query_params == {"page": "leaderboard"}


@pytest.mark.parametrize(
    "params",
    [
        {
            "data": "../../etc",
            "ties": "<script>",
            "view": "x",
            "k": "-1",
            "by": "'",
            "kind": "y",
            "sort": "-__class__",
        },
        {"page": "run", "run": "../../../etc/passwd", "slice_metric": "x"},
        {"page": "compare", "runs": ["a", "b", "c"]},
        {"page": "explore", "user": "nobody", "item": "nothing", "runs": "x", "look": "z"},
        {"page": "<script>"},
        {"page": "cost", "cost": "__import__", "q": "x" * 5000},
    ],
)
def test_nonsense_in_the_url_is_ignored(open_app: Open, params: dict[str, Any]) -> None:
    app = open_app("board", **params)
    assert not app.exception and app.title


def test_boards_of_different_data_are_never_one_table(
    open_app: Open, sample_split: Split, tmp_path: Path
) -> None:
    import dataclasses

    write_record(tmp_path, sample_split, "alpha-run")
    other = dataclasses.replace(sample_split, fingerprint="f" * 64)
    write_record(tmp_path, other, "omega-run", created=START + timedelta(days=1))
    app = open_app(tmp_path)
    assert html_of(app, "board").count('data-event="run"') == 1 and "omega-run" in html_of(app, "board")
    app.selectbox(key="url:data_fingerprint").set_value(sample_split.fingerprint).run()
    assert "alpha-run" in html_of(app, "board") and "omega-run" not in html_of(app, "board")
    app = open_app(tmp_path, page="explore")
    assert "the copy of sample on this machine is another one" in text_of(app)


def test_partial_records_are_marked_and_their_gaps_named(open_app: Open, folders: dict[str, Path]) -> None:
    app = open_app("partial")
    html = html_of(app, "board")
    assert "partial" in html and html.count('data-event="run"') == 5
    assert "withdrawn on" in html_of(app, "problems") and "trained on &lt;b&gt;test" in html_of(
        app, "problems"
    )
    by_name = {one.record.model.name: one.id for one in load_records(folders["partial"]).records}
    app = open_app("partial", page="compare", runs=[by_name["whole"], by_name["no-ranks"]])
    assert "ranks.parquet is not readable" in text_of(app)
    app = open_app("partial", page="explore", runs=[by_name["broken-files"]])
    assert "The lists of one run cannot be read" in text_of(app) and "not readable" in text_of(app)
    app = open_app("partial", page="run", run=by_name["withdrawn"])
    assert "This record was withdrawn" in text_of(app) and "trained on <b>test</b> items" in text_of(app)


def test_the_cost_page(open_app: Open) -> None:
    app = open_app("board", page="cost")
    html = html_of(app, "pareto")
    assert "Nothing within" in html and html.count('class="target"') == 2 * 6
    # a cost that no run has is not offered
    costs = app.selectbox(key="url:cost")
    assert "Peak RAM" in costs.options and "Money to fit and recommend, at your prices" not in costs.options
    assert "No run here has:" in costs.help
    assert "Peak VRAM" not in open_app("one", page="cost").selectbox(key="url:cost").options


def test_limits_leave_what_is_good_and_cheap_enough(open_app: Open) -> None:
    app = open_app("board", page="cost", at_least="0.05", hours="1")
    assert "1 of 7 models remain, the best of them: Last item text." in text_of(app)
    assert html_of(app, "pareto").count('class="target"') == 2 * 1
    app = open_app("board", page="cost", vram_gb="7.5")
    assert "4 of 7 models remain" in text_of(app), "runs without a GPU take no VRAM"
    app.number_input(key="url:vram_gb").set_value(8.5).run()
    assert app.query_params["vram_gb"] == "8.5" and "7 of 7 models remain" in text_of(app)
    app.number_input(key="url:at_least").set_value(0.9).run()
    assert "None of 7 models is good and cheap enough" in text_of(app)
    app = open_app("board", page="cost", gpu_price="2.5", cost="money", cost_of_run="6")
    assert "1 of 7 models remain, the best of them: LLaMA tiny" in text_of(app)
    assert "4 are left out because a figure that is limited is not known" in text_of(app)
    assert "Money to fit and recommend, at your prices: 5" in html_of(app, "pareto")
    for nonsense in ("x", "-1", "nan", "1e99"):
        assert "remain" not in text_of(open_app("board", page="cost", at_least=nonsense))


def test_the_explore_page_looks_up_users_and_items(open_app: Open, sample_split: Split) -> None:
    app = open_app("board", page="explore", user="C0007")
    assert "to be predicted" in html_of(app, "history")
    assert sample_split.catalogue.titles[sample_split.test.targets[7]] in text_of(app)
    assert "The item bought next" in text_of(app) and "Texts it wrote" in text_of(app)
    app.text_input(key="url:q_user").set_value("C0999").run()
    assert app.selectbox(key="url:user").options == ["C0999"]
    app.button[0].click().run()
    assert app.query_params["user"] in sample_split.user_ids
    app = open_app("board", page="explore", look="item", item="P007")
    item = sample_split.catalogue.rows["P007"]
    facts = Parsed(html_of(app, "item")).text
    assert sample_split.catalogue.titles[item] in facts
    assert " › ".join(sample_split.catalogue.categories[item]) in facts
    table = html_of(app, "item-users")
    assert "Have it in their history" in table and "lists it in the top 5" in table
    app.text_input(key="url:q_item").set_value("no such words").run()
    assert "No title, brand or id holds these words" in text_of(app)


def test_pages_that_need_the_data_say_how_to_get_it(
    open_app: Open, sample_split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dataclasses

    monkeypatch.setenv("GENREC_BENCH_DATA", str(tmp_path / "nothing"))
    beauty = dataclasses.replace(sample_split, dataset="beauty2014")
    for name, skill in (("strong", 0.3), ("weak", 0.1)):
        write_record(tmp_path / "results", beauty, name, skill=skill)
    for page in ("compare", "explore", "submit"):
        app = open_app(tmp_path / "results", page=page)
        assert not app.exception
        assert "genrec-bench data download beauty2014" in text_of(app)
    app = open_app(tmp_path / "results", page="compare")
    assert html_of(app, "verdict").count("A is better") == 3  # the ranks are enough for the verdict
    app = open_app(tmp_path / "results")
    (link,) = [button for button in app.button if "figures reported elsewhere" in button.label]
    assert "GPT4Rec" in html_of(link.click().run(), "reported")


def submit(app: AppTest, name: str, content: bytes) -> AppTest:
    app.file_uploader[0].set_value((name, content, "application/octet-stream"))
    app.button[0].click()
    return app.run()


def test_an_upload_is_scored_beside_the_board_and_kept_nowhere(
    open_app: Open, sample_split: Split, folders: dict[str, Path]
) -> None:
    before = sorted(folders["board"].rglob("*"))
    app = open_app("board", page="submit")
    app = submit(
        app, "lists.jsonl", json_lines(sample_split, make_rankings(sample_split, skill=0.43, seed=9))
    )
    assert not app.exception
    text = text_of(app)
    assert "The file is sound: lists for 1,000 users, 50,000 items." in text
    assert (
        "genrec-bench submit lists.jsonl --dataset sample --split leave-one-out --ties file --name my-model"
        in text
    )
    board = html_of(app, "submission-board")
    assert board.index("my-model") < board.index("llama-twin") and 'class="marked"' in board
    assert "Audits" in text and "git push" in text
    assert sorted(folders["board"].rglob("*")) == before
    assert "my-model" not in html_of(open_app("board"), "board")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("lists.csv", b"user_id,item_id,rank\nnobody,P000,1\nC0000,nothing,1\n", "refused"),
        ("lists.zip", b"PK\x03\x04" + b"\x00" * 100, "zip"),
        ("empty.csv", b"", "refused"),
        ("run.txt", "C0000 Q0 P000 1 9.5 mine\nC0001 é".encode("latin-1"), "not UTF-8"),
    ],
)
def test_a_bad_upload_is_refused_with_everything_found(
    open_app: Open, name: str, content: bytes, message: str
) -> None:
    app = submit(open_app("board", page="submit"), name, content)
    assert not app.exception
    assert "The file is refused" in text_of(app) and message in text_of(app)
    assert not html_of(app, "submission-board")


def test_columns_that_are_not_clear_are_said_in_the_words_of_the_page(
    open_app: Open, sample_split: Split
) -> None:
    """The message names the page's own field; filled in, the field decides."""
    ids = sample_split.catalogue.item_ids
    rows = [f"{user},{ids[0]},{ids[1]} {ids[2]}" for user in sample_split.user_ids]
    body = "\n".join(["user_id,bought,recommendations", *rows]).encode()
    app = submit(open_app("board", page="submit"), "lists.csv", body)
    text = text_of(app)
    assert "'bought' and the lists in 'recommendations' could be the items" in text
    assert "“Column of items”" in text and "--item" not in text
    (field,) = [one for one in app.text_input if one.label == "Column of items"]
    field.set_value("recommendations")
    app = submit(app, "lists.csv", body)
    assert "The file is sound" in text_of(app)
    assert "items from the lists in 'recommendations'" in text_of(app)
    assert "--item recommendations" in text_of(app)


def test_a_form_without_a_file_or_with_a_bad_name_says_so(open_app: Open, sample_split: Split) -> None:
    app = open_app("board", page="submit")
    app.button[0].click().run()
    assert "Choose a file first" in text_of(app)
    app.text_input[0].set_value("../evil")
    app = submit(app, "x.jsonl", json_lines(sample_split, make_rankings(sample_split, skill=0.1)))
    assert "is not allowed" in text_of(app)


def test_the_protocol_page_shows_the_reproduction(
    open_app: Open, sample_split: Split, tmp_path: Path
) -> None:
    write_record(tmp_path, sample_split, "model")
    write_record(tmp_path, sample_split, "tuned", tuning=make_ledger(sample_split))
    figures: dict[str, Any] = {
        "section": "traps",
        "what": "a <b>trap</b>",
        "metric": "recall@5",
        "why": "because",
    }
    rows = [
        ReproducedRow(**figures, published=0.0433, ours=0.04333, difference=0.00003, agrees=True),
        ReproducedRow(**figures, published=0.05, ours=0.04, difference=-0.01, agrees=False),
        ReproducedRow(**figures, published=None, ours=0.03, difference=None, agrees=None),
        ReproducedRow(**figures, published=0.02, source=OWN_SOURCE, ours=0.02, difference=0.0, agrees=True),
    ]
    report = Reproduction(
        dataset="sample", fingerprint=sample_split.fingerprint, created=START, commit="c" * 40, rows=rows
    )
    path = save(report, tmp_path)
    app = open_app(tmp_path, page="protocol")
    table = html_of(app, "reproduction")
    assert "a &lt;b&gt;trap" in table and "agrees" in table and "differs" in table and "−0.010000" in table
    assert "1 of 2 figures that others published come out" in text_of(app)
    assert "1 of 1 figures that we computed before come out" in text_of(app)
    assert table.count("because") == 2  # once for the rows, and again where a figure differs
    assert "How to cite" in text_of(app)
    budget = html_of(app, "budgets")
    assert "hill climbing" in budget and "1,234 s" in budget
    path.write_text("{broken")
    assert "cannot be read" in text_of(open_app(tmp_path, page="protocol"))


def test_new_records_show_without_a_restart(open_app: Open, sample_split: Split, tmp_path: Path) -> None:
    write_record(tmp_path, sample_split, "first")
    app = open_app(tmp_path)
    assert html_of(app, "board").count('data-event="run"') == 1
    write_record(tmp_path, sample_split, "second")
    assert html_of(app.run(), "board").count('data-event="run"') == 2


def test_the_app_is_safe_when_it_is_run_plainly() -> None:
    import tomllib

    config = tomllib.loads((APP.parent / ".streamlit" / "config.toml").read_text())
    assert config["browser"]["gatherUsageStats"] is False
    assert config["server"]["address"] == "127.0.0.1"
    assert config["server"]["maxUploadSize"] <= 200
