"""An HTML table from plain cells. The one place where record content becomes HTML, and is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

from leaderboard.frames import formatting


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column: `key` names it in events, an empty `sort` means that it cannot be sorted by."""

    key: str
    label: str
    note: str = ""
    """Unit or cut-off, under the label."""
    sort: str = ""
    numeric: bool = True


@dataclass(frozen=True, kw_only=True)
class Event:
    """What a click reports: ('run', '<id>'); `href` opens the same view in a new tab."""

    name: str
    value: str
    href: str = ""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """An interval on the column's axis, as shares (0 to 1) of its length."""

    low: float
    value: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Badge:
    """A short mark behind a cell's text; the tone is one of '', 'good', 'warn', 'bad'."""

    text: str
    tone: str = ""
    title: str = ""
    event: Event | None = None


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell: text, a smaller second line, an interval bar, badges, and what a click reports."""

    text: str
    note: str = ""
    bar: Bar | None = None
    kind: str = ""
    """Model kind, for its colour."""
    badges: tuple[Badge, ...] = ()
    event: Event | None = None
    href: str = ""
    title: str = ""
    tone: str = ""
    """Colours the whole cell: one of '', 'good', 'bad'."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """Cells in the order of the columns; `state` is one of '', 'older', 'marked', 'separate'.

    Where there are fewer cells than columns, the last one spans the rest.
    """

    cells: Sequence[Cell]
    state: str = ""


def render(columns: Sequence[Column], rows: Sequence[Row], *, sort: str = "", caption: str = "") -> str:
    """Render the table; `sort` is the key sorted by, with '-' in front where largest come first."""
    head = "".join(_header(column, sort) for column in columns)
    head = f"<thead><tr>{head}</tr></thead>" if any(column.label for column in columns) else ""
    body = "".join(_row(columns, row) for row in rows)
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f'<div class="scroll" tabindex="0"><table>{title}{head}<tbody>{body}</tbody></table></div>'


def asset(name: str) -> str:
    """Read a style sheet or script of the package."""
    return (files("leaderboard") / "assets" / name).read_text(encoding="utf-8")


def shown(text: str) -> str:
    """Escape text from outside, without characters that would turn the text after them around."""
    return escape(formatting.without_directions(text))


def safe_link(url: str) -> str:
    """Give the address if it is plain http(s), else nothing (a record may hold anything)."""
    return url if url.startswith(("https://", "http://")) else ""


def _header(column: Column, sort: str) -> str:
    direction = {column.sort: "ascending", f"-{column.sort}": "descending"}.get(sort) if column.sort else None
    note = f"<small>{escape(column.note)}</small>" if column.note else ""
    label = f"<span>{shown(column.label)}</span>{note}"
    if column.sort:
        label = f'<button type="button" data-event="sort" data-value="{escape(column.sort)}">{label}</button>'
    order = f' aria-sort="{direction}"' if direction else ""
    align = ' class="number"' if column.numeric else ""
    return f'<th scope="col" data-column="{escape(column.key)}"{align}{order}>{label}</th>'


def _row(columns: Sequence[Column], row: Row) -> str:
    """Render a row; of fewer cells than columns the last one, a text, spans the rest."""
    cells = [_cell(column, cell) for column, cell in zip(columns, row.cells, strict=False)]
    if rest := len(columns) - len(row.cells):
        cells[-1] = _cell(Column(key="rest", label="", numeric=False), row.cells[-1], span=rest + 1)
    state = f' class="{escape(row.state)}"' if row.state else ""
    return f"<tr{state}>{''.join(cells)}</tr>"


def _cell(column: Column, cell: Cell, *, span: int = 1) -> str:
    text = _linked(shown(cell.text), cell.event, cell.href, cell.title)
    if cell.kind:
        text = f'<i class="dot kind-{escape(cell.kind)}"></i>{text}'
    text += "".join(_badge(badge) for badge in cell.badges)
    note = f"<small>{shown(cell.note)}</small>" if cell.note else ""
    bar = _bar(cell.bar) if cell.bar else ""
    title = f' title="{escape(cell.title)}"' if cell.title else ""
    classes = " ".join(name for name in ("number" if column.numeric else "", escape(cell.tone)) if name)
    align = f' class="{classes}"' if classes else ""
    wide = f' colspan="{span}"' if span > 1 else ""
    head = f'<td data-column="{escape(column.key)}"{align}{wide}{title}>'
    return f'{head}<span class="text">{text}</span>{bar}{note}</td>'


def _linked(html: str, event: Event | None, href: str, title: str) -> str:
    if event is not None:
        address = f' href="{escape(event.href)}"' if event.href else ' role="button" tabindex="0"'
        address += "" if html else f' aria-label="{escape(title)}"'
        return f'<a{address} data-event="{escape(event.name)}" data-value="{escape(event.value)}">{html}</a>'
    if link := safe_link(href):
        return f'<a href="{escape(link)}" target="_blank" rel="noopener noreferrer">{html}</a>'
    return html


def _badge(badge: Badge) -> str:
    title = f' title="{escape(badge.title)}"' if badge.title else ""
    text = _linked(shown(badge.text), badge.event, "", badge.title)
    return f'<span class="badge {escape(badge.tone)}"{title}>{text}</span>'


def _bar(bar: Bar) -> str:
    low, value, high = (100 * min(max(share, 0.0), 1.0) for share in (bar.low, bar.value, bar.high))
    return (
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="fill" x="0" y="2" width="{value:.2f}" height="6"/>'
        f'<rect class="interval" x="{low:.2f}" y="3.6" width="{max(high - low, 0.6):.2f}" height="2.8"/>'
        f'<rect class="value" x="{min(max(value - 0.6, 0), 98.8):.2f}" y="1" width="1.2" height="8"/></svg>'
    )
