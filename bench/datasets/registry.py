"""Data sets by name: those of the table and those that a user added, found and read."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from bench.datasets.entries import DATASETS
from bench.datasets.entry import OWN, DatasetEntry
from bench.errors import BenchError, DataError, unknown_name
from bench.schema import Interactions, Wording

DATA_DIR_VARIABLE = "GENREC_BENCH_DATA"

OWN_INTRODUCTION = (
    "Below is a customer's purchase history, listed in chronological order (earliest to latest)."
)
"""First sentence of the prompts of own data, unless the user gave one."""

Reader = Callable[[Sequence[Path]], Interactions]


def find_dataset(name: str, data_dir: Path | None = None) -> DatasetEntry:
    """Look a data set up by name; an unknown one raises ConfigError naming the closest."""
    if name in DATASETS:
        return DATASETS[name]
    from bench.datasets.own import dataset_folder

    folder = resolve_data_dir(data_dir)
    folders = dataset_folder.own_folders(folder)
    if name not in folders:
        raise unknown_name("data set", name, [*DATASETS, *folders])
    return _own_entry(name, folders[name])


def available_datasets(data_dir: Path | None = None) -> dict[str, DatasetEntry]:
    """Give all data sets that have a name here; an own one that is damaged is left out."""
    from bench.datasets.own import dataset_folder

    found = {}
    for name, folder in dataset_folder.own_folders(resolve_data_dir(data_dir)).items():
        try:
            found[name] = _own_entry(name, folder)
        except DataError:
            continue
    return {**found, **DATASETS}


def display_name(name: str) -> str:
    """Name a data set for people; one that is not here by its name."""
    try:
        return find_dataset(name).display_name
    except BenchError:
        return name


def _own_entry(name: str, folder: Path) -> DatasetEntry:
    from bench.datasets.own import dataset_folder

    described = dataset_folder.read_description(folder)
    if described.name != name:
        raise DataError(f"{folder} holds the data set '{described.name}'; the folder must have its name")
    return DatasetEntry(
        name=name,
        display_name=described.display_name,
        family=OWN,
        folder=name,
        fingerprints={"file": described.fingerprint},
        private=described.private,
        wording=Wording(introduction=described.instruction or OWN_INTRODUCTION),
    )


def resolve_data_dir(data_dir: Path | None = None) -> Path:
    """Give the data folder: the argument, else $GENREC_BENCH_DATA, else the user's data folder."""
    if data_dir is not None:
        return data_dir.expanduser()
    if from_environment := os.environ.get(DATA_DIR_VARIABLE):
        return Path(from_environment).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("genrec-bench", appauthor=False))


def load(name: str, data_dir: Path | None = None) -> Interactions:
    """Read a data set by name; DataError says which file is missing or damaged, and where."""
    entry = find_dataset(name, data_dir)
    if entry.embedded:
        from bench.datasets.sample import make_sample

        return make_sample()
    if entry.own:
        from bench.datasets.own import dataset_folder

        found = dataset_folder.read(resolve_data_dir(data_dir) / entry.folder)
    else:
        module, _, function = entry.reader.partition(":")
        reader = cast("Reader", getattr(importlib.import_module(module), function))
        found = reader(raw_files(entry, data_dir))
    return replace(found, catalogue=replace(found.catalogue, wording=entry.wording))


def raw_files(entry: DatasetEntry, data_dir: Path | None = None) -> tuple[Path, ...]:
    """Find the files of a data set that has files; DataError says what is missing and how to get it."""
    folder = resolve_data_dir(data_dir) / entry.folder
    return tuple(_existing(entry, folder, file.name) for file in entry.files)


def is_here(entry: DatasetEntry, data_dir: Path | None = None) -> bool:
    """Whether all files of a data set are in the data folder."""
    folder = resolve_data_dir(data_dir) / entry.folder
    return all(any(path.is_file() for path in _places(folder, file.name)) for file in entry.files)


def _places(folder: Path, file: str) -> tuple[Path, ...]:
    """Give where a file may lie: as published, packed or unpacked."""
    plain = file.removesuffix(".gz")
    return (folder / file, folder / (plain if plain != file else f"{file}.gz"))


def _existing(entry: DatasetEntry, folder: Path, file: str) -> Path:
    for path in _places(folder, file):
        try:
            path.stat()
            return path
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}") from None
    get = (
        f"get it by `genrec-bench data download {entry.name}`"
        if all(source.addresses for source in entry.files)
        else f"get it from {entry.homepage}"
    )
    packed = "nor without" if file.endswith(".gz") else "nor with"
    raise DataError(
        f"{entry.name}: there is no file {folder / file} ({packed} .gz); {get}, or name the folder that "
        f"holds {entry.folder}/ by --data-dir or {DATA_DIR_VARIABLE}"
    )
