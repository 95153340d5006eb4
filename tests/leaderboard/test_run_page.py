"""A run's page: is it good, which run it opens, its tabs; and links that name what is not here."""

from __future__ import annotations

from pathlib import Path

import pytest
from app_pages import Open, html_of, stored_runs, text_of
from record_factory import START, write_record

from bench.comparison.compared_models import load_compared
from bench.comparison.paired import compare_metrics
from bench.record import Audit
from bench.records.store import load_records
from bench.schema import Split
from leaderboard.frames import formatting, run_rows
from leaderboard.frames.run_verdict import audits_in_words


def test_it_says_first_whether_a_run_is_good(open_app: Open, folders: dict[str, Path]) -> None:
    runs = stored_runs(folders["board"])
    app = open_app("board", page="run", run=runs["llama-tiny"].id)
    html = html_of(app, "summary")
    good, cheap = (load_compared([runs[name]], name) for name in ("llama-tiny", "last-item-text"))
    paired = compare_metrics(good, cheap, metrics=["ndcg@5"], view="seen_removed")["ndcg@5"]
    values = [one.outcomes("ndcg@5", "seen_removed").mean() for one in (good, cheap)]
    lift = formatting.percent(values[0] / values[1] - 1)
    assert f"Better than Last item text, the strongest row that trains nothing, by {lift[1:]}" in html
    assert f"{paired.won:,} users won, {paired.lost:,} lost" in html and lift in html
    assert "1–2 of 6" in html and formatting.number(values[0], 3) in html
    assert app.get("header") == [] and html_of(app, "header")  # no long page below it: tabs


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("random-items", "Worse than Last item text, the strongest row that trains nothing"),
        ("last-item-text", "It is the strongest row that trains nothing: the one to beat."),
        ("llama-8b", "Quality was not measured"),
    ],
)
def test_the_verdict_of_other_rows(open_app: Open, folders: dict[str, Path], name: str, words: str) -> None:
    app = open_app("board", page="run", run=stored_runs(folders["board"])[name].id)
    assert not app.exception and words in html_of(app, "summary")


def test_a_row_whose_ranks_cannot_be_read_says_so(open_app: Open, folders: dict[str, Path]) -> None:
    runs = stored_runs(folders["partial"])
    app = open_app("partial", page="run", run=runs["no-ranks"].id)
    assert "no rank" in text_of(app) and "ranks.parquet is not readable" in text_of(app)
    app = open_app("partial", page="run", run=runs["withdrawn"].id)
    assert "This record was withdrawn" in text_of(app) and not html_of(app, "summary")


def test_from_the_menu_it_opens_the_ticked_run_or_the_best_in_view(
    open_app: Open, folders: dict[str, Path], sample_split: Split
) -> None:
    runs = stored_runs(folders["board"])
    assert runs["llama-twin"].id in html_of(open_app("board", page="run"), "header")
    ticked = [runs["repeat-last"].id, runs["random-items"].id]
    app = open_app("board", page="run", runs=ticked)
    assert runs["repeat-last"].id in html_of(app, "header")


def test_audits_are_told_in_words(open_app: Open, sample_split: Split, tmp_path: Path) -> None:
    def audit(name: str, verdict: str) -> Audit:
        return Audit.model_validate({"name": name, "verdict": verdict, "message": "what was found"})

    passed = [audit(name, "pass") for name in ("target_in_history", "copy")]
    assert audits_in_words(passed) == ("2 of 2", "audits passed")
    open_one = [*passed, audit("too_good", "info")]
    assert audits_in_words(open_one) == ("2 of 2", "audits passed; 1 more could not judge")
    flagged = [*passed, audit("popularity_only", "flag")]
    assert audits_in_words(flagged) == ("2 of 3", "audits passed: popularity only raised a flag")
    assert audits_in_words([]) == ("–", "no audit was made")

    write_record(tmp_path, sample_split, "model", audits=flagged)
    app = open_app(tmp_path, page="run")
    assert "2 of 3" in html_of(app, "summary") and "target in history" not in html_of(app, "header")
    table = html_of(open_app(tmp_path, page="run", tab="settings"), "audits")
    assert "No answer stands in the history" in table and "passed" in table and "look at this" in table


