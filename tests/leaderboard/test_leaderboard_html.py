"""What the leaderboard writes as HTML, SVG, LaTeX or files: right, escaped, self-contained."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from app_pages import ALLOWED, Parsed
from hypothesis import given
from hypothesis import strategies as st
from record_factory import make_rankings, write_board, write_cost_only, write_hostile, write_record

from bench.errors import BenchError, ConfigError, RecordError
from bench.metrics.ranking import evaluate
from bench.records.store import load_record, load_records
from bench.records.target_ranks import read_ranks
from bench.schema import Rankings, Split
from bench.submission import Entry, ModelCard, Report
from leaderboard.cells import board_cells
from leaderboard.cells.html_table import Badge, Bar, Cell, Column, Event, Row, render, safe_link
from leaderboard.draw import cost_chart
from leaderboard.frames import board_rows, cost_points, downloads, list_rows
from leaderboard.frames.cost_points import AXES, Point
from leaderboard.state import session_submission
from leaderboard.state.session_submission import Scored, Upload
from leaderboard.static_page import export

hostile = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [
            "<script>alert(1)</script>", '" onmouseover="alert(1)', "'><img src=x onerror=alert(1)>",
            "&lt;b&gt;",
            "javascript:alert(1)", "</td></tr></table>", "\x00", "<!--", "]]>",
        ]
    ),
)  # fmt: skip


@given(hostile, hostile, hostile)
def test_no_text_becomes_markup(text: str, note: str, value: str) -> None:
    cell = Cell(
        text=text,
        note=note,
        title=value,
        kind=value,
        bar=Bar(low=0.1, value=0.2, high=0.3),
        badges=(Badge(text=text, title=note, event=Event(name=value, value=text)),),
        event=Event(name="run", value=value, href="?page=run"),
    )
    linked = Cell(text=text, href=value)
    columns = [
        Column(key=value, label=text, note=note, sort=value),
        Column(key="b", label=note, numeric=False),
    ]
    parsed = Parsed(render(columns, [Row(cells=[cell, linked], state=value)], sort=value, caption=note))
    assert parsed.tags <= ALLOWED
    assert not any(name.startswith("on") or name == "style" for name in parsed.attributes)
    assert all(link.startswith(("?page=run", "http://", "https://")) for link in parsed.links)
    assert (
        text.replace("\x00", "") in "".join(parsed.text).replace("\x00", "").replace("�", "") or "\r" in text
    )


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", " https://a.example", "", "//a.example"]
)
def test_only_plain_web_addresses_become_links(url: str) -> None:
    assert safe_link(url) == ""
    assert safe_link("https://arxiv.org/abs/2304.03879") == "https://arxiv.org/abs/2304.03879"


def test_the_board_as_cells(sample_split: Split, tmp_path: Path) -> None:
    paths = write_board(tmp_path, sample_split)
    newest, older = board_rows.collapse(load_records(tmp_path).valid())
    frame = board_rows.leaderboard(newest, view="seen_removed", cutoff=5, older=older)
    columns = board_cells.board_columns(board_cells.DEFAULT_COLUMNS, 5)
    html = render(
        columns, board_cells.board_rows(frame, columns, links=lambda run: f"?run={run}"), sort="-ndcg"
    )
    assert html.count("<tr>") == 1 + len(newest)
    assert 'data-event="older" data-value="last-item-text"' in html and "1 older" in html
    assert "not measured" in html and 'aria-sort="descending"' in html and "nDCG@5" in html
    metrics = load_record(paths["llama-tiny"]).record.metrics
    assert metrics is not None and f"{metrics.seen_removed['ndcg@5'].value:.3f}" in html
    still = render(
        board_cells.board_columns(["recall"], 5, clicks=False),
        board_cells.board_rows(frame, board_cells.board_columns(["recall"], 5, clicks=False), links=None),
    )
    assert "data-event" not in Parsed(still.split("<tbody>")[1]).attributes and "Peak RAM" not in still


def test_titles_and_brands_are_shown_as_people_write_them(toy_split: Split) -> None:
    items = len(toy_split.catalogue)
    catalogue = replace(
        toy_split.catalogue, titles=("Oil &amp; Balm",) * items, brands=("L&#39;Oreal",) * items
    )
    shown = Parsed(list_rows.history_table(replace(toy_split, catalogue=catalogue), 0)).text
    assert any("Oil & Balm" in text for text in shown) and any("L'Oreal" in text for text in shown)


def points(*triples: tuple[str, float, float]) -> list[Point]:
    return [
        Point(
            id=name,
            name=name,
            kind="generative",
            cost=cost,
            quality=quality,
            low=quality / 2,
            high=quality * 2,
        )
        for name, cost, quality in triples
    ]


def said(*triples: tuple[str, float, float], axis: str = "time", metric: str = "nDCG@5") -> str:
    made = points(*triples)
    return cost_points.sentence(made, AXES[axis], metric, cost_points.better_of(made, None))


def test_the_sentence_says_what_the_chart_shows() -> None:
    text = said(("A", 1, 0.05), ("B", 250, 0.06), ("C", 300, 0.01))
    assert "Best nDCG@5: B." in text and "Nothing within 250 times the wall time of A is better" in text
    assert "83 % of the best" in text and "2 of 3 runs are on the front" in text
    assert text.endswith("C takes 300 times the wall time of A, which is better.")
    assert "which is better." not in said(("A", 1, 0.05), ("B", 250, 0.06), ("C", 9, 0.01))
    assert "no other run is worth its cost" in said(("A", 1, 2), ("B", 2, 1))
    assert said(("A", 1, 2)) == "Only one run has both: A."
    fast = said(("A", 500, 0.05), ("B", 2, 0.06), axis="speed")
    assert "Nothing within 250 times the time a user of A is better" in fast


def test_what_noise_keeps_on_the_front_is_said() -> None:
    made = points(("cheap", 1, 0.29), ("best", 50, 0.30))
    better = np.zeros((2, 2), dtype=bool)
    text = cost_points.sentence(made, AXES["time"], "nDCG@5", better)
    assert text == (
        "Best nDCG@5: best. The data do not tell it from cheap, the cheapest of the 2 runs on the front."
    )
    html = cost_chart.figure(made, AXES["time"], "nDCG@5", better)
    assert 'class="faded"' not in html
    made = points(("cheap", 1, 0.29), ("best", 50, 0.30), ("waste", 90, 0.1))
    assert cost_chart.figure(made, AXES["time"], "nDCG@5").count('class="faded"') == 2  # once a width


def test_a_thousand_points_are_drawn_with_a_few_names() -> None:
    made = points(*((f"run {n}", 1 + n % 97, 0.01 + n / 2000) for n in range(1000)))
    svg = cost_chart.svg(made, AXES["time"], "nDCG@5", made[:40], width=1340, height=420)
    assert svg.count('class="target"') == 1000 and 6 <= svg.count('class="label"') <= 20
    assert svg.count("<title>") == 1000 and 'class="tip"' not in svg


@given(
    st.lists(st.tuples(hostile, st.floats(1e-6, 1e12), st.floats(1e-6, 1.0)), min_size=1, max_size=8),
    st.sampled_from(sorted(AXES)),
)
def test_the_chart_is_well_formed_and_every_point_is_in_it(
    drawn: list[tuple[str, float, float]], axis: str
) -> None:
    made = points(*drawn)
    for width in (380, 1080):
        svg = cost_chart.svg(made, AXES[axis], "nDCG@5", made[:2], width=width, height=440)
        root = ET.fromstring(re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", svg))
        assert {element.tag for element in root.iter()} <= {
            "svg",
            "g",
            "a",
            "path",
            "line",
            "rect",
            "circle",
            "text",
        }
        marks = [element for element in root.iter("g") if element.get("class", "").startswith("mark")]
        assert len(marks) == len(made)
        for mark in marks:
            x, y = map(float, re.findall(r"-?[\d.]+", mark.get("transform", ""))[:2])
            assert 0 <= x <= width and 0 <= y <= 440


def test_a_point_leads_to_its_run(sample_split: Split, tmp_path: Path) -> None:
    write_board(tmp_path, sample_split)
    newest, _ = board_rows.collapse(load_records(tmp_path).valid())
    frame = board_rows.leaderboard(newest, view="seen_removed", cutoff=5)
    made = cost_points.points_of(frame, "ndcg", AXES["time"], links=lambda run: f"?page=run&run={run}")
    assert len(made) == 6  # the cost-only row has no quality
    html = cost_chart.figure(made, AXES["time"], "nDCG@5")
    assert all(f'data-event="run" data-value="{point.id}"' in html for point in made)
    assert len(cost_points.points_of(frame, "ndcg", AXES["vram"], links=None)) == 2


def test_downloads_give_the_numbers_of_the_record(sample_split: Split, tmp_path: Path) -> None:
    stored = load_record(write_record(tmp_path, sample_split, "a_model"))
    record = stored.record
    assert record.metrics is not None
    frame = pd.read_csv(io.StringIO(downloads.metrics_csv(record)))
    row = frame[(frame["view"] == "seen_kept") & (frame["metric"] == "recall") & (frame["cutoff"] == 5)]
    assert row["value"].item() == record.metrics.seen_kept["recall@5"].value
    table = downloads.metrics_latex(record)
    assert "A\\_model" in table and table.count("\\\\") == 3 and "\\pm" in table
    assert f"{record.metrics.seen_removed['ndcg@10'].value:.3f}" in table
    entry = downloads.bibtex(record, stored.id)
    assert entry.startswith("@misc{a-model-20260102,") and entry.count("{") == entry.count("}")


@given(hostile)
def test_latex_never_sees_a_bare_special_character(text: str) -> None:
    escaped = downloads.latex_text(text)
    assert not re.search(r"(?<!\\)[%$#&_]", escaped)


def test_the_export_is_one_file_without_network_or_script(sample_split: Split, tmp_path: Path) -> None:
    results = tmp_path / "results"
    write_board(results, sample_split)
    write_hostile(results, sample_split)
    path = export(results, tmp_path / "site" / "deep", view="seen_removed", cutoff=10)
    assert [file.name for file in path.parent.iterdir()] == ["index.html"]
    html = path.read_text(encoding="utf-8")
    parsed = Parsed(html)
    assert not parsed.tags & {"script", "img", "link", "iframe", "object", "button"}
    assert {link for link in parsed.links if not link.startswith("#")} == {"https://example.org/llama-tiny"}
    assert all(f'id="{link[1:]}"' in html for link in parsed.links if link.startswith("#"))
    (heading,) = [text for text in parsed.text if "same-day purchases as in the file" in text][:1]
    assert "last item, 5 % validate" in heading
    assert not re.search(r"url\(|@import|//", re.sub(r"<!doctype[^>]*>", "", html.split("</style>")[0]))
    assert "LLaMA tiny, from scratch" in parsed.text and "nDCG@10" in parsed.text
    assert any("Nothing within" in text for text in parsed.text) and "&lt;script&gt;" in html
    again = export(results, tmp_path / "site" / "deep", view="seen_removed", cutoff=10)
    assert again.read_text(encoding="utf-8") == html


def test_the_export_says_what_is_missing(sample_split: Split, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no results folder"):
        export(tmp_path / "absent", tmp_path / "out", view="seen_kept", cutoff=5)
    with pytest.raises(RecordError, match="no records to show"):
        export(tmp_path, tmp_path / "out", view="seen_kept", cutoff=5)
    write_cost_only(tmp_path, sample_split, "llama-8b")
    assert export(tmp_path, tmp_path / "out", view="seen_kept", cutoff=5).is_file()
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ConfigError, match="cannot write"):
        export(tmp_path, tmp_path / "file", view="seen_kept", cutoff=5)


def test_the_command(sample_split: Split, tmp_path: Path) -> None:
    write_record(tmp_path / "results", sample_split, "a-model")

    command = [sys.executable, "-c", "from bench.cli import main; main()", "leaderboard"]
    done = subprocess.run(
        [*command, "export", "--to", "site"], check=False, capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "index.html").is_file() and "wrote site/index.html" in done.stdout
    for words, message in (
        (["export", "--to", "x", "--cutoff", "7"], "unknown cut-off '7'"),
        (["export", "--to", "x", "--view", "seen"], "did you mean 'seen_kept'"),
        (["--results", "absent"], "there is no results folder 'absent'"),
        (["--data-dir", "absent"], "there is no data folder 'absent'"),
    ):
        done = subprocess.run([*command, *words], check=False, capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 1 and message in done.stderr, done.stderr


def json_lines(split: Split, rankings: Rankings) -> bytes:
    item_ids = np.array(split.catalogue.item_ids, dtype=object)
    lines = [
        json.dumps({"user_id": user, "item_ids": item_ids[row[row >= 0]].tolist()})
        for user, row in zip(split.user_ids, rankings, strict=True)
    ]
    return "\n".join(lines).encode()


def test_an_upload_scores_as_the_harness_would(sample_split: Split, tmp_path: Path) -> None:
    rankings = make_rankings(sample_split, skill=0.2)
    upload = Upload(file_name="my lists.jsonl", content=json_lines(sample_split, rankings))
    entry = Entry(name="mine", kind="sequential", card=ModelCard())
    scored = session_submission.score(upload, entry, sample_split, {}, has_card=False)
    assert isinstance(scored, Scored)
    assert scored.stored.record.metrics == evaluate(sample_split, rankings)
    stored = load_record(write_record(tmp_path, sample_split, "mine", skill=0.2))
    for view, ranks in read_ranks(stored).items():
        np.testing.assert_array_equal(scored.compared.ranks[0][view], ranks)
    assert scored.stored.record.command == (
        "genrec-bench submit my_lists.jsonl --dataset sample --split leave-one-out --ties file "
        "--name mine --kind sequential"
    )


def test_a_bad_upload_gives_its_report_and_leaves_nothing(
    sample_split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_submission, "_MEMORY", tmp_path)
    entry = Entry(name="mine", kind="sequential", card=ModelCard())
    for content in (b"", b"\x00\x01", b"user_id,item_id\nnobody,P000\n", b"PAR1 broken"):
        upload = Upload(file_name="../../x.csv", content=content)
        found = session_submission.score(upload, entry, sample_split, {}, has_card=False)
        assert isinstance(found, Report) and not found.ok
    assert list(tmp_path.iterdir()) == []


def test_a_card_for_other_data_is_refused(sample_split: Split) -> None:
    upload = Upload(
        file_name="x.jsonl", content=json_lines(sample_split, make_rankings(sample_split, skill=0.1))
    )
    entry = Entry(name="mine", kind="sequential", card=ModelCard(fingerprint="0" * 64))
    with pytest.raises(BenchError, match="the card says that the lists were made for fingerprint"):
        session_submission.score(upload, entry, sample_split, {}, has_card=True)


@given(st.text(max_size=120))
def test_names_of_uploads_are_harmless(name: str) -> None:
    safe = session_submission.safe_name(name)
    assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,79}", safe), safe


def test_a_name_that_is_taken_is_refused() -> None:
    with pytest.raises(BenchError, match="belongs to a model of this harness"):
        Entry(name="last-item-text", kind="sequential")
