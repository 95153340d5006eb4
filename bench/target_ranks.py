"""Where each user's target stands in a run's lists: kept beside them as `<stem>.ranks.parquet`.

Every quality metric of a user is a function of this one number, so that runs are compared user by
user without the data set at hand and without reading the lists. Two int32 columns, `seen_kept` and
`seen_removed`, one row a test user in the order of the split: 1 for the first place, 0 for absent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bench.arrow import number_array, read_parquet
from bench.errors import RecordError
from bench.metrics import mean_quality, ranks_in_view
from bench.records import VIEWS, View
from bench.schema import Int32Array, Rankings, Split

if TYPE_CHECKING:
    from bench.store import StoredRecord

_TOLERANCE = 1e-9
_CHECKED = 20


def ranks_table(split: Split, rankings: Rankings) -> Any:
    """Give the Arrow table of both views."""
    import pyarrow as pa

    return pa.table({view: number_array(ranks_in_view(rankings, split.test, view)) for view in VIEWS})


def read_ranks(stored: StoredRecord) -> dict[View, Int32Array]:
    """Read the ranks of both views, (users,) each.

    Raises RecordError if the file is missing or damaged, or does not give the record's own metrics.
    """
    table = read_parquet(stored.ranks_path, list(VIEWS))
    ranks: dict[View, Int32Array] = {}
    for view in VIEWS:
        column = np.asarray(table[view])
        if len(column) != stored.record.dataset.users or column.dtype != np.int32:
            raise RecordError(f"{stored.ranks_path.name} does not hold one whole number a user")
        if len(column) and not 0 <= column.min() <= column.max() <= stored.record.depth:
            raise RecordError(f"{stored.ranks_path.name} holds places outside 0..{stored.record.depth}")
        ranks[view] = column
        _check(stored, view, column)
    return ranks


def _check(stored: StoredRecord, view: View, ranks: Int32Array) -> None:
    metrics = stored.record.metrics
    if metrics is None or not len(ranks):
        raise RecordError(f"{stored.id} has no metrics to compare")
    for name, value in mean_quality(ranks, [_CHECKED]).items():
        estimate = getattr(metrics, view).get(name)
        if estimate is None or estimate.value is None or abs(estimate.value - value) > _TOLERANCE:
            raise RecordError(f"{stored.ranks_path.name} disagrees with the record's {name} ({view})")
