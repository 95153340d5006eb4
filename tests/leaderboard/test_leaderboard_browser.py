"""The app in a real browser: pages at desktop and phone width, clicks, links, uploads, hostile records."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from browsing import MARKS, Visit
from record_factory import make_rankings
from test_leaderboard_html import json_lines

from bench.schema import Split
from leaderboard.navigation import PAGES

pytestmark = MARKS


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_every_page_at_desktop_and_phone_width(browser: Any, board: str, width: int, scheme: str) -> None:
    visit = Visit(browser, board, width, scheme)
    for name in PAGES:
        visit.open(f"?page={name}")
        assert visit.page.locator("h1").first.is_visible()
        assert visit.page.locator("[data-testid=stException]").count() == 0
        over = visit.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert over <= 0, f"{name} is {over} pixels too wide"
    visit.close()


def test_there_is_one_menu(browser: Any, board: str) -> None:
    """Streamlit adds a side bar of its own where a folder `pages/` lies beside the app."""
    visit = Visit(browser, board).open()
    assert visit.page.locator("[data-testid=stSidebarNav]").count() == 0
    assert visit.page.locator(".menu a").count() == len(PAGES)
    visit.close()


def test_sorting_by_a_header_is_in_the_url_and_goes_back(browser: Any, board: str) -> None:
    visit = Visit(browser, board).open()
    ranked = visit.names()
    assert ranked[:3] == ["llama-twin", "llama-tiny", "last-item-text"]
    visit.page.locator("th[data-column=speed] button").click()
    visit.page.wait_for_url("**sort=-users_per_second**")
    visit.settle()
    visit.wait_for_first("random-items")
    assert visit.page.locator("th[data-column=speed]").get_attribute("aria-sort") == "descending"
    visit.page.locator("th[data-column=speed] button").click()
    visit.page.wait_for_url("**sort=users_per_second**")
    visit.settle()
    visit.wait_for_first("llama-8b")
    visit.page.go_back()
    visit.settle()
    visit.wait_for_first("random-items")
    visit.close()


def test_filtering_and_a_link_that_reproduces_it(browser: Any, board: str) -> None:
    visit = Visit(browser, board).open()
    search = visit.page.get_by_label("Search")
    search.fill("llama")
    search.press("Enter")
    visit.page.wait_for_url("**q=llama**")
    visit.page.get_by_text("kept", exact=True).click()
    visit.page.wait_for_url("**view=seen_kept**")
    visit.page.get_by_text("@10", exact=True).click()
    visit.page.wait_for_url("**k=10**")
    visit.settle()
    names, query = visit.names(), visit.query()
    assert sorted(names) == ["llama-8b", "llama-tiny", "llama-twin"]
    other = Visit(browser, board).open(f"?{query}")
    assert other.names() == names and other.query() == query
    assert other.page.locator("th[data-column=ndcg]").inner_text().startswith("nDCG@10")
    visit.close()
    other.close()


def test_the_menu_keeps_the_choices(browser: Any, board: str) -> None:
    visit = Visit(browser, board).open("?view=seen_kept&k=20")
    visit.page.locator(".menu").get_by_text("Quality and cost").click()
    visit.page.wait_for_url("**page=cost**")
    visit.settle()
    assert "view=seen_kept" in visit.query() and "k=20" in visit.query()
    assert "nDCG@20" in visit.page.locator(".sentence").inner_text()
    visit.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_a_click_on_a_point_opens_its_run(browser: Any, board: str, width: int) -> None:
    visit = Visit(browser, board, width).open("?page=cost")
    point = visit.page.locator("svg.chart:visible .target a").last  # the topmost, where points are close
    title = str(point.get_attribute("aria-label")).split(";")[0]
    point.click()
    visit.page.wait_for_url("**page=run**")
    visit.settle()
    assert title in visit.page.locator("td[data-column=wide]").first.inner_text()
    visit.close()


def test_a_point_shows_its_details_on_hover(browser: Any, board: str) -> None:
    visit = Visit(browser, board).open("?page=cost")
    tip = visit.page.locator("svg.chart:visible .tip").first
    assert not tip.is_visible()
    for _ in range(10):  # a chart that is drawn anew under the pointer has not seen it come
        visit.page.mouse.move(0, 0)
        visit.page.locator("svg.chart:visible .target a").first.hover()
        visit.page.wait_for_timeout(500)
        if tip.is_visible():
            break
    assert tip.is_visible()
    assert "Wall time" in str(tip.text_content())
    visit.close()


def test_older_records_and_a_run_are_one_click_away(browser: Any, board: str) -> None:
    visit = Visit(browser, board).open()
    visit.page.get_by_text("1 older").click()
    visit.page.wait_for_url("**older=last-item-text**")
    visit.settle()
    assert visit.page.locator("tr.older").count() == 1 and visit.names().count("last-item-text") == 2
    visit.page.locator("tr.older td[data-column=model] a").first.click()
    visit.page.wait_for_url("**page=run**")
    visit.settle()
    visit.page.get_by_text("with uncommitted changes").wait_for()
    visit.close()


def test_two_selected_runs_are_compared_and_a_user_is_explored(browser: Any, board: str) -> None:
    visit = Visit(browser, board).open()
    for row in (0, 2):
        visit.page.locator("a[data-event=select]").nth(row).click()
        visit.page.locator("tr.marked").nth(row // 2).wait_for()
        visit.settle()
    visit.page.get_by_role("button", name="Compare the selected (2)").click()
    visit.page.wait_for_url("**page=compare**")
    visit.settle()
    # the verdict of each metric; the charts' legends hold the same words
    assert visit.page.locator("table").get_by_text("A is better").count() == 3
    visit.page.locator("a[data-event=user]").first.click()
    visit.page.wait_for_url("**page=explore**")
    visit.settle()
    assert visit.page.get_by_text("✓ bought next").count() >= 1
    visit.close()


def test_uploads_good_and_bad(browser: Any, board: str, sample_split: Split, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.csv"
    good.write_bytes(json_lines(sample_split, make_rankings(sample_split, skill=0.45)))
    bad.write_text("user_id,item_id,rank\nnobody,<script>alert(1)</script>,1\n")
    visit = Visit(browser, board).open("?page=submit")
    for file, message in ((bad, "The file is refused"), (good, "The file is sound")):
        with visit.page.expect_response(lambda response: "upload_file" in response.url):
            visit.page.locator("input[type=file]").first.set_input_files(str(file))
        visit.page.get_by_text(file.name).first.wait_for()
        visit.settle()
        visit.page.get_by_role("button", name="Check and score").click()
        visit.page.get_by_text(message).wait_for()
        visit.settle()
        if file == bad:
            assert visit.page.get_by_text("users that are not in the data set").count() == 1
    assert "my-model" in visit.names()
    assert "genrec-bench submit good.jsonl" in visit.page.locator("[data-testid=stMain]").inner_text()
    visit.close()


def test_hostile_records_do_nothing(browser: Any, hostile: str) -> None:
    visit = Visit(browser, hostile)
    for name in PAGES:
        visit.open(f"?page={name}")
        assert visit.page.title() == "genrec-bench leaderboard"
        assert visit.page.locator("[data-testid=stException]").count() == 0
        assert visit.page.locator("[data-testid=stMain] img[src*=evil]").count() == 0
        scripts = visit.page.evaluate(
            "[...document.querySelectorAll('[data-testid=stMain] a')].map(a => a.href)"
            ".filter(href => href.startsWith('javascript:')).length"
        )
        assert scripts == 0
    visit.open()
    visit.page.get_by_text(re.compile("Not shown, because")).click()
    visit.page.get_by_text("schema version 9 is unknown").wait_for()
    visit.close()
