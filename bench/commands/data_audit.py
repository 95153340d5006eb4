"""`genrec-bench data audit` and `data make`: what is in a data set, and shops to try things on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.datasets import find_dataset, load, resolve_data_dir
from bench.datasets.registry import DATA_DIR_VARIABLE
from bench.errors import ConfigError, DataError

if TYPE_CHECKING:
    from bench.datasets.audit.data_audit import DataAudit

DataDirOption = Annotated[
    Path | None,
    typer.Option("--data-dir", help=f"Folder that holds the data sets' folders (else ${DATA_DIR_VARIABLE})."),
]


def register_on(group: typer.Typer) -> None:
    """Add the commands to the group `data`."""
    group.command()(audit)
    group.command()(make)


def audit(
    name: Annotated[str, typer.Argument(help="Data set, as `data list` names it.")],
    split: Annotated[str, typer.Option(help="loo | loo2 | time:<date or quantile> | time-loo.")] = "loo",
    ties: Annotated[str, typer.Option(help="file | shuffled:<seed> | shuffled-day:<seed>.")] = "file",
    results: Annotated[
        Path, typer.Option(envvar="GENREC_BENCH_RESULTS", help="Folder of the records.")
    ] = Path("results"),
    keep: Annotated[bool, typer.Option(help="Keep it beside the records, for the board.")] = True,
    data_dir: DataDirOption = None,
) -> None:
    """Say what in a data set helps or misleads; exit code 1 where something is learned from the future."""
    from bench.datasets.audit.data_audit import audit_data, file_name
    from bench.datasets.splits import split_interactions
    from bench.files.atomic import replace_text
    from bench.record import VERSION_FOLDER

    find_dataset(name, data_dir)
    interactions = load(name, data_dir)
    made = split_interactions(interactions, dataset=name, ties=ties, split=split)
    found = audit_data(made, interactions)
    typer.echo(as_text(found))
    if keep:
        path = results / VERSION_FOLDER / name / file_name(made.fingerprint)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_text(path, found.model_dump_json(indent=1) + "\n")
        except OSError as error:
            raise DataError(f"cannot write {path}: {error.strerror or error}") from None
        typer.echo(f"kept: {path}")
    if found.leaks:
        raise typer.Exit(1)


def as_text(found: DataAudit) -> str:
    """Lay an audit out for a terminal."""
    from textwrap import wrap

    lines = [f"{found.dataset}, {found.split}, ties {found.ties}, fingerprint {found.fingerprint[:12]}"]
    for finding in found.findings:
        lines += ["", f"{finding.verdict.upper():<8} {finding.name}"]
        for text in (finding.what, finding.means):
            lines += wrap(text, 100, initial_indent="         ", subsequent_indent="         ")
    return "\n".join(lines)


def make(
    name: Annotated[str, typer.Option(help="Name to give it.")] = "made",
    users: Annotated[float, typer.Option(min=1, help="Users, such as 2e6.")] = 1_000,
    items: Annotated[float, typer.Option(min=1, help="Items, such as 1e6.")] = 500,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    zipf: Annotated[float, typer.Option(min=0, help="Exponent of popularity; 0: all alike.")] = 0.8,
    follow: Annotated[float, typer.Option(help="Chance of going on inside a family of items.")] = 0.5,
    same_day: Annotated[float, typer.Option(help="Chance of buying on the day of the last.")] = 0.1,
    repeats: Annotated[float, typer.Option(help="Chance of buying the item before again.")] = 0.0,
    duplicate_titles: Annotated[float, typer.Option(help="Share of items with another's title.")] = 0.0,
    arrivals: Annotated[float, typer.Option(help="Share of items sold only in the last fifth.")] = 0.0,
    shared_words: Annotated[bool, typer.Option(help="Whether families share words.")] = True,
    data_dir: DataDirOption = None,
) -> None:
    """Generate a shop of any size and add it as a data set of your own."""
    from dataclasses import asdict

    from bench.commands.own_data import check_name
    from bench.datasets.own import dataset_folder
    from bench.datasets.own.shops import Shop, make_shop

    folder = resolve_data_dir(data_dir) / name
    check_name(name, folder)
    for what, count in (("users", users), ("items", items)):
        if count != int(count) or count > 2**31 - 1:
            raise ConfigError(f"--{what} is a whole number up to 2^31 - 1, got {count}")
    shop = Shop(users=int(users), items=int(items), seed=seed, zipf=zipf, follow=follow, same_day=same_day,
                repeats=repeats, duplicate_titles=duplicate_titles, arrivals=arrivals,
                shared_words=shared_words)  # fmt: skip
    made = make_shop(shop)
    described = dataset_folder.describe(
        name, f"Generated shop ({name})", made, sources=[], options=asdict(shop), guesses=[], notes=[]
    )
    dataset_folder.write(described, made, folder)
    typer.echo(
        f"{folder}: {described.users:,} users, {described.items:,} items, {described.interactions:,} "
        f"purchases, fingerprint {described.fingerprint[:12]}"
    )
