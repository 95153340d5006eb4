"""The pages of the app, the menu, and moving between them. The page is a query parameter like the rest.

Streamlit's own pages have a path each; a link to such a path makes the browser ask for files below
it that do not exist, and going to a page clears the query. One address with everything in its query
has neither fault.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib import import_module
from typing import NoReturn

import streamlit as st

from leaderboard.draw.components import clickable
from leaderboard.state import url_state

PAGES: dict[str, str] = {
    "overview": "Overview",
    "leaderboard": "Leaderboard",
    "cost": "Quality and cost",
    "run": "Run",
    "compare": "Compare",
    "explore": "Explore",
    "reported": "Reported elsewhere",
    "submit": "Submit",
    "protocol": "Protocol",
}
HOME = "overview"
_BOARD_CHOICES = (
    "data",
    "data_fingerprint",
    "q",
    "kind",
    "hardware",
    "fits",
    "columns",
    "sort",
    "runs",
    "older",
)
"""A link without a page that holds one of these was made when the leaderboard was the first page."""
_WORDS = {
    "by": "metric",
    "data": "data set",
    "data_fingerprint": "fingerprint of the data",
    "k": "cut-off",
    "run": "record",
    "runs": "records",
    "ties": "order of same-day purchases",
}
"""What the choices in the URL are called, where their names do not say it."""


def run() -> None:
    """Draw the menu and the page that the URL names; each page's module is imported when it is drawn."""
    url_state.begin()
    first = "leaderboard" if any(url_state.get(name) for name in _BOARD_CHOICES) else HOME
    current = url_state.known("page", list(PAGES), first)
    event = clickable(_menu(current), key="menu")
    if event is not None and event.name == "page" and event.value in PAGES:
        open_page(event.value)
    notice = st.container()
    import_module(f"leaderboard.views.{current}_page").render()
    if misses := url_state.settle():
        with notice:
            st.warning("The link names what is not here; the page shows its own choice instead of:")
            st.text(
                "\n".join(f"{_WORDS.get(name, name)}: {', '.join(gone)}" for name, gone in misses.items())
            )


def open_page(name: str, **choices: str | Sequence[str]) -> NoReturn:
    """Go to a page, with these choices and those that the URL holds already."""
    url_state.put_all({"p": "", **choices, "page": name})
    st.rerun()


def run_href(record_id: str) -> str:
    """Give the address of a run's page that keeps the rest of the view."""
    return url_state.href(page="run", run=record_id)


def _menu(current: str) -> str:
    links = []
    for name, title in PAGES.items():
        here = ' aria-current="page"' if name == current else ""
        address = escape(url_state.href(page=name, p=""))
        links.append(f'<a href="{address}" data-event="page" data-value="{name}"{here}>{escape(title)}</a>')
    return f'<nav class="menu" aria-label="Pages">{"".join(links)}</nav>'