def test_each_tab_shows_its_part(open_app: Open, folders: dict[str, Path]) -> None:
    stored = stored_runs(folders["board"])["llama-tiny"]
    record = stored.record
    assert record.metrics is not None
    tabs = {
        tab: open_app("board", page="run", run=stored.id, tab=tab)
        for tab in ("quality", "groups", "cost", "generation", "settings", "files")
    }
    assert f"{record.metrics.seen_kept['recall@20'].value:.3f}" in text_of(tabs["quality"])
    assert len(tabs["groups"].get("vega_lite_chart")) == 4
    times = [sample.seconds for sample in record.cost.memory_timeline]
    apart = (max(times) - min(times)) / (len(set(times)) - 1)
    moments = f"**Memory over the run**, at {len(set(times))} moments, {formatting.seconds(apart)} apart"
    assert moments in text_of(tabs["cost"]) and len(tabs["cost"].get("vega_lite_chart")) == 2
    assert "exact title share" in html_of(tabs["generation"], "health")
    assert len(tabs["generation"].get("vega_lite_chart")) == 1
    assert record.command in text_of(tabs["settings"])
    labels = {element.proto.label for element in tabs["files"].get("download_button")}
    assert labels == {
        "Record (JSON)",
        "Ranked lists (parquet)",
        "Metrics (CSV)",
        "Table (LaTeX)",
        "Citation (BibTeX)",
    }
    assert all(record.dataset.fingerprint in text_of(app) for app in tabs.values())


def test_a_cost_only_run_says_so(open_app: Open, folders: dict[str, Path]) -> None:
    stored = stored_runs(folders["board"])["llama-8b"]
    app = open_app("board", page="run", run=stored.id)
    assert "quality was not measured" in text_of(app)
    assert "was not measured" in text_of(open_app("board", page="run", run=stored.id, tab="groups"))


def test_numbers_of_a_model_are_written_out(sample_split: Split, tmp_path: Path) -> None:
    health = {"tokens_per_second": 14350.4, "share": 0.99341, "texts": 12000, "rate": 0.0000321}
    write_record(tmp_path, sample_split, "model", details={"generation_health": health})
    (stored,) = load_records(tmp_path).records
    assert dict(run_rows.health_rows(stored.record)) == {
        "tokens per second": "14,350",
        "share": "0.9934",
        "texts": "12,000",
        "rate": "0.0000321",
    }


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"page": "run", "run": "sample/gone/123"}, "record: sample/gone/123"),
        ({"page": "explore", "user": "nobody"}, "user: nobody"),
        ({"page": "explore", "look": "item", "item": "nothing"}, "item: nothing"),
        ({"k": "7"}, "cut-off: 7"),
        ({"page": "statistics"}, "page: statistics"),
        ({"data": "beauty2023"}, "data set: beauty2023"),
    ],
)
def test_a_link_to_what_is_not_here_says_so(open_app: Open, params: dict[str, str], said: str) -> None:
    app = open_app("board", **params)
    assert not app.exception
    assert "The link names what is not here" in text_of(app) and said in text_of(app)


def test_what_an_own_choice_leaves_behind_is_no_fault_of_a_link(
    open_app: Open, sample_split: Split, tmp_path: Path
) -> None:
    """A search that the chosen user does not fit drops that user from the URL in silence."""
    write_record(tmp_path, sample_split, "model", created=START)
    app = open_app(tmp_path, page="explore", user="C0007")
    assert "The link names" not in text_of(app)
    app.text_input(key="url:q_user").set_value("C0999").run()
    assert "The link names" not in text_of(app) and "user" not in app.query_params
