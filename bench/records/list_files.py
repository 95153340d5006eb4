"""The ranked lists and the generated texts of a run, as Parquet files beside its record.

`<stem>.parquet`: `user_id`, `item_ids` (best first). `<stem>.texts.parquet`: `user_id`, `texts`,
`log_likelihoods`, `item_ids` (what each text found, null where nothing).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import RecordError
from bench.files.arrow import list_array, number_array, pick_strings, read_parquet, string_array
from bench.schema import NO_ITEM, Generations, Rankings, Split

if TYPE_CHECKING:
    import pandas as pd

    from bench.records.store import StoredRecord

_ENCODED = ("item_ids.list.element", "item_ids.list.item")
"""The items' column, as Arrow names it now and as it did before."""


def lists_table(split: Split, rankings: Rankings) -> Any:
    """Give the Arrow table of ranked lists, one row a test user."""
    import pyarrow as pa

    filled = rankings != NO_ITEM
    indptr = np.concatenate([[0], np.cumsum(filled.sum(axis=1))])
    item_ids = pick_strings(split.written_item_ids, rankings[filled])
    return pa.table(
        {"user_id": string_array(split.written_user_ids), "item_ids": list_array(indptr, item_ids)}
    )


def texts_table(split: Split, generations: Generations) -> Any:
    """Give the Arrow table of generated texts, one row a user."""
    import pyarrow as pa

    item_ids = pick_strings(split.catalogue.item_ids, generations.items, missing=NO_ITEM)
    columns = {
        "texts": string_array(generations.texts),
        "log_likelihoods": number_array(generations.log_likelihoods),
        "item_ids": item_ids,
    }
    table = {"user_id": string_array([split.user_ids[user] for user in generations.users])}
    table |= {name: list_array(generations.indptr, values) for name, values in columns.items()}
    return pa.table(table)


def read_lists(stored: StoredRecord, split: Split) -> Rankings:
    """Read the ranked lists as item rows, (users, depth), in the order of the split's users."""
    import pyarrow.compute as pc

    if stored.record.published_view is not None:
        raise RecordError(f"{stored.id} holds published outcomes: places of the targets, no ranked lists")
    if stored.record.dataset.fingerprint != split.fingerprint:
        raise RecordError(
            f"{stored.id} was measured on other data than the split given (fingerprints differ)"
        )
    table = read_parquet(stored.lists_path, ["user_id", "item_ids"], encoded=_ENCODED)
    users = pc.index_in(table["user_id"], value_set=string_array(split.written_user_ids))
    known = string_array(split.written_item_ids)
    items = np.concatenate(
        [np.empty(0, np.int32), *(_rows_of(part, known) for part in table["item_ids"].chunks)]
    )
    if users.null_count or (items == NO_ITEM).any():
        raise RecordError(f"{stored.lists_path.name} holds users or items that the data set does not have")
    lengths = np.asarray(pc.fill_null(pc.list_value_length(table["item_ids"]), 0))
    if len(lengths) and lengths.max() > stored.record.depth:
        raise RecordError(f"{stored.lists_path.name} holds lists longer than depth {stored.record.depth}")
    rankings = np.full((len(split.user_ids), stored.record.depth), NO_ITEM, dtype=np.int32)
    rows = np.repeat(np.asarray(users), lengths)
    columns = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    rankings[rows, columns] = items
    return rankings


def read_texts(stored: StoredRecord) -> pd.DataFrame | None:
    """Read the generated texts (user_id, texts, log_likelihoods, item_ids), or None if there are none."""
    if stored.record.texts_sha256 is None:
        return None
    columns = ["user_id", "texts", "log_likelihoods", "item_ids"]
    frame: pd.DataFrame = read_parquet(stored.texts_path, columns).to_pandas()
    return frame


def _rows_of(lists: Any, known: Any) -> NDArray[np.int32]:
    """Give the rows in `known` of the items in some lists, one list after the other; NO_ITEM: not known."""
    import pyarrow as pa
    import pyarrow.compute as pc

    items = lists.flatten()
    if not pa.types.is_dictionary(items.type):
        items = items.dictionary_encode()
    rows = np.append(
        np.asarray(pc.fill_null(pc.index_in(items.dictionary, value_set=known), NO_ITEM)), NO_ITEM
    )
    places: NDArray[np.int32] = rows[np.asarray(pc.fill_null(items.indices, NO_ITEM))]
    return places
