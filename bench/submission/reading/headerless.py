"""Names for the columns of a table that has none: told by what stands in them.

TREC runs (six columns), runs of five columns, and the tables of three that Elliot, MS MARCO and others
write. A column of numbers is called a rank or a score only where the order of the file says the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from bench.submission.reading.table import Known

TREC = ("user", "Q0", "item", "rank", "score", "tag")


def name_columns(rows: Sequence[Sequence[object]], known: Known) -> tuple[str, ...]:
    """Name the columns of these rows; what cannot be told is 'column 4'."""
    width = len(rows[0])
    columns = [[row[at] if at < len(row) else None for row in rows] for at in range(width)]
    named = [f"column {at + 1}" for at in range(width)]
    user = _first(columns, known.users, 0)
    if user is None:
        return TREC if is_trec(rows[0]) else tuple(named)
    item = _first(columns, known.items, user + 1)
    if item is None:  # the item stands before the user
        item = _first(columns[:user], known.items, 0)
    named[user] = "user"
    rest = [at for at in range(width) if at != user]
    if len(rest) > 1 and all(_is_wide(columns[at], known) for at in rest):
        for place, at in enumerate(rest, 1):
            named[at] = f"item_{place}"
        return tuple(named)
    if item is None:
        return tuple(named)
    named[item] = "item"
    numeric = [at for at in range(width) if at not in (user, item) and _numbers(columns[at]) is not None]
    numeric = [at for at in numeric if at > item or width < 4]  # Q0 stands before the item, and may be 0
    users = list(map(str, columns[user]))
    if len(numeric) == 2 and width >= 5:
        named[numeric[0]], named[numeric[1]] = "rank", "score"
    elif len(numeric) == 1:
        named[numeric[0]] = _order_name(users, _numbers(columns[numeric[0]]) or []) or named[numeric[0]]
    return tuple(named)


def _is_wide(column: Sequence[object], known: Known) -> bool:
    """Whether a column may be one place of a wide table: items, and no numbers, which could be anything."""
    return _first([column], known.items, 0) is not None and _numbers(column) is None


def is_trec(row: Sequence[object]) -> bool:
    """Whether a row has the six columns of a TREC run, with numbers for rank and score."""
    return len(row) >= 6 and _numbers([row[3], row[4]]) is not None


def _first(columns: Sequence[Sequence[object]], ids: object, start: int) -> int | None:
    for at in range(start, len(columns)):
        hits = sum(isinstance(one, str | int) and str(one) in ids for one in columns[at])  # type: ignore[operator]
        if 2 * hits > len(columns[at]):
            return at
    return None


def _numbers(values: Sequence[object]) -> list[float] | None:
    try:
        return [float(value) for value in values]  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None


def _order_name(users: Sequence[str], numbers: Sequence[float]) -> str | None:
    """Call numbers a rank if they count up from 0 or 1 for each user, a score if they never rise."""
    starts = [at for at in range(len(users)) if at == 0 or users[at] != users[at - 1]]
    steps = [b - a for (u, a), (v, b) in pairwise(zip(users, numbers, strict=True)) if u == v]
    if steps and all(step == 1 for step in steps) and all(numbers[at] in (0, 1) for at in starts):
        return "rank"
    if steps and all(step <= 0 for step in steps) and any(step < 0 for step in steps):
        return "score"
    return None
