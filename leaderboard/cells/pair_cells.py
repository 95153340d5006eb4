"""Two runs side by side as HTML tables: who finds what, what both reach together, users of each side."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from bench.comparison.paired import ComparedModel
from bench.fusion.complement import Overlap
from bench.record import View
from bench.schema import BoolArray, Int64Array, Split
from leaderboard.cells.html_table import Bar, Cell, Column, Event, Row, render
from leaderboard.frames import formatting
from leaderboard.frames.list_rows import shown_title

SIDES = {
    "differ": "where they differ most",
    "first": "only A finds it",
    "second": "only B finds it",
    "both": "both find it",
    "neither": "neither finds it",
}
_SHARES = [
    Column(key="wide", label="The next purchase is found by", numeric=False),
    Column(key="users", label="Users"),
    Column(key="share", label="Share"),
]
_REACH = [
    Column(key="wide", label="What could be found", numeric=False),
    Column(key="users", label="Users"),
    Column(key="share", label="Recall"),
]
_USERS = [
    Column(key="user", label="User", numeric=False),
    Column(key="title", label="Bought next", numeric=False),
    Column(key="history", label="History", note="items"),
    Column(key="a", label="A", note="place of it"),
    Column(key="b", label="B", note="place of it"),
]


def complement_tables(found: Overlap, side: Callable[[str], str]) -> tuple[str, str]:
    """Give who finds whose next purchase, and what the two could reach together, as two tables."""
    parts = {
        "both": ("both", found.both),
        "first": ("only A", found.first_only),
        "second": ("only B", found.second_only),
        "neither": ("neither", found.neither),
    }
    shares = [
        _share(label, count, found.users, Event(name="side", value=name, href=side(name)))
        for name, (label, count) in parts.items()
    ]
    at = f"among the first {found.cutoff}"
    reach = {
        f"A alone, {at}": found.both + found.first_only,
        f"B alone, {at}": found.both + found.second_only,
        f"a perfect choice between the two, {at}": found.either,
        "anywhere in either list: no fusion of the two can find more": found.reachable,
    }
    rows = [_share(label, count, found.users) for label, count in reach.items()]
    return render(_SHARES, shares), render(_REACH, rows)


def side_of(found: tuple[BoolArray, BoolArray], side: str) -> BoolArray:
    """Give the users of one side by who finds their target: (users,); "differ" is all of them."""
    ours, theirs = found
    sides = {
        "first": ours & ~theirs,
        "second": theirs & ~ours,
        "both": ours & theirs,
        "neither": ~ours & ~theirs,
    }
    return sides.get(side, np.ones_like(ours))


def users_table(
    pair: tuple[ComparedModel, ComparedModel],
    split: Split,
    view: View,
    users: Int64Array,
    links: Callable[[str], str],
) -> str:
    """Give users with what they bought next and its place in each list."""
    places = [one.ranks[0][view] for one in pair]
    rows = [
        Row(cells=_user(split, user, [int(ranks[user]) for ranks in places], links))
        for user in users.tolist()
    ]
    return render(_USERS, rows)


def _share(label: str, count: int, users: int, event: Event | None = None) -> Row:
    share = count / users
    bar = Bar(low=share, value=share, high=share)
    return Row(
        cells=[
            Cell(text=label, event=event, bar=bar),
            Cell(text=f"{count:,}"),
            Cell(text=f"{share:.4f}"),
        ]
    )


def _user(split: Split, user: int, places: Sequence[int], links: Callable[[str], str]) -> list[Cell]:
    user_id = split.user_ids[user]
    return [
        Cell(text=user_id, event=Event(name="user", value=user_id, href=links(user_id))),
        Cell(text=shown_title(split.catalogue, int(split.test.targets[user]))),
        Cell(text=f"{split.test.histories.lengths[user]:,}"),
        *(Cell(text=str(place) if place else formatting.MISSING) for place in places),
    ]
