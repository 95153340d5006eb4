"""`genrec-bench results`: list, show and tabulate the records."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.errors import RecordError

if TYPE_CHECKING:
    from bench.records.store import StoredRecord

ResultsOption = Annotated[
    Path, typer.Option("--results", envvar="GENREC_BENCH_RESULTS", help="Folder of the records.")
]
DEFAULT_RESULTS = Path("results")


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    app.add_typer(group, name="results")


group = typer.Typer(help="List, show and check the records of results/.", no_args_is_help=True)


@group.command("list")
def list_records(results: ResultsOption = DEFAULT_RESULTS) -> None:
    """List every record, newest first, and what could not be read."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from bench.labels import HEADLINE, VIEW_SHORT, estimate_text, metric_label
    from bench.record import VIEWS
    from bench.records.store import load_records

    loaded = load_records(_existing(results))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    shown = HEADLINE[0]
    figures = [f"{metric_label(shown)} {VIEW_SHORT[view]}" for view in VIEWS]
    for name in ("record", "ties", *figures, "note"):
        table.add_column(name, overflow="fold", no_wrap=name == "record" and not os.isatty(1))
    for stored in loaded.records:
        metrics = stored.record.metrics
        table.add_row(
            stored.id,
            stored.record.dataset.ties,
            *(estimate_text(getattr(metrics, view).get(shown) if metrics else None) for view in VIEWS),
            _note(stored),
        )
    console = Console(markup=False, width=max(140, Console().width) if not os.isatty(1) else None)
    console.print(table)
    for problem in loaded.problems:
        console.print(f"not shown: {problem.path}: {problem.message}")
    console.print(f"{len(loaded.records)} records, {len(loaded.problems)} not readable")


@group.command()
def show(
    record: Annotated[
        str, typer.Argument(help="Id as `results list` prints it, or the start of its file name.")
    ],
    results: ResultsOption = DEFAULT_RESULTS,
) -> None:
    """Print one record as JSON."""
    from bench.records.store import find_record

    typer.echo(find_record(_existing(results), record).record.model_dump_json(indent=1))


@group.command()
def table(
    results: ResultsOption = DEFAULT_RESULTS,
    update_readme: Annotated[
        bool, typer.Option("--update-readme", help="Write it into the READMEs.")
    ] = False,
    readme: Annotated[
        list[Path] | None,
        typer.Option(help="The README to update (default: README.md and results/README.md)."),
    ] = None,
) -> None:
    """Print the results table as Markdown, made from the newest valid records."""
    from bench.comparison.readme_tables import markdown_table
    from bench.comparison.readme_tables import update_readme as update
    from bench.records.store import load_records

    if update_readme:
        for path in readme or (Path("README.md"), results / "README.md"):
            changed = update(path, _existing(results))
            typer.echo(f"{path}: {'updated' if changed else 'already up to date'}")
        return
    typer.echo(markdown_table(load_records(_existing(results)).valid()))


def _existing(results: Path) -> Path:
    if not results.is_dir():
        raise RecordError(f"there is no results folder '{results}'; give one with --results")
    return results


def _note(stored: StoredRecord) -> str:
    if stored.invalid is not None:
        return f"invalid: {stored.invalid.reason}"
    from bench.marks import marks

    return ", ".join(mark.text for mark in marks(stored.record))
