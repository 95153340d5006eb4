"""Pieces of a file -> ranked lists of item rows, checked as they come, in bounded memory.

The rules, the same for every format: a rank orders the items, else a score, else the file. Equal scores keep
the order of the file. Padding and items masked by a score of minus infinity are left out. A user without a
single item is missing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.record import DEPTH
from bench.schema import NO_ITEM, BoolArray, FloatArray, Int32Array, Int64Array, Rankings, Split
from bench.submission.columns.content import id_text
from bench.submission.columns.list_cells import PADDING
from bench.submission.columns.ordering import Order
from bench.submission.columns.pieces import Piece
from bench.submission.directions import Directions
from bench.submission.missing import answered, report_users
from bench.submission.own_data import recognise
from bench.submission.report import Report, shown

BUFFER_ROWS = 4_000_000
"""Rows held before they are cut down to the best DEPTH a user."""


class ListBuilder:
    """Collects a submission's rows; `finish` gives the ranked lists and completes the report."""

    def __init__(
        self, split: Split, report: Report, order: Order, *, depth: int = DEPTH, allow_partial: bool = False
    ) -> None:
        import pyarrow as pa

        self._split, self._report, self._order = split, report, order
        self._depth, self._allow_partial = depth, allow_partial
        self._user_ids = pa.array(split.user_ids, pa.string())
        self._item_ids = pa.array(split.catalogue.item_ids, pa.string())
        users = len(split.user_ids)
        self._seen = np.zeros(users, dtype=bool)
        self._too_deep = np.zeros(users, dtype=bool)
        self._late = np.zeros(users, dtype=bool)
        """Users whose smallest rank is above 1."""
        self._reported: dict[str, BoolArray] = {}
        self._last_user = -1
        self._buffer: list[NDArray[Any]] = []
        self._held = 0
        self._directions = Directions(split, order)

    def add(self, piece: Piece) -> None:
        """Take the next piece of the file."""
        owners = self._codes(piece.users, self._user_ids, "user", piece.lines)
        if piece.whole:
            self._refuse_second_lists(owners, piece.lines, continues=False)
        elif self._order.kind == "file":
            starts = np.flatnonzero(np.diff(owners, prepend=-2))
            self._refuse_second_lists(owners[starts], piece.lines[starts], continues=True)
        self._seen[owners[owners >= 0]] = True
        lines = np.repeat(piece.lines, piece.lengths)
        items = self._codes(piece.items, self._item_ids, "item", lines)
        ranks = piece.ranks
        if ranks is not None:
            with np.errstate(invalid="ignore"):
                wrong = ~np.isnan(ranks) & ((ranks < 0) | (ranks != np.floor(ranks)) | (ranks > 2**53))
            self._report_rows("rank", "ranks that are no whole number from 0", wrong, lines, ranks)
        elif piece.whole and self._order.kind == "file":
            starts = np.repeat(np.cumsum(piece.lengths) - piece.lengths, piece.lengths)
            ranks = (np.arange(len(items)) - starts).astype(np.float64)
        self._hold(np.repeat(owners, piece.lengths), items, ranks, piece.scores, lines)

    def finish(self) -> Rankings:
        """Settle order, repeats and depth; report missing users; give (users, depth) item rows."""
        rows = self._settle()
        users, items = rows["user"], rows["item"]
        rankings = np.full((len(self._seen), self._depth), NO_ITEM, dtype=np.int32)
        position = _position(users)
        rankings[users, position] = items
        self._report.longest = max(self._report.longest, int(position.max(initial=-1)) + 1)
        self._report_depth()
        if 2 * self._late.sum() > self._seen.sum():
            places = (f"user {shown(self._split.user_ids[at])}" for at in np.flatnonzero(self._late))
            what = "users whose ranks begin above 1: the best items may be lost"
            self._report.warn("late-ranks", what, places, int(self._late.sum()))
        report_users(self._report, answered(rankings), self._split, allow_partial=self._allow_partial)
        self._directions.report(self._report, rankings)
        data = recognise(self._split, np.arange(len(rankings), dtype=np.int32), rankings)
        if data is not None:
            self._report.error("own-data", f"the lists are {data}, no recommendations", [self._report.file])
        if self._report.rows == 0:
            self._report.error("empty", "no recommended items at all", [self._report.file])
        return rankings

    def _codes(self, ids: Any, known: Any, what: str, lines: Int64Array) -> Int32Array:
        """Row numbers of ids, -1 for padding and for those that the data set lacks, which are reported."""
        import pyarrow.compute as pc

        codes: Int32Array = np.array(pc.fill_null(pc.index_in(ids, value_set=known), -1), dtype=np.int32)
        unknown = np.flatnonzero(codes < 0)
        if len(unknown):
            again = _spelled_out(pc.take(ids, unknown))
            codes[unknown] = np.asarray(pc.fill_null(pc.index_in(again, value_set=known), -1))
            padding = (
                np.asarray(pc.is_in(again, value_set=_padding())) if what == "item" else np.zeros(1, bool)
            )
            unknown = unknown[(codes[unknown] < 0) & ~padding]
        places = (f"{self._report.place} {lines[at]}: {shown(ids[int(at)].as_py())}" for at in unknown)
        hint = ""
        if 2 * len(unknown) > len(codes):
            hint = "Ids are those of the exported histories and catalogue, not row numbers of your own"
        self._report.error(
            f"unknown-{what}", f"{what}s that are not in the data set", places, len(unknown), hint
        )
        return codes

    def _refuse_second_lists(self, owners: Int32Array, lines: Int64Array, *, continues: bool) -> None:
        """Report lists of users who had one; `continues`: a piece may begin inside the last user's list."""
        known = np.flatnonzero(owners >= 0)
        if not len(known):
            return
        mine = owners[known]
        again = self._seen[mine].copy()
        again[np.setdiff1d(np.arange(len(mine)), np.unique(mine, return_index=True)[1])] = True
        if continues and known[0] == 0 and self._last_user == mine[0]:
            again[0] = False
        self._last_user = int(mine[-1]) if known[-1] == len(owners) - 1 else -1
        at = known[again]
        places = (
            f"{self._report.place} {lines[i]}: user {shown(self._split.user_ids[owners[i]])}" for i in at
        )
        self._report.error("repeated-user", "users with more than one list", places, len(at))

    def _hold(
        self,
        users: Int32Array,
        items: Int32Array,
        ranks: FloatArray | None,
        scores: FloatArray | None,
        lines: Int64Array,
    ) -> None:
        """Keep the rows that can be used."""
        usable = (users >= 0) & (items >= 0)
        if scores is not None:
            masked = usable & (scores == -np.inf)
            places = (f"{self._report.place} {line}" for line in lines[masked][:1])
            what = "items masked by an infinitely bad score, left out"
            self._report.warn("masked", what, places, int(masked.sum()))
            usable &= ~masked
        self._report.rows += int(usable.sum())
        if scores is not None:
            wrong = usable & ~np.isfinite(scores)
            if self._order.column is None and self._order.kind == "file":
                wrong &= ~np.isnan(scores)  # lists without scores beside lists with some
            self._report_rows("score", "scores that are NaN or infinite", wrong, lines, scores)
            usable &= ~wrong
        if ranks is not None:
            wrong = usable & ~np.isfinite(ranks)
            self._report_rows("rank", "ranks that are no whole number from 0", wrong, lines, ranks)
            usable &= ~wrong
        rows = np.empty(int(usable.sum()), dtype=_ROW)
        rows["user"], rows["item"], rows["line"] = users[usable], items[usable], lines[usable]
        rows["score"] = np.nan if scores is None else scores[usable]
        if ranks is not None:
            rows["order"] = ranks[usable]
        else:
            rows["order"] = 0.0 if scores is None else -scores[usable]
        self._directions.add(rows)
        self._buffer.append(rows)
        self._held += len(rows)
        if self._held > BUFFER_ROWS:
            self._buffer = [self._settle()]
            self._held = len(self._buffer[0])

    def _settle(self) -> NDArray[Any]:
        """Sort what is held, report what is wrong inside lists, keep the best `depth` a user."""
        rows = np.concatenate(self._buffer) if self._buffer else np.empty(0, dtype=_ROW)
        if not _is_sorted(rows):
            rows = rows[np.lexsort((rows["order"], rows["user"]))]
        rows = self._without_repeats(rows)
        follows = rows["user"][1:] == rows["user"][:-1]
        controls = self._report.controls
        by_score = controls.by_score
        if self._order.kind == "rank":
            tied = follows & (rows["order"][1:] == rows["order"][:-1])
            hint = f"To order by score, say {by_score}" if self._order.check is not None else ""
            starts = np.concatenate([[True], ~follows])[: len(rows)] & (rows["order"] > 1)
            self._late[rows["user"][starts]] = True
            what = "ranks given to several items of a user"
            self._report_users("repeated-rank", what, rows[1:][tied], hint=hint)
        if self._order.kind != "score":
            worse = follows & (rows["score"][1:] > rows["score"][:-1])
            is_rank = self._order.kind == "rank"
            what = "ranks that disagree with scores" if is_rank else "lists whose order disagrees with scores"
            hint = (
                f"Say {by_score}, with {controls.ascending} where the smallest is the best, or "
                f"{controls.by_rank if is_rank else controls.by_file}"
            )
            self._report_users("order-score", what, rows[1:][worse], hint=hint)
        if self._order.kind != "rank":
            equal = rows[1:][follows & (rows["score"][1:] == rows["score"][:-1])]
            what = "users with equal scores, kept in the order of the file"
            self._report_users("equal-scores", what, equal, error=False)
        position = _position(rows["user"])
        deep = position >= self._depth
        self._too_deep[rows["user"][deep]] = True
        self._report.longest = max(self._report.longest, int(position.max(initial=-1)) + 1)
        return rows[~deep]

    def _without_repeats(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Report an item that stands twice in a list and keep its better place."""
        pair = rows["user"].astype(np.int64) * len(self._item_ids) + rows["item"]
        ordered = np.sort(pair)
        if not (ordered[1:] == ordered[:-1]).any():
            return rows
        first = np.unique(pair, return_index=True)[1]
        keep = np.zeros(len(rows), dtype=bool)
        keep[first] = True
        self._report_users("repeated-item", "lists that hold an item twice", rows[~keep], item=True)
        return rows[keep]

    def _report_rows(
        self, kind: str, what: str, wrong: BoolArray, lines: Int64Array, values: FloatArray
    ) -> None:
        at = np.flatnonzero(wrong)
        places = (f"{self._report.place} {lines[i]}: {values[i]:g}" for i in at)
        self._report.error(kind, what, places, len(at))

    def _report_users(
        self,
        kind: str,
        what: str,
        rows: NDArray[Any],
        *,
        item: bool = False,
        error: bool = True,
        hint: str = "",
    ) -> None:
        """Report each user of these rows once, with the line of the first."""
        done = self._reported.setdefault(kind, np.zeros(len(self._seen), dtype=bool))
        users, first = np.unique(rows["user"], return_index=True)
        fresh = first[~done[users]]
        done[users] = True
        places = (self._row_place(rows[at], item) for at in np.sort(fresh))
        add = self._report.error if error else self._report.warn
        add(kind, what, places, len(fresh), hint)

    def _row_place(self, row: Any, item: bool) -> str:
        user = f"user {shown(self._split.user_ids[row['user']])}"
        what = f" item {shown(self._split.catalogue.item_ids[row['item']])}" if item else ""
        return f"{self._report.place} {row['line']}: {user}{what}"

    def _report_depth(self) -> None:
        users = np.flatnonzero(self._too_deep)
        places = (f"user {shown(self._split.user_ids[at])}" for at in users)
        what = f"lists longer than {self._depth}, cut to their best {self._depth}"
        self._report.warn("depth", what, places, len(users))


_ROW = np.dtype(
    [
        ("user", np.int32),
        ("item", np.int32),
        ("order", np.float64),
        ("score", np.float64),
        ("line", np.int64),
    ]
)


def _padding() -> Any:
    import pyarrow as pa

    return pa.array(PADDING, pa.string())


def _spelled_out(ids: Any) -> Any:
    """Give ids without blanks around them, and whole numbers without the fraction a data frame gave them."""
    import pyarrow as pa

    return pa.array([id_text(one) for one in ids.to_pylist()], pa.string())


def _is_sorted(rows: NDArray[Any]) -> bool:
    step = np.diff(rows["user"])
    return bool(((step > 0) | ((step == 0) & (np.diff(rows["order"]) >= 0))).all())


def _position(users: Int32Array) -> Int64Array:
    """Place of each row among its user's, from 0; rows are grouped by user."""
    starts = np.flatnonzero(np.diff(users, prepend=-1)) if len(users) else np.empty(0, dtype=np.int64)
    lengths = np.diff(np.append(starts, len(users)))
    return np.arange(len(users)) - np.repeat(starts, lengths)
