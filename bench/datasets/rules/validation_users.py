"""The validation users asked as if they were the test users, to score what others made for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bench.errors import DataError
from bench.schema import BoolArray, Examples, Histories, Split

_DAY = 86_400


def on_validation(split: Split) -> Split:
    """Give the split whose test users are the validation users of `split`; for scoring, not for records.

    The fingerprint stays: the data and what is learned from are the same. Raises DataError where there
    are no validation users.
    """
    asked = split.validation
    if not len(asked):
        raise DataError(f"{split.dataset}: the split {split.name} has no validation users")
    ids = (*split.user_ids, *split.other_user_ids)
    everyone = np.arange(len(asked), dtype=np.int32)
    return replace(
        split,
        name=f"{split.name}:validation",
        user_ids=tuple(ids[row] for row in asked.histories.users.tolist()),
        other_user_ids=(),
        test=replace(asked, histories=replace(asked.histories, users=everyone)),
        validation=Examples(histories=Histories.from_lists([]), targets=np.empty(0, dtype=np.int32)),
        same_day=_same_day(asked),
    )


def _same_day(examples: Examples) -> BoolArray:
    """Whether each target shares its day with the last item of its history; False where times are unknown."""
    histories, asked_at = examples.histories, examples.request_times
    shares = np.zeros(len(examples), dtype=np.bool_)
    begun = histories.lengths > 0
    if histories.times is not None and asked_at is not None:
        last = histories.times[histories.indptr[1:][begun] - 1]
        shares[begun] = last // _DAY == asked_at[begun] // _DAY
    return shares
