"""Which rows of a long table are shown, and the way to the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

ROWS = 50
"""Rows on a page."""


@dataclass(frozen=True, kw_only=True)
class Pager:
    """One page of `total` rows, numbered from 1."""

    page: int
    total: int

    @property
    def pages(self) -> int:
        """Number of pages, one at least."""
        return max(1, -(-self.total // ROWS))

    @property
    def rows(self) -> slice:
        """The rows shown."""
        return slice((self.page - 1) * ROWS, self.page * ROWS)

    @property
    def last(self) -> bool:
        """Whether no page follows."""
        return self.page == self.pages


def pager(asked: str, total: int) -> Pager:
    """Give the page asked for, or the nearest that there is."""
    page = int(asked) if asked.isascii() and asked.isdigit() else 1
    return Pager(page=min(max(page, 1), Pager(page=1, total=total).pages), total=total)


def pager_html(shown: Pager, links: Callable[[str], str]) -> str:
    """Render the way to the other pages; `links` makes a page's address. Empty where there is one page."""
    if shown.pages == 1:
        return ""
    wanted = {1, shown.page - 1, shown.page, shown.page + 1, shown.pages}
    pages = sorted(page for page in wanted if 1 <= page <= shown.pages)
    parts, before = [], 0
    for page in pages:
        parts += ["<span>…</span>"] if page > before + 1 else []
        here = ' aria-current="page"' if page == shown.page else ""
        address = escape(links(str(page)))
        parts.append(f'<a href="{address}" data-event="p" data-value="{page}"{here}>{page}</a>')
        before = page
    first, last = shown.rows.start + 1, min(shown.rows.stop, shown.total)
    said = f"Rows {first:,}–{last:,} of {shown.total:,}"
    return f'<nav class="pager" aria-label="Pages of the table"><span>{said}</span>{"".join(parts)}</nav>'
