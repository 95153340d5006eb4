"""The app's pages run headless, and what they show."""

from __future__ import annotations

import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

from streamlit.testing.v1 import AppTest

from bench.records.store import StoredRecord, load_records

APP = Path(__file__).parents[2] / "leaderboard" / "app.py"
Open = Callable[..., AppTest]
ALLOWED = {"div", "table", "caption", "thead", "tbody", "tr", "th", "td", "span", "small", "button", "a", "i",
           "svg", "rect"}  # fmt: skip


class Parsed(HTMLParser):
    """Tags, attribute names, links and text of some HTML."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.text: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def html_of(app: AppTest, key: str = "") -> str:
    """The HTML of the component with this key, or of all."""
    found = []
    for element in app.main:
        proto = getattr(element, "proto", None)
        if getattr(element, "type", "") == "bidi_component" and str(proto.id).endswith(key):
            found.append(json.loads(proto.json)["html"])
    return "".join(found)


def text_of(app: AppTest) -> str:
    kinds = (
        "title",
        "header",
        "subheader",
        "markdown",
        "caption",
        "text",
        "code",
        "info",
        "warning",
        "error",
        "success",
    )
    values = [str(element.value) for kind in kinds for element in app.get(kind)]
    return "\n".join([*values, *Parsed(html_of(app)).text])


def stored_runs(folder: Path) -> dict[str, StoredRecord]:
    """The newest record of each model."""
    return {one.record.model.name: one for one in load_records(folder).records[::-1]}
