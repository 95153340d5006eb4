"""Tables for a terminal or a pipe, laid out by rich, as text."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


def new_table(headings: Sequence[str], *, left: Collection[int] = (0,)) -> Table:
    """Make a table with these headings; columns are flush right but those in `left`, and never cut."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column, heading in enumerate(headings):
        is_left = column in left or column - len(headings) in left
        table.add_column(heading, justify="left" if is_left else "right", overflow="fold")
    return table


def render(table: Table, width: int = 100) -> str:
    """Give the table as plain text, without blanks at the ends of lines."""
    import io

    from rich.console import Console

    console = Console(file=io.StringIO(), width=width, markup=False, highlight=False, color_system=None)
    console.print(table)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in lines).strip("\n")
