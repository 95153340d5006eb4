"""`genrec-bench reproduce`: published figures beside our own, with the reason of each difference."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated

import typer

from bench.text_table import new_table, render

if TYPE_CHECKING:
    from bench.reproduction.kept_report import Reproduction


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
    from bench.reproduction.kept_report import save as keep
    from bench.reproduction.rerun import reproduce as rerun

    find_dataset(dataset)
    found = rerun(dataset, data_dir, grounding=grounding)
    typer.echo(as_text(found))
    if save:
        typer.echo(f"saved: {keep(found, results)}")


def as_text(found: Reproduction, width: int = 100) -> str:
    """Lay the report out, a table for what was run, and below each the reasons of its differences."""
    parts = [f"{found.dataset}, fingerprint {found.fingerprint[:12]}"]
    for (section, what), group in groupby(found.rows, key=lambda row: (row.section, row.what)):
        rows = list(group)
        table = new_table(["", "published", "ours", "difference", ""], left=(0, -1))
        for row in rows:
            verdict = {True: "agrees", False: "differs", None: ""}[row.agrees]
            difference = "-" if row.difference is None else f"{row.difference:+.8f}".rstrip("0").rstrip(".")
            table.add_row(row.metric, _figure(row.published), _figure(row.ours), difference, verdict)
        reasons = {row.why: row.metric for row in reversed(rows) if row.why}
        single = len(reasons) == 1
        lines = [f"why: {why}" if single else f"{metric}: {why}" for why, metric in reversed(reasons.items())]
        wrapped = [line for why in lines for line in wrap(why, width - 2)]
        parts.append(
            "\n".join(
                [*wrap(f"{section}: {what}", width), render(table, width), *(f"  {line}" for line in wrapped)]
            )
        )
    return "\n\n".join(parts)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}" if value >= 1 else f"{value:.8f}"
