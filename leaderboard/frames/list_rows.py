"""A user's or an item's view of ranked lists, as cells: what was bought, what each run lists, hits marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import unescape

import numpy as np
import pandas as pd

from bench.schema import NO_ITEM, Catalogue, Int64Array, Rankings, Split
from leaderboard.cells.html_table import Badge, Cell, Column, Event, Row, render
from leaderboard.frames import formatting

MAX_MATCHES = 50


@dataclass(frozen=True, kw_only=True)
class RunLists:
    """A run's ranked lists, with the name that heads its column."""

    name: str
    rankings: Rankings


def find_users(split: Split, text: str) -> list[str]:
    """Give the user ids that begin with the text, then those that contain it; at most MAX_MATCHES."""
    wanted = text.strip().lower()
    starts = [user for user in split.user_ids if user.lower().startswith(wanted)]
    if len(starts) < MAX_MATCHES:
        starts += [u for u in split.user_ids if wanted in u.lower() and not u.lower().startswith(wanted)]
    return starts[:MAX_MATCHES]


def find_items(catalogue: Catalogue, text: str) -> list[str]:
    """Give the ids of items whose title, brand or id holds every word; at most MAX_MATCHES."""
    words = text.lower().split()
    found = []
    for item_id, title, brand in zip(catalogue.item_ids, catalogue.titles, catalogue.brands, strict=True):
        haystack = f"{title} {brand or ''} {item_id}".lower()
        if all(word in haystack for word in words):
            found.append(item_id)
            if len(found) == MAX_MATCHES:
                break
    return found


def shown_title(catalogue: Catalogue, item: int) -> str:
    """Give a title for people: the files keep HTML entities, such as `&quot;`, as they were."""
    return unescape(catalogue.titles[item])


def history_table(split: Split, user: int) -> str:
    """Show what a user bought, oldest first, and the target last."""
    items = [*split.test.histories[user].tolist(), int(split.test.targets[user])]
    rows = []
    for number, item in enumerate(items, start=1):
        target = number == len(items)
        badges = (Badge(text="to be predicted", tone="good"),) if target else ()
        place = Cell(text=str(number))
        rows.append(
            Row(
                cells=[place, _item_cell(split.catalogue, item, badges), _categories(split.catalogue, item)],
                state="marked" if target else "",
            )
        )
    return render([_PLACE, _TITLE, _CATEGORY], rows)


def item_table(split: Split, item: int) -> str:
    """Say what an item is: title, brand, category, id."""
    catalogue = split.catalogue
    cells = {
        "Title": Cell(text=shown_title(catalogue, item), note=catalogue.item_ids[item]),
        "Brand": Cell(text=unescape(catalogue.brands[item] or "") or formatting.MISSING),
        "Category": _categories(catalogue, item),
    }
    columns = [Column(key="what", label="", numeric=False), Column(key="wide", label="", numeric=False)]
    return render(columns, [Row(cells=[Cell(text=name), cell]) for name, cell in cells.items()])


def lists_table(split: Split, user: int, runs: Sequence[RunLists], cutoff: int) -> str:
    """Show the runs' lists beside each other, ten places at least, with a line below place `cutoff`.

    The target and items of the history are marked.
    """
    target = int(split.test.targets[user])
    seen = set(split.test.histories[user].tolist())
    columns = [
        _PLACE,
        *(Column(key=f"title{n}", label=run.name, numeric=False) for n, run in enumerate(runs)),
    ]
    rows = []
    for place in range(max(cutoff + 1, 10)):
        cells = [Cell(text=str(place + 1))]
        for run in runs:
            item = int(run.rankings[user, place]) if place < run.rankings.shape[1] else NO_ITEM
            if item == NO_ITEM:
                cells.append(Cell(text=formatting.MISSING))
                continue
            badges = [Badge(text="✓ bought next", tone="good")] if item == target else []
            badges += [Badge(text="has it already", tone="warn")] if item in seen else []
            cells.append(_item_cell(split.catalogue, item, tuple(badges)))
        rows.append(Row(cells=cells, state="cut" if place == cutoff else ""))
    return render(columns, rows)


def outcome(split: Split, user: int, run: RunLists) -> str:
    """Say where a run put the target."""
    places = np.flatnonzero(run.rankings[user] == split.test.targets[user])
    return f"{run.name}: place {places[0] + 1}" if len(places) else f"{run.name}: not listed"


def texts_table(split: Split, texts: pd.DataFrame | None, user_id: str) -> str | None:
    """Show the texts that a model wrote for a user, best first, and the item that each one found."""
    if texts is None or user_id not in texts.index:
        return None
    row = texts.loc[user_id]
    rows = []
    for text, likelihood, item_id in zip(row["texts"], row["log_likelihoods"], row["item_ids"], strict=True):
        item = split.catalogue.rows.get(item_id) if item_id else None
        hit = item is not None and item == split.test.targets[split.user_ids.index(user_id)]
        badges = (Badge(text="✓ bought next", tone="good"),) if hit else ()
        found = Cell(text="nothing") if item is None else _item_cell(split.catalogue, item, badges)
        cells = [Cell(text=unescape(str(text))), Cell(text=formatting.number(likelihood, 2)), found]
        rows.append(Row(cells=cells))
    columns = [
        Column(key="title", label="Text written", numeric=False),
        Column(key="likelihood", label="Log-likelihood"),
        Column(key="title-found", label="Item found", numeric=False),
    ]
    return render(columns, rows)


def buyers(split: Split, item: int) -> tuple[Int64Array, Int64Array]:
    """Give the users who have the item in their history, and those who buy it next."""
    histories = split.test.histories
    owners = np.repeat(np.arange(len(histories)), histories.lengths)
    return np.unique(owners[histories.items == item]), np.flatnonzero(split.test.targets == item)


def listed_to(rankings: Rankings, item: int, cutoff: int) -> Int64Array:
    """Give the users whose list holds the item among the first `cutoff`."""
    return np.flatnonzero((rankings[:, :cutoff] == item).any(axis=1))


def users_table(
    split: Split, groups: Mapping[str, Int64Array], links: Mapping[str, str], shown: int = 8
) -> str:
    """Count groups of users and link to the first few of each."""
    columns = [
        Column(key="wide", label="Who", numeric=False),
        Column(key="count", label="Users"),
        Column(key="notes", label="Some of them", numeric=False),
    ]
    rows = []
    for name, users in groups.items():
        ids = [split.user_ids[user] for user in users[:shown].tolist()]
        badges = tuple(
            Badge(text=user_id, event=Event(name="user", value=user_id, href=links.get(user_id, "")))
            for user_id in ids
        )
        rows.append(Row(cells=[Cell(text=name), Cell(text=f"{len(users):,}"), Cell(text="", badges=badges)]))
    return render(columns, rows)


_PLACE = Column(key="place", label="")
_TITLE = Column(key="title", label="Title", numeric=False)
_CATEGORY = Column(key="notes", label="Category", numeric=False)


def _item_cell(catalogue: Catalogue, item: int, badges: tuple[Badge, ...] = ()) -> Cell:
    item_id = catalogue.item_ids[item]
    brand = unescape(catalogue.brands[item] or "")
    return Cell(
        text=shown_title(catalogue, item),
        note=f"{brand} · {item_id}" if brand else item_id,
        badges=badges,
        event=Event(name="item", value=item_id),
    )


def _categories(catalogue: Catalogue, item: int) -> Cell:
    return Cell(text=unescape(" › ".join(catalogue.categories[item])) or formatting.MISSING)
