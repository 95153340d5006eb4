"""`genrec-bench reported`: numbers published elsewhere, with source and protocol."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bench.reported.rows import ReportedRow


def register(app: typer.Typer) -> None:
    """Add the command `reported`."""

    @app.command()
    def reported(
        dataset: Annotated[str, typer.Argument(help="Data set, e.g. beauty2014.")] = "beauty2014",
        source: Annotated[str | None, typer.Option(help="Only this row or source, e.g. gpt4rec.")] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """Print the numbers that others reported for a data set, with their protocol."""
        from bench.errors import unknown_name
        from bench.reported.rows import find_reported, load_reported
        from bench.reported.text import reported_table

        rows = load_reported(dataset) if source is None else find_reported(source, dataset)
        if not rows:
            known = {row.dataset for row in load_reported()}
            raise unknown_name("data set with reported numbers", dataset, known)
        if as_json:
            content = [row.model_dump() | {"interval": _intervals(row)} for row in rows]
            typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
            return
        width = min(max(shutil.get_terminal_size((100, 24)).columns, 80), 120)
        typer.echo(reported_table(rows, width))


def _intervals(row: ReportedRow) -> dict[str, tuple[float, float] | None]:
    return {name: row.interval(name) for name in row.metrics}
