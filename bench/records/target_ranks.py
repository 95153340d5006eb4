"""Where each user's target stands in a run's lists: kept beside them as `<stem>.ranks.parquet`.

Every quality metric of a user is a function of this one number, so that runs are compared user by
user without the data set at hand and without reading the lists. Two int32 columns, `seen_kept` and
`seen_removed`, one row a test user in the order of the split: 1 for the first place, 0 for absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import RecordError
from bench.files.arrow import number_array, read_parquet, string_array
from bench.metrics.ranking import mean_quality, ranks_in_view
from bench.record import VIEWS, View
from bench.schema import Int32Array, Rankings, Split

if TYPE_CHECKING:
    from bench.records.store import StoredRecord

Ranks = Mapping[View, Int32Array]
"""The place of each user's target in both views, 0 where it is absent."""

_TOLERANCE = 1e-9


def ranks_table(split: Split, rankings: Rankings) -> Any:
    """Give the Arrow table of both views."""
    import pyarrow as pa

    return pa.table({view: number_array(ranks_in_view(rankings, split.test, view)) for view in VIEWS})


def outcomes_table(split: Split, view: View, ranks: Int32Array) -> Any:
    """Give the Arrow table of published outcomes: `user_id` and the ranks, (users,), of their one view.

    No ranked lists lie beside it that would say whose ranks these are, so it names the users.
    """
    import pyarrow as pa

    return pa.table({"user_id": string_array(split.written_user_ids), view: number_array(ranks)})


def read_ranks(stored: StoredRecord) -> dict[View, Int32Array]:
    """Read the ranks of both views, (users,) each; published outcomes stand for the view they lack.

    Raises RecordError if the file is missing or damaged, or does not give the record's own metrics.
    """
    published = stored.record.published_view
    views = VIEWS if published is None else (published,)
    table = read_parquet(stored.ranks_path, list(views))
    ranks: dict[View, Int32Array] = {}
    for view in views:
        column = np.asarray(table[view])
        if len(column) != stored.record.dataset.users or column.dtype != np.int32:
            raise RecordError(f"{stored.ranks_path.name} does not hold one whole number a user")
        if len(column) and not 0 <= column.min() <= column.max() <= stored.record.depth:
            raise RecordError(f"{stored.ranks_path.name} holds places outside 0..{stored.record.depth}")
        ranks[view] = column
        _check(stored, view, column)
    return ranks if published is None else dict.fromkeys(VIEWS, ranks[published])


def read_outcomes(stored: StoredRecord, split: Split) -> Int32Array:
    """Read published outcomes, (users,), having checked that they are of the users of this split."""
    view = stored.record.published_view
    if view is None or stored.record.dataset.fingerprint != split.fingerprint:
        raise RecordError(f"{stored.id} does not hold published outcomes of the split given")
    users = read_parquet(stored.ranks_path, ["user_id"])["user_id"]
    if not users.combine_chunks().equals(string_array(split.written_user_ids)):
        raise RecordError(f"{stored.ranks_path.name} does not name the users of the data set in their order")
    return read_ranks(stored)[view]


def _check(stored: StoredRecord, view: View, ranks: Int32Array) -> None:
    metrics = stored.record.metrics
    if metrics is None or not len(ranks):
        raise RecordError(f"{stored.id} has no metrics to compare")
    found = {
        name: abs(estimate.value - value)
        for name, value in mean_quality(ranks).items()
        if (estimate := getattr(metrics, view).get(name)) is not None and estimate.value is not None
    }
    for name, difference in found.items():
        if difference > _TOLERANCE:
            raise RecordError(f"{stored.ranks_path.name} disagrees with the record's {name} ({view})")
    if not found:
        raise RecordError(f"{stored.id} has no quality that its ranks could be checked by ({view})")
