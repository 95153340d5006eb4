"""What people see: contrast by axe-core in both themes, pages on paper, long names, either direction."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from browsing import MARKS, Visit, free_port, serving
from record_factory import START, write_record

from bench.record import ModelInfo
from bench.schema import Split
from leaderboard.navigation import PAGES

pytestmark = MARKS
LONG = "Distilled-" * 11 + "model"
ARABIC = "نموذج \u202etxen eht"
A4_LANDSCAPE = {"width": 1047, "height": 718}
"""In pixels of the browser, without margins of 10 mm."""


@pytest.fixture(scope="module")
def odd_names(tmp_path_factory: pytest.TempPathFactory, sample_split: Split) -> Iterator[str]:
    """The app over runs of which one has a name of 115 letters, and one turns its text around."""
    folder = tmp_path_factory.mktemp("odd") / "board"
    for name, shown, skill in (("plain", "Plain", 0.3), ("long", LONG, 0.2), ("arabic", ARABIC, 0.1)):
        model = ModelInfo(name=name, kind="baseline", display_name=shown)
        write_record(folder, sample_split, name, skill=skill, model=model, created=START)
    port = free_port()
    command = [sys.executable, "-c", "from bench.cli import main; main()", "leaderboard", "--port", str(port)]
    with serving(command, folder, port) as address:
        yield address


def show_all(visit: Visit) -> None:
    """Make the window as large as the page, without Streamlit's bar above it: axe sees what is uncovered."""
    visit.page.add_style_tag(content=".stAppHeader { display: none !important; }")
    height = visit.page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    visit.page.set_viewport_size({"width": 1900, "height": height + 50})
    visit.page.wait_for_timeout(500)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_their_ground(browser: Any, board: str, scheme: str) -> None:
    """WCAG 2 AA, contrast of 4.5 : 1 among its rules; what a canvas draws is not seen by axe."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is missing"
    )
    visit = Visit(browser, board, 1280, scheme)
    rules = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa"]}}
    faults = []
    for name in PAGES:
        visit.open(f"?page={name}")
        show_all(visit)
        found = axe.Axe().run(visit.page, options=rules).response
        assert any(one["id"] == "color-contrast" for one in found["passes"]), "axe saw no text"
        for fault in found["violations"]:
            faults += [f"{name}: {fault['id']}: {node['html'][:200]}" for node in fault["nodes"]]
    visit.close()
    assert faults == []


def test_a_printed_page_holds_all_columns(browser: Any, board: str) -> None:
    visit = Visit(browser, board)
    for name in PAGES:
        visit.open(f"?page={name}")
        visit.page.emulate_media(media="print")
        visit.page.set_viewport_size(A4_LANDSCAPE)
        visit.page.wait_for_timeout(300)
        over = visit.page.locator(".scroll").evaluate_all(
            "boxes => boxes.map(box => box.scrollWidth - box.parentElement.clientWidth)"
        )
        assert all(pixels <= 1 for pixels in over), f"{name}: {over} pixels are cut"
        if name in ("leaderboard", "run"):
            paper = visit.page.pdf(prefer_css_page_size=True)
            assert len(re.findall(rb"/Type */Page\b", paper)) > 1, f"{name}: what is below the screen is lost"
        visit.page.emulate_media(media="screen")
        visit.page.set_viewport_size({"width": 1280, "height": 900})
    visit.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_a_long_name_pushes_no_number_away(browser: Any, odd_names: str, width: int) -> None:
    visit = Visit(browser, odd_names, width).open()
    wide = visit.page.locator("td[data-column=model]").evaluate_all(
        "cells => Math.max(...cells.map(cell => cell.getBoundingClientRect().width))"
    )
    assert wide <= min(340, 0.45 * width)
    if width > 1000:
        box = visit.page.locator("td[data-column=ndcg]").first.bounding_box()
        assert box is not None and box["x"] + box["width"] < width
    visit.close()


def test_a_name_that_turns_text_around_stays_in_its_cell(browser: Any, odd_names: str) -> None:
    visit = Visit(browser, odd_names).open()
    text = visit.page.locator("td[data-column=model]", has_text="نموذج").inner_text()
    assert "txen eht" in text and "\u202e" not in text
    visit.close()


def test_the_arrow_of_an_older_run_stands_beside_its_name(browser: Any, board: str) -> None:
    visit = Visit(browser, board).open("?older=last-item-text")
    arrow = "cell => getComputedStyle(cell.querySelector('.text'), '::before').content"
    row = visit.page.locator("tr.older")
    assert "↳" in row.locator("td[data-column=model]").evaluate(arrow)
    assert "↳" not in row.locator("td[data-column=select]").evaluate(arrow)
    visit.close()


def test_a_seventh_tick_drops_none(browser: Any, board: str) -> None:
    visit = Visit(browser, board).open()
    boxes = visit.page.locator("a[data-event=select]")
    assert boxes.count() == 7
    for row in range(6):
        boxes.nth(row).click()
        visit.page.locator("tr.marked").nth(row).wait_for()
        visit.settle()
    ticked = visit.query().count("runs=")
    boxes.nth(6).click()
    visit.page.get_by_text("6 runs are ticked, which is the most").wait_for()
    assert visit.query().count("runs=") == ticked == 6 and visit.page.locator("tr.marked").count() == 6
    visit.close()


def test_explore_draws_a_line_at_the_cut_off(browser: Any, board: str) -> None:
    visit = Visit(browser, board).open("?page=explore")
    places = []
    for cutoff in ("1", "5", "10", "20"):
        visit.open(f"?page=explore&k={cutoff}")
        places.append(visit.page.locator("tr.cut td[data-column=place]").inner_text())
    assert places == ["2", "6", "11", "21"]
    visit.close()


@pytest.mark.parametrize("metric", ["ndcg", "mrr"])
def test_a_phone_shows_the_ranked_metric_first_and_whole(browser: Any, board: str, metric: str) -> None:
    visit = Visit(browser, board, 390).open(f"?page=leaderboard&by={metric}")
    numbers = visit.page.locator("tbody tr").first.locator("td.number")
    assert numbers.first.get_attribute("data-column") == metric
    box = numbers.first.bounding_box()
    assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 390
    visit.close()


def test_a_phone_s_first_screen_holds_more_than_controls(browser: Any, board: str) -> None:
    visit = Visit(browser, board, 390).open("?page=leaderboard")
    controls = visit.page.locator(".stHorizontalBlock").first.bounding_box()
    chart = visit.page.locator("svg.chart:visible").first.bounding_box()
    assert controls is not None and controls["height"] < 844 / 3
    assert chart is not None and chart["y"] < 844
    visit.close()


def test_a_phone_breaks_no_text_word_by_word(browser: Any, board: str) -> None:
    """Texts of several words have room for some of them beside each other."""
    visit = Visit(browser, board, 390)
    for query in ("?page=run&tab=settings", "?page=protocol", "?page=compare", "?page=explore"):
        visit.open(query)
        narrow = visit.page.locator("td:not(.number)").evaluate_all(
            "cells => cells.filter(cell => cell.innerText.split(' ').length > 8"
            " && cell.getBoundingClientRect().width < 110).map(cell => cell.innerText)"
        )
        assert narrow == [], query
    visit.close()
