"""A board of several screens in a real browser: pages of the table, a head that stays in sight."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from browsing import MARKS, Visit, free_port, serving
from record_factory import write_many

from bench.schema import Split
from leaderboard.cells.pager import ROWS
from leaderboard.state.places import AT_ONCE

pytestmark = MARKS
MODELS = AT_ONCE + 30


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory, sample_split: Split) -> Iterator[str]:
    """The app over more models than are compared at once."""
    folder = tmp_path_factory.mktemp("large-browser")
    write_many(folder / "board", sample_split, MODELS, models=MODELS)
    port = free_port()
    command = [sys.executable, "-c", "from bench.cli import main; main()", "leaderboard", "--port", str(port)]
    with serving(command, folder / "board", port) as address:
        yield address


def test_pages_are_one_click_apart_and_the_head_stays(browser: Any, large: str) -> None:
    visit = Visit(browser, large).open()
    first = visit.names()
    assert len(first) == ROWS
    visit.page.locator(".pager a", has_text="2").click()
    visit.page.wait_for_url("**p=2**")
    visit.page.locator(".pager a[aria-current=page]", has_text="2").wait_for()
    visit.settle()
    second = visit.names()
    assert len(second) == ROWS and not set(first) & set(second)
    box = visit.page.locator(".board .scroll")
    box.evaluate("box => box.scrollTo(0, box.scrollHeight)")
    head, table = (visit.page.locator(one).bounding_box() for one in (".board th >> nth=1", ".board .scroll"))
    assert head is not None and table is not None
    assert abs(head["y"] - table["y"]) < 3, "the head stays in sight"
    visit.page.locator(".board th[data-column=speed] button").click()
    visit.page.wait_for_url("**sort=**")
    assert "p=2" not in visit.query(), "another order starts at its first page"
    visit.page.go_back()
    visit.page.wait_for_url("**p=2**")
    visit.close()


def test_the_cost_page_of_a_large_board(browser: Any, large: str) -> None:
    visit = Visit(browser, large).open("?page=cost")
    assert visit.page.locator(".wide .target").count() == MODELS
    assert visit.page.locator(".wide .label").count() <= 20
    chart = visit.page.locator(".wide svg.chart").bounding_box()
    assert chart is not None and chart["y"] + chart["height"] < 900, "in one screen"
    visit.close()
