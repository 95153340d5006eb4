"""The ranks beside the lists: they give the record's own metrics, and a wrong file is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from toy_record import RANKINGS, make_record

from bench.errors import RecordError
from bench.metrics.ranking import mean_quality
from bench.record import VIEWS
from bench.records import store
from bench.records.store import StoredRecord
from bench.records.target_ranks import read_ranks
from bench.schema import Split


@pytest.fixture
def stored(toy_split: Split, tmp_path: Path) -> StoredRecord:
    return store.load_record(store.write(make_record(toy_split), toy_split, RANKINGS, None, tmp_path))


def test_ranks_are_the_places_of_the_targets_in_both_views(stored: StoredRecord) -> None:
    ranks = read_ranks(stored)
    # u0 wants 3: [3, 0]; u1 wants 4: [4, 5, 6]; u2 wants 2: [2]; u3 nothing; u4 wants 4: [4, 1, 0];
    # u5 wants 7: [7, 2, 3]: every list that holds anything has its target first.
    assert ranks["seen_kept"].tolist() == [1, 1, 1, 0, 1, 1]
    assert ranks["seen_removed"].tolist() == [1, 1, 1, 0, 1, 1]


def test_ranks_give_the_metrics_of_the_record(stored: StoredRecord) -> None:
    assert stored.record.metrics is not None
    for view in VIEWS:
        metrics = getattr(stored.record.metrics, view)
        for name, value in mean_quality(read_ranks(stored)[view]).items():
            shallow = name.partition("@")[2] != "1"  # the lists hold three items
            assert metrics[name].value == (None if shallow else value)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"seen_kept": [1, 1, 1, 0, 1], "seen_removed": [1, 1, 1, 0, 1]}, "one whole number a user"),
        ({"seen_kept": [1.0] * 6, "seen_removed": [1.0] * 6}, "one whole number a user"),
        ({"seen_kept": [9] * 6, "seen_removed": [1] * 6}, "outside 0..3"),
        ({"seen_kept": [-1] * 6, "seen_removed": [1] * 6}, "outside 0..3"),
        ({"seen_kept": [1] * 6, "seen_removed": [1] * 6}, "disagrees with the record's"),
        ({"seen_kept": [1, 1, 1, 0, 1, 1]}, "not readable"),
    ],
)
def test_a_file_that_is_not_the_records_own_is_refused(
    stored: StoredRecord, columns: dict[str, list[float]], message: str
) -> None:
    arrays = {name: np.array(values) for name, values in columns.items()}
    typed = {name: a if a.dtype == np.float64 else a.astype(np.int32) for name, a in arrays.items()}
    pq.write_table(pa.table(typed), stored.ranks_path)
    with pytest.raises(RecordError, match=message):
        read_ranks(stored)


def test_a_missing_file_is_named(stored: StoredRecord) -> None:
    stored.ranks_path.unlink()
    with pytest.raises(RecordError, match="ranks.parquet is not readable"):
        read_ranks(stored)
