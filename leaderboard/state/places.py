"""Each row's ranks and each board's standings, worked out once for all sessions.

A small board is worked out while the page waits; a large one in the background, and the page asks
again. Ranks are kept as small numbers: a thousand rows of Beauty take 45 MB.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import nullcontext
from dataclasses import replace
from threading import Lock, Thread
from typing import Any, cast

import numpy as np

from bench.comparison.board_standings import BoardStandings, compared_model_of, stand
from bench.comparison.paired import ComparedModel
from bench.record import View
from bench.records.store import StoredRecord
from bench.records.target_ranks import Ranks

AT_ONCE = 150
"""Rows up to which a page waits: well under a second."""
KEPT_ROWS, KEPT_BOARDS = 3000, 12

_lock, _one_at_a_time = Lock(), Lock()
_rows: OrderedDict[tuple[str, ...], ComparedModel | str] = OrderedDict()
_boards: OrderedDict[tuple[Any, ...], Future[BoardStandings]] = OrderedDict()


def compared_model(stored: StoredRecord) -> ComparedModel | str:
    """Give a run to compare, or why it cannot be compared."""
    key = (stored.id, str(stored.path), str(bool(stored.held_back)))
    with _lock:
        found = _rows.get(key)
    if found is None:
        found = compared_model_of(stored)
        if isinstance(found, ComparedModel):
            found = replace(found, ranks=tuple(_small(ranks) for ranks in found.ranks))
        with _lock:
            _rows[key] = found
            while len(_rows) > KEPT_ROWS:
                _rows.popitem(last=False)
    return found


def standings(records: Sequence[StoredRecord], metric: str, view: View) -> Future[BoardStandings]:
    """Give the standing of each record that has ranks, by its id; done, if the board is a small one."""
    key = (tuple(sorted(f"{one.path} {bool(one.held_back)}" for one in records)), metric, view)
    with _lock:
        known = _boards.get(key)
        if known is None:
            known = _boards[key] = Future()
            work = Thread(target=_work_out, args=(records, metric, view, known), daemon=True)
            work.start()
        _boards.move_to_end(key)
        while len(_boards) > KEPT_BOARDS:
            _boards.popitem(last=False)
    if len(records) <= AT_ONCE:
        known.exception()
    return known


def _work_out(
    records: Sequence[StoredRecord], metric: str, view: View, found: Future[BoardStandings]
) -> None:
    try:
        # a large board takes a hundred megabytes while it is worked out; a small one waits for none
        with _one_at_a_time if len(records) > AT_ONCE else nullcontext():
            found.set_result(stand(records, metric=metric, view=view, load=compared_model))
    except BaseException as error:
        found.set_exception(error)


def _small(ranks: Ranks) -> Ranks:
    """Keep ranks in the smallest whole numbers that hold them; they count, index and compare as before."""
    small: dict[str, Any] = {}
    for view, column in ranks.items():
        small[view] = column.astype(np.min_scalar_type(int(column.max(initial=0))))
    return cast(Ranks, small)
