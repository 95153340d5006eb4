"""An own data set on disk: `<data folder>/<name>/` with `dataset.yaml` and three Parquet files.

`dataset.yaml` says where it came from: files and their hashes, options, guesses, counts, fingerprint.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench.errors import ConfigError, DataError
from bench.files.arrow import list_array, number_array, string_array
from bench.schema import Catalogue, Interactions

FILE_NAME = "dataset.yaml"
TABLES = ("users.parquet", "items.parquet", "interactions.parquet")
NAME_PATTERN = r"^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$"


class SourceFile(BaseModel):
    """A file that the data set was made from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    size_bytes: int
    sha256: str


class OwnDataset(BaseModel):
    """What `dataset.yaml` holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    name: str = Field(pattern=NAME_PATTERN)
    display_name: str = Field(max_length=120)
    private: bool = Field(default=False, description="Ids and titles stay out of records and of the board.")
    created: datetime
    sources: list[SourceFile]
    options: dict[str, Any]
    guesses: list[str] = []
    notes: list[str] = []
    """What was left out or looks odd, with counts."""
    users: int
    items: int
    interactions: int
    fingerprint: str = Field(description="Of the leave-one-out split, ties file.")
    instruction: str | None = Field(default=None, description="First sentence of the prompt.")


def write(dataset: OwnDataset, interactions: Interactions, folder: Path) -> None:
    """Write a new folder, whole or not at all; DataError where it exists."""
    from bench.datasets.export import new_data_folder

    with new_data_folder(folder) as target:
        _write_tables(interactions, target)
        text = yaml.safe_dump(dataset.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100)
        (target / FILE_NAME).write_text(text, encoding="utf-8")


def read_description(folder: Path) -> OwnDataset:
    """Read `dataset.yaml`; DataError where it is missing or damaged."""
    path = folder / FILE_NAME
    try:
        return OwnDataset.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValidationError) as error:
        raise DataError(f"{path} is damaged: {str(error).splitlines()[0]:.200}") from None


def read(folder: Path) -> Interactions:
    """Read the tables back; DataError where one is missing or damaged."""
    import pyarrow as pa

    try:
        users, items, rows = (_read(folder / name) for name in TABLES)
        counts = {name: len(table) for name, table in (("user", users), ("item", items))}
        codes = {name: rows[name].to_numpy() for name in ("user", "item", "time")}
        for name, count in counts.items():
            if len(codes[name]) and not 0 <= codes[name].min() <= codes[name].max() < count:
                raise DataError(f"{folder}: rows of interactions.parquet name a {name} that is not there")
        return Interactions(
            user_ids=tuple(users["user_id"].to_pylist()),
            catalogue=Catalogue(
                item_ids=tuple(items["item_id"].to_pylist()),
                titles=tuple(items["title"].to_pylist()),
                brands=tuple(items["brand"].to_pylist()),
                categories=tuple(map(tuple, items["categories"].to_pylist())),
                prices=tuple(items["price"].to_pylist()),
            ),
            users=codes["user"].astype(np.int32),
            items=codes["item"].astype(np.int32),
            timestamps=codes["time"].astype(np.int64),
            parts=rows["part"].to_numpy().astype(np.int8) if "part" in rows.column_names else None,
        )
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
        raise DataError(
            f"{folder} is damaged ({str(error).splitlines()[0]:.200}); add the data again"
        ) from None


def own_folders(data_dir: Path) -> dict[str, Path]:
    """Give the folders of own data sets by name; those that are damaged too."""
    try:
        return {path.parent.name: path.parent for path in sorted(data_dir.glob(f"*/{FILE_NAME}"))}
    except OSError:
        return {}


def remove(name: str, data_dir: Path) -> Path:
    """Delete an own data set; only files that `write` made, and only below the data folder."""
    folder = own_folders(data_dir).get(name)
    if folder is None:
        raise ConfigError(
            f"there is no data set of your own called '{name}' in {data_dir}. There are: "
            f"{', '.join(own_folders(data_dir)) or 'none'}"
        )
    if folder.is_symlink():
        raise ConfigError(f"{folder} is a link; remove it yourself")
    strange = sorted(path.name for path in folder.iterdir() if path.name not in (FILE_NAME, *TABLES))
    if strange:
        raise ConfigError(f"{folder} holds files that are not the data set's: {', '.join(strange):.200}")
    shutil.rmtree(folder)
    return folder


def source_file(path: Path) -> SourceFile:
    """Describe a file by name, size and hash."""
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return SourceFile(name=path.name, size_bytes=path.stat().st_size, sha256=digest)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None


def describe(
    name: str,
    display_name: str,
    interactions: Interactions,
    *,
    sources: Sequence[Path],
    options: Mapping[str, Any],
    guesses: Sequence[str],
    notes: Sequence[str],
    private: bool = False,
    instruction: str | None = None,
) -> OwnDataset:
    """Give the description of a new data set; DataError where nothing can be split."""
    from bench.datasets.splits import leave_one_out

    split = leave_one_out(interactions, dataset=name)
    return OwnDataset(
        name=name,
        display_name=display_name,
        private=private,
        created=datetime.now(UTC),
        sources=[source_file(path) for path in sources],
        options=dict(options),
        guesses=list(guesses),
        notes=list(notes),
        users=len(interactions.user_ids),
        items=len(interactions.catalogue),
        interactions=len(interactions),
        fingerprint=split.fingerprint,
        instruction=instruction,
    )


def _write_tables(interactions: Interactions, folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    catalogue = interactions.catalogue
    categories = [name for names in catalogue.categories for name in names]
    lengths = np.fromiter(map(len, catalogue.categories), dtype=np.int64, count=len(catalogue))
    tables = {
        "users": {"user_id": string_array(interactions.user_ids)},
        "items": {
            "item_id": string_array(catalogue.item_ids),
            "title": string_array(catalogue.titles),
            "brand": pa.array(catalogue.brands, pa.string()),
            "categories": list_array(np.concatenate([[0], np.cumsum(lengths)]), string_array(categories)),
            "price": pa.array(catalogue.prices, pa.float64()),
        },
        "interactions": {
            "user": number_array(interactions.users),
            "item": number_array(interactions.items),
            "time": pa.array(interactions.timestamps),
        },
    }
    if interactions.parts is not None:
        tables["interactions"]["part"] = pa.array(interactions.parts)
    for name, columns in tables.items():
        pq.write_table(pa.table(columns), folder / f"{name}.parquet", compression="zstd")


def _read(path: Path) -> Any:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, memory_map=False) as file:
        return file.read()
