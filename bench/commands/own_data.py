"""`genrec-bench data add` and `data remove`: data sets of one's own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.datasets import DATASETS, resolve_data_dir
from bench.datasets.registry import DATA_DIR_VARIABLE
from bench.errors import ConfigError

if TYPE_CHECKING:
    from bench.datasets.own.dataset_folder import OwnDataset
    from bench.datasets.own.faults import Faults

PART_FILES = (("train", "training"), ("valid", "validation", "val", "dev"), ("test",))
"""What the files of a split made elsewhere are called, without their endings."""

DataDirOption = Annotated[
    Path | None,
    typer.Option("--data-dir", help=f"Folder that holds the data sets' folders (else ${DATA_DIR_VARIABLE})."),
]


def register_on(group: typer.Typer) -> None:
    """Add the commands to the group `data`."""
    group.command()(add)
    group.command()(remove)


def add(
    name: Annotated[str, typer.Argument(help="Name to give it: letters, digits, '.', '_', '-'.")],
    interactions: Annotated[
        Path | None,
        typer.Option(help="Table of purchases: CSV, TSV, JSON, Parquet, RecBole .inter; also gzipped."),
    ] = None,
    items: Annotated[
        Path | None, typer.Option(help="Table of items; without it the purchases hold the titles.")
    ] = None,
    splits: Annotated[
        Path | None,
        typer.Option(help="Instead of --interactions: a folder with train, valid and test tables."),
    ] = None,
    user: Annotated[str | None, typer.Option(help="Column of users, where the guess is not right.")] = None,
    item: Annotated[str | None, typer.Option(help="Column of items, in the purchases.")] = None,
    key: Annotated[str | None, typer.Option(help="Column of items, in the table of items.")] = None,
    time: Annotated[
        str | None, typer.Option(help="Column of times; 'none': the order of the file stands for it.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Column of titles.")] = None,
    brand: Annotated[str | None, typer.Option(help="Column of brands.")] = None,
    category: Annotated[str | None, typer.Option(help="Column of categories.")] = None,
    price: Annotated[str | None, typer.Option(help="Column of prices.")] = None,
    text: Annotated[
        str | None, typer.Option(help="Title made of columns, such as '{name} ({year}), {genre}'.")
    ] = None,
    core: Annotated[
        int, typer.Option(min=0, help="Leave out users and items with fewer purchases, repeatedly.")
    ] = 0,
    min_history: Annotated[
        int, typer.Option(min=0, help="Leave out users with fewer items before their last.")
    ] = 0,
    dedupe: Annotated[
        bool, typer.Option("--dedupe", help="Keep a user's first purchase of an item, leave out later ones.")
    ] = False,
    zone: Annotated[str, typer.Option(help="Time zone of times that name none.")] = "UTC",
    display_name: Annotated[str | None, typer.Option(help="Name shown to people.")] = None,
    instruction: Annotated[
        str | None, typer.Option(help="First sentence of the prompts: what the history is a history of.")
    ] = None,
    private: Annotated[
        bool, typer.Option("--private", help="Keep ids and titles out of records and of the board.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and report, add nothing.")] = False,
    data_dir: DataDirOption = None,
) -> None:
    """Add data of your own: from then on every command takes `--dataset NAME`."""
    from bench.datasets.own import dataset_folder
    from bench.datasets.own.build import build
    from bench.datasets.own.faults import Faults
    from bench.datasets.own.join import Options

    folder = resolve_data_dir(data_dir) / name
    check_name(name, folder)
    sources = _parts(splits) if splits else (interactions,) if interactions else ()
    if not sources or (splits and interactions):
        raise ConfigError("name a table by --interactions, or a folder of train, valid and test by --splits")
    _check_zone(zone)
    given = {"user": user, "item": item, "key": key, "time": time, "title": title, "brand": brand,
             "category": category, "price": price}  # fmt: skip
    options = Options(
        interactions=sources,
        items=items,
        columns={role: column for role, column in given.items() if column is not None},
        text=text,
        core=core,
        min_history=min_history,
        dedupe=dedupe,
        zone=zone,
    )
    faults = Faults()
    made = build(options, faults)
    described = dataset_folder.describe(
        name,
        display_name or name,
        made,
        sources=[*sources, *([items] if items else [])],
        options=options.as_given(),
        guesses=faults.guesses,
        notes=[str(note) for note in faults.notes],
        private=private,
        instruction=instruction,
    )
    _say(described, faults)
    if dry_run:
        typer.echo("dry run: nothing was added")
        return
    dataset_folder.write(described, made, folder)
    typer.echo(f"added: {folder}\n  pytest bench --benchmark --dataset {name}{_source_hint(splits)}")


def remove(
    name: Annotated[str, typer.Argument(help="Name of a data set of your own.")],
    data_dir: DataDirOption = None,
) -> None:
    """Delete a data set that was added; the files it was made from are not touched."""
    from bench.datasets.own import dataset_folder

    if name in DATASETS:
        raise ConfigError(f"'{name}' is not your own data set; delete its files yourself")
    typer.echo(f"removed {dataset_folder.remove(name, resolve_data_dir(data_dir))}")


def check_name(name: str, folder: Path) -> None:
    """Raise ConfigError for a name that a new data set may not have."""
    from bench.datasets.own.dataset_folder import NAME_PATTERN

    if not re.fullmatch(NAME_PATTERN, name) or ".." in name:
        raise ConfigError(
            f"data set name {name[:80]!r} is not allowed: 1 to 64 lower-case letters, digits, '.', '_', '-', "
            "with a letter or digit at both ends"
        )
    if name in DATASETS:
        raise ConfigError(f"'{name}' is the name of a known data set; choose another")
    if folder.exists():
        raise ConfigError(f"{folder} exists; `genrec-bench data remove {name}` first, or choose another name")


def _check_zone(zone: str) -> None:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise ConfigError(f"--zone {zone!r} is no time zone; such as UTC or Europe/Berlin") from None


def _parts(folder: Path) -> tuple[Path, ...]:
    """Find the three tables of a split made elsewhere."""
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise ConfigError(f"--splits {folder}: {error.strerror}") from None
    found = []
    for names in PART_FILES:
        own = [path for path in files if set(re.split(r"[._-]", path.name.lower())) & set(names)]
        if len(own) != 1:
            raise ConfigError(
                f"--splits {folder} needs one file called {names[0]}, such as {names[0]}.csv; there are: "
                f"{', '.join(path.name for path in own or files) or 'none'}"
            )
        found.append(own[0])
    return tuple(found)


def _say(described: OwnDataset, faults: Faults) -> None:
    lines: Sequence[str] = [
        *(f"guessed: {line}" for line in faults.guesses),
        *(f"note: {note}" for note in faults.notes),
        f"{described.name}: {described.users:,} users, {described.items:,} items, "
        f"{described.interactions:,} purchases, fingerprint {described.fingerprint[:12]}",
    ]
    typer.echo("\n".join(lines))


def _source_hint(splits: Path | None) -> str:
    return " --split source" if splits else ""
