"""`genrec-bench reproduce`: published figures beside our own, with the reason of each difference."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bench.reproduction.report import Reproduction


def register(app: typer.Typer) -> None:
    """Add the command `reproduce`."""
    app.command()(reproduce)


def reproduce(
    dataset: Annotated[str, typer.Option(help="Data set.")] = "beauty2014",
    results: Annotated[
        Path,
        typer.Option(envvar="GENREC_BENCH_RESULTS", help="Folder of the records, where the report is kept."),
    ] = Path("results"),
    data_dir: Annotated[Path | None, typer.Option(help="Folder that holds the data sets.")] = None,
    grounding: Annotated[
        bool,
        typer.Option("--grounding", help="Find the items of published texts by sentence embeddings too."),
    ] = False,
    save: Annotated[bool, typer.Option(help="Keep the report for the leaderboard.")] = True,
) -> None:
    """Rerun what needs no GPU and print published | ours | difference | why."""
    from bench.datasets.registry import find_dataset
    from bench.reproduction import report

    find_dataset(dataset)
    found = report.reproduce(dataset, data_dir, grounding=grounding)
    typer.echo(as_text(found))
    if save:
        typer.echo(f"saved: {report.save(found, results)}")


def as_text(found: Reproduction, width: int = 100) -> str:
    """Lay the report out by what was run, one line a figure."""
    lines = [f"{found.dataset}, fingerprint {found.fingerprint[:12]}"]
    for (section, what), group in groupby(found.rows, key=lambda row: (row.section, row.what)):
        rows = list(group)
        lines += ["", *wrap(f"{section}: {what}", width)]
        lines.append(f"  {'':<34}{'published':>12}{'ours':>14}{'difference':>14}")
        for row in rows:
            mark = {True: "  agrees", False: "  differs", None: ""}[row.agrees]
            published = "-" if row.published is None else _figure(row.published)
            difference = "-" if row.difference is None else f"{row.difference:+.8f}".rstrip("0").rstrip(".")
            ours = "-" if row.ours is None else _figure(row.ours)
            lines.append(f"  {row.metric:<34}{published:>12}{ours:>14}{difference:>14}{mark}")
            if len({other.why for other in rows}) > 1 and row.why:
                lines += wrap(row.why, width, initial_indent="    ", subsequent_indent="    ")
        if len({row.why for row in rows}) == 1 and rows[0].why:
            lines += wrap(rows[0].why, width, initial_indent="  why: ", subsequent_indent="  ")
    return "\n".join(lines)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:.8f}"
