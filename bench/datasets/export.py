"""A split as files for other programs: parquet tables, or a Hugging Face `DatasetDict`.

The texts are those of `bench.datasets.prompts`; this module lays out columns:
train has `reviewer_id, text`; validation and test have `reviewer_id, ptext, text, seen_asins, asin,
asin_text`, where `ptext` is the prompt, `text` the prompt with the target's line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bench.datasets.prompts import example_texts, prompts, training_texts
from bench.datasets.protocol_facts import SIDECAR, parquet_metadata, protocol_facts
from bench.errors import DataError, Unavailable
from bench.files.atomic import new_folder
from bench.retrieval.item_text import item_texts
from bench.schema import Catalogue, Examples, Histories, Interactions, Split


def export_parquet(split: Split, folder: Path) -> None:
    """Write train, validation, test and catalogue as parquet, and what they are as `dataset.json`."""
    texts = item_texts(split.catalogue)
    with new_data_folder(folder) as target:
        for name, table in _tables(split, texts).items():
            _write(table, target / f"{name}.parquet", split)
        _write(_catalogue_table(split.catalogue, texts), target / "catalogue.parquet", split)
        _write_facts(split, target)


def export_dataset_dict(split: Split, folder: Path) -> None:
    """Write a `DatasetDict` (train, validation, test) by its `save_to_disk`; needs `datasets`."""
    try:
        from datasets import Dataset, DatasetDict
    except ImportError:
        raise Unavailable(
            "writing a DatasetDict needs the package datasets: pip install 'genrec-bench[export]'"
        ) from None
    texts = item_texts(split.catalogue)
    tables = _tables(split, texts)
    with new_data_folder(folder) as target:
        DatasetDict({name: Dataset(table) for name, table in tables.items()}).save_to_disk(str(target))


def export_for_submission(split: Split, folder: Path) -> None:
    """Write what a model may see, and no test target.

    `histories` (user_id, item_ids oldest first, prompt) is what to answer, one list a user; `train`
    (user_id, item_ids) and `validation` (user_id, item_ids, target_id) are what to learn from.
    """
    import pyarrow as pa

    texts = item_texts(split.catalogue)
    histories, validation = split.test.histories, split.validation
    answer = {
        "user_id": split.user_ids,
        "item_ids": _id_lists(histories, split.catalogue),
        "prompt": prompts(histories, texts, wording=split.catalogue.wording),
    }
    learn = {
        "user_id": _ids(_all_users(split), split.train.users),
        "item_ids": _id_lists(split.train, split.catalogue),
    }
    choose = {
        "user_id": _ids(_all_users(split), validation.histories.users),
        "item_ids": _id_lists(validation.histories, split.catalogue),
        "target_id": _ids(split.catalogue.item_ids, validation.targets),
    }
    with new_data_folder(folder) as target:
        for name, columns in (("histories", answer), ("train", learn), ("validation", choose)):
            _write(pa.table(columns), target / f"{name}.parquet", split)
        _write(_catalogue_table(split.catalogue, texts), target / "catalogue.parquet", split)
        _write_facts(split, target)


def export_interactions(interactions: Interactions, folder: Path, *, as_csv: bool = False) -> None:
    """Write all purchases (user_id, item_id, timestamp) in file order, and the items, as two tables.

    A user without a purchase, whom a split leaves out too, is not in them.
    """
    import pyarrow as pa
    import pyarrow.csv as pc

    catalogue = interactions.catalogue
    purchases = {
        "user_id": _ids(interactions.user_ids, interactions.users),
        "item_id": _ids(catalogue.item_ids, interactions.items),
        "timestamp": pa.array(interactions.timestamps),
    }
    items = {
        "item_id": catalogue.item_ids,
        "title": catalogue.titles,
        "brand": pa.array(catalogue.brands, pa.string()),
        "categories": pa.array(catalogue.categories, pa.list_(pa.string())),
        "price": pa.array(catalogue.prices, pa.float64()),
    }
    if as_csv:
        items["categories"] = ["|".join(names) for names in catalogue.categories]
    with new_data_folder(folder) as target:
        for name, columns in (("interactions", purchases), ("items", items)):
            if as_csv:
                pc.write_csv(pa.table(columns), target / f"{name}.csv")
            else:
                _write(pa.table(columns), target / f"{name}.parquet", None)


def _tables(split: Split, texts: Sequence[str]) -> dict[str, Any]:
    import pyarrow as pa

    train = {
        "reviewer_id": _ids(_all_users(split), split.train.users),
        "text": training_texts(split.train, texts, wording=split.catalogue.wording),
    }
    return {
        "train": pa.table(train),
        "validation": _example_table(split, split.validation, texts),
        "test": _example_table(split, split.test, texts),
    }


def _example_table(split: Split, examples: Examples, texts: Sequence[str]) -> Any:
    import pyarrow as pa

    return pa.table(
        {
            "reviewer_id": _ids(_all_users(split), examples.histories.users),
            "ptext": prompts(examples.histories, texts, wording=split.catalogue.wording),
            "text": example_texts(examples, texts, wording=split.catalogue.wording),
            "seen_asins": _id_lists(examples.histories, split.catalogue),
            "asin": _ids(split.catalogue.item_ids, examples.targets),
            "asin_text": _ids(texts, examples.targets),
        }
    )


def _catalogue_table(catalogue: Catalogue, texts: Sequence[str]) -> Any:
    import pyarrow as pa

    return pa.table(
        {
            "item_id": catalogue.item_ids,
            "title": catalogue.titles,
            "brand": pa.array(catalogue.brands, pa.string()),
            "categories": pa.array(catalogue.categories, pa.list_(pa.string())),
            "price": pa.array(catalogue.prices, pa.float64()),
            "text": texts,
        }
    )


def _all_users(split: Split) -> tuple[str, ...]:
    return split.user_ids + split.other_user_ids


def _ids(names: Sequence[str], rows: np.ndarray) -> Any:
    """Give the names of these rows as an arrow column."""
    import pyarrow as pa

    return pa.array(names, pa.string()).take(pa.array(rows))


def _id_lists(histories: Histories, catalogue: Catalogue) -> Any:
    """Give each history as a list of item ids, as an arrow column."""
    import pyarrow as pa

    offsets = pa.array(histories.indptr.astype(np.int32))
    return pa.ListArray.from_arrays(offsets, _ids(catalogue.item_ids, histories.items))


def _write(table: Any, path: Path, split: Split | None) -> None:
    """Write a table that says of which protocol it is, if it is of one."""
    import pyarrow.parquet as pq

    if split is not None:
        table = table.replace_schema_metadata(parquet_metadata(split))
    pq.write_table(table, path, compression="zstd")


def _write_facts(split: Split, folder: Path) -> None:
    facts = {
        **protocol_facts(split),
        "users": len(split.user_ids),
        "items": len(split.catalogue),
        "interactions": split.interactions,
    }
    (folder / SIDECAR).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


@contextmanager
def new_data_folder(folder: Path) -> Iterator[Path]:
    """Give a temporary folder that becomes `folder` if all goes well; an existing one is left alone."""
    if folder.exists():
        raise DataError(f"{folder} exists already; name a new folder")
    try:
        with new_folder(folder) as temporary:
            yield temporary
    except OSError as error:
        raise DataError(f"cannot write {folder}: {error.strerror or error}") from None
