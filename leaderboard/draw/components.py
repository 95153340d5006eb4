"""The app's one custom component: shows HTML made by `html_table` or `cost_chart`, reports clicks."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

import streamlit as st

from leaderboard.cells.html_table import Event, asset

_THEME = """
:host { --ink: var(--st-text-color); --page: var(--st-background-color); --link: var(--st-link-color);
  font-family: var(--st-font); color: var(--ink); }
"""


def clickable(html: str, *, key: str) -> Event | None:
    """Show trusted HTML; give the event of a click that has just happened, else None."""
    digest = hashlib.sha256(html.encode()).hexdigest()
    result = _component()(data={"html": html, "digest": digest}, key=key, on_event_change=lambda: None)
    event = result.get("event")
    if not isinstance(event, dict) or not isinstance(event.get("value"), str):
        return None
    return Event(name=str(event.get("name")), value=event["value"])


@cache
def _component() -> Any:
    styles = _THEME + "".join(asset(name) for name in ("colours.css", "table.css", "chart.css", "menu.css"))
    return st.components.v2.component("genrec-bench.clickable", css=styles, js=asset("events.js"))
