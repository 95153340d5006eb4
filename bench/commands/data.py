"""`genrec-bench data`: list, download, verify, describe and export the data sets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.commands import data_audit, own_data
from bench.datasets import find_dataset, load, resolve_data_dir
from bench.datasets.amazon.category_entries import AMAZON_2018, AMAZON_2023
from bench.datasets.registry import DATA_DIR_VARIABLE, available_datasets, is_here

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from bench.datasets.summary import Summary

_LONG_FAMILIES = (AMAZON_2018, AMAZON_2023)
NameArgument = Annotated[str, typer.Argument(help="Data set, as `data list` names it.")]
DataDirOption = Annotated[
    Path | None,
    typer.Option("--data-dir", help=f"Folder that holds the data sets' folders (else ${DATA_DIR_VARIABLE})."),
]
TiesOption = Annotated[
    str,
    typer.Option(
        "--ties", help="Order of purchases of one time: file | shuffled:<seed> | shuffled-day:<seed>."
    ),
]
SplitOption = Annotated[
    str, typer.Option("--split", help="loo | loo2 | time:<date or quantile> | time-loo[:<same>].")
]


class Format(StrEnum):
    """Layout of an export."""

    parquet = "parquet"
    dataset_dict = "dataset-dict"
    interactions = "interactions"
    interactions_csv = "interactions-csv"


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    app.add_typer(group, name="data")


group = typer.Typer(help="List, download, verify, describe, export and add data sets.", no_args_is_help=True)
own_data.register_on(group)
data_audit.register_on(group)


@group.command("list")
def list_datasets(
    data_dir: DataDirOption = None,
    everything: Annotated[
        bool, typer.Option("--all", help="The Amazon categories of 2018 and 2023 too, where not here.")
    ] = False,
) -> None:
    """List the data sets, their published size, and which of them are here."""
    folder = resolve_data_dir(data_dir)
    table = _table("name", "what", "users", "items", "purchases", "here")
    hidden = 0
    for entry in available_datasets(data_dir).values():
        found = is_here(entry, data_dir)
        if not everything and not found and entry.family in _LONG_FAMILIES:
            hidden += 1
            continue
        counts = entry.counts
        size = (
            ["-"] * 3
            if counts is None
            else [f"{n:,}" for n in (counts.users, counts.items, counts.interactions)]
        )
        here = "built in" if entry.embedded else "yours" if entry.own else "yes" if found else ""
        table.add_row(entry.name, entry.display_name, *size, here)
    console = _console()
    console.print(table)
    more = f" {hidden} more with --all (Amazon 2018 and 2023)." if hidden else ""
    console.print(f"\nSize: as published, where known.{more}")
    console.print(f"Data folder: {folder}", soft_wrap=True)


@group.command()
def download(
    name: NameArgument,
    data_dir: DataDirOption = None,
    mirror: Annotated[
        str | None,
        typer.Option(
            "--mirror", help="URL of a folder that holds the files, instead of where they are published."
        ),
    ] = None,
) -> None:
    """Download a data set, going on where an earlier download broke off, and check what arrived."""
    from bench.datasets.download import download as fetch_files

    entry = find_dataset(name, data_dir)
    console = _console()
    if entry.embedded or entry.own:
        console.print(f"{name} is {'yours' if entry.own else 'generated'}: there is nothing to download")
        return
    folder = resolve_data_dir(data_dir) / entry.folder
    with _progress(console):
        files = fetch_files(entry, folder, mirror=mirror)
    for file in files:
        note = "was here" if file.was_here else "arrived"
        console.print(
            f"{file.path} {note}, {file.size_bytes:,} bytes\n  sha256 {file.sha256}", soft_wrap=True
        )
    verify(name, data_dir)


@group.command()
def verify(name: NameArgument, data_dir: DataDirOption = None) -> None:
    """Say in one line whether a copy is the standard one; exit code 1 if it is not."""
    from bench.datasets.splits import leave_one_out
    from bench.datasets.verify import verify as compare

    entry = find_dataset(name, data_dir)
    interactions = load(name, data_dir)
    verdict = compare(entry, interactions, leave_one_out(interactions, dataset=name))
    _console().print(verdict.line, soft_wrap=True)
    if not verdict.standard:
        raise typer.Exit(1)


@group.command()
def stats(
    name: NameArgument, data_dir: DataDirOption = None, ties: TiesOption = "file", split: SplitOption = "loo"
) -> None:
    """Print what a data set holds: size, duplicates, ties, history lengths, titles."""
    from bench.datasets.splits import split_interactions
    from bench.datasets.summary import summarise

    find_dataset(name, data_dir)
    interactions = load(name, data_dir)
    made = split_interactions(interactions, dataset=name, ties=ties, split=split)
    _console().print(_summary_table(f"{name}, {made.name}, ties {ties}", summarise(interactions, made)))


@group.command()
def export(
    name: NameArgument,
    to: Annotated[Path, typer.Option("--to", help="New folder to write.")],
    layout: Annotated[
        Format,
        typer.Option(
            "--format",
            help="Parquet tables of the split, a Hugging Face DatasetDict, or all purchases and items as two "
            "tables that `data add` takes back.",
        ),
    ] = Format.parquet,
    for_submission: Annotated[
        bool, typer.Option("--for-submission", help="Histories, catalogue and prompts, without test targets.")
    ] = False,
    data_dir: DataDirOption = None,
    ties: TiesOption = "file",
    split_name: SplitOption = "loo",
) -> None:
    """Write the split and its prompts as files for other programs."""
    from bench.datasets import export as exports
    from bench.datasets.splits import load_split
    from bench.errors import ConfigError

    if for_submission and layout is not Format.parquet:
        raise ConfigError("--for-submission writes parquet only; leave out --format")
    find_dataset(name, data_dir)
    if layout in (Format.interactions, Format.interactions_csv):
        exports.export_interactions(load(name, data_dir), to, as_csv=layout is Format.interactions_csv)
        _console().print(f"{to}: all purchases and items of {name}", soft_wrap=True)
        return
    write = {Format.parquet: exports.export_parquet, Format.dataset_dict: exports.export_dataset_dict}[layout]
    if for_submission:
        write = exports.export_for_submission
    split = load_split(name, ties=ties, split=split_name, data_dir=data_dir)
    write(split, to)
    _console().print(
        f"{to}: {name}, {split.name}, ties {ties}, fingerprint {split.fingerprint}", soft_wrap=True
    )


def _summary_table(heading: str, summary: Summary) -> Table:
    table = _table(heading, "")
    quantiles = summary.history_quantiles
    labels = {0.0: "min", 0.5: "median", 1.0: "max"}
    history = [f"{labels.get(q, f'{q:.0%}')} {length}" for q, length in quantiles.items()]
    rows = [
        ("users", f"{summary.users:,}"),
        ("items", f"{summary.items:,}"),
        ("interactions", f"{summary.interactions:,}"),
        ("density", f"{summary.density:.3%}"),
        ("days", f"{summary.first_day} to {summary.last_day}"),
        ("exact duplicates, dropped", f"{summary.duplicates_dropped:,}"),
        (
            "items without metadata, dropped",
            f"{summary.undescribed_items:,} ({summary.undescribed_interactions:,} interactions)",
        ),
        (
            "items without title, dropped",
            f"{summary.untitled_items:,} ({summary.untitled_interactions:,} interactions)",
        ),
        ("users with under 3 purchases, dropped", f"{summary.users_dropped:,}"),
        (
            "last two purchases on one day",
            f"{summary.same_day_targets:,} users ({summary.same_day_targets / summary.test_users:.1%})",
        ),
        ("test users", f"{summary.test_users:,}"),
        ("validation users", f"{summary.validation_users:,}"),
        ("users without a purchase before the cut", f"{summary.unseen_users:,}"),
        ("test targets in no training sequence", f"{summary.unseen_targets:,}"),
        ("test history length", ", ".join(history)),
        (
            "titles shared by several items",
            f"{summary.shared_titles:,} (borne by {summary.items_with_shared_title:,} items)",
        ),
        ("fingerprint", summary.fingerprint),
    ]
    for row in rows:
        table.add_row(*row)
    return table


def _table(*headings: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for heading in headings:
        right = heading in ("users", "items", "purchases")
        table.add_column(
            heading, justify="right" if right else "left", overflow="fold", no_wrap=heading == "name"
        )
    return table


def _console() -> Console:
    from rich.console import Console

    return Console(markup=False, highlight=False)


@contextmanager
def _progress(console: Console) -> Iterator[None]:
    """Show what `bench.progress` reports in bytes as bars."""
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    from bench.progress import listening

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bars:
        tasks = {}

        def show(what: str, done: int, total: int, note: str) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what.removeprefix("download "), total=total or None)
            bars.update(tasks[what], completed=done)

        with listening(show):
            yield
