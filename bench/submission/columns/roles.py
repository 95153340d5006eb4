"""Which column holds the users, which the items, and what orders them: told from names and content.

What is not clear is refused, naming the columns and the controls that decide; nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.submission.columns import names
from bench.submission.columns.content import Content, id_text
from bench.submission.columns.list_cells import PADDING, BadEntry, explode
from bench.submission.columns.ordering import (
    Order,
    all_names,
    column_called,
    listed,
    order_of_lists,
    order_of_rows,
    order_said,
)
from bench.submission.controls import Choices, Controls
from bench.submission.own_data import what_lists_are
from bench.submission.reading.table import Known, Table
from bench.submission.report import UnclearColumns

Shape = Literal["rows", "lists", "wide"]
_NUMBERED = re.compile(r"(.*?)[\s_.@#-]*(\d+)")


@dataclass(frozen=True, kw_only=True)
class Roles:
    """The columns of a table by role."""

    user: int
    items: tuple[int, ...]
    """One column, or those of a wide table, best first."""
    shape: Shape
    order: Order
    said: str
    """The roles in words, for the report."""


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    """Columns that could be the items."""

    columns: tuple[int, ...]
    shape: Shape
    name: str


def find_roles(table: Table, known: Known, choices: Choices, controls: Controls) -> Roles:
    """Tell the roles of a table's columns; raise UnclearColumns where they are not clear."""
    contents = [Content(values, known) for values in table.sample]
    user = find_user(table, contents, choices, controls)
    items = _items(table, contents, known, user, choices, controls)
    taken = {user, *items.columns}
    if items.shape == "rows":
        order = order_of_rows(table, contents, taken, choices, controls)
    else:
        column = items.columns[0] if items.shape == "lists" else None
        order = order_of_lists(table, contents, column, taken, choices, controls)
    by = order_said(table, items.shape, order)
    said = f"users from {table.shown(user)}, items from {items.name}, order from {by}"
    return Roles(user=user, items=items.columns, shape=items.shape, order=order, said=said)


def find_user(table: Table, contents: Sequence[Content], choices: Choices, controls: Controls) -> int:
    """Tell the column of the users; UnclearColumns where it is not clear."""
    if table.keyed:
        return 0
    if choices.user is not None:
        return column_called(table, choices.user, "users")
    named = names.positions(table.names, names.USER)
    found = [at for at in named if contents[at].is_user] or named
    if not found:
        others = names.ITEM | names.LIST | names.RANK | names.SCORE | names.DISTANCE
        free = set(range(len(table.names))) - set(names.positions(table.names, others))
        numbered = names.positions(table.names, names.INDEX)
        free -= {at for at in numbered if contents[at].is_number}  # the rows' numbers, not users
        found = [at for at in sorted(free) if contents[at].is_user]
    if len(found) > 1:
        raise UnclearColumns(
            f"the columns {listed(table, found)} could be the users; say which with {controls.user}"
        )
    if not found:
        raise UnclearColumns(
            f"the columns {all_names(table)} hold no user_id: no column is called so and none holds user ids "
            f"of this data set; name it with {controls.user}. A file needs user_id and item_ids (a list), or "
            "user_id, item_id and rank or score"
        )
    return found[0]


def _items(
    table: Table,
    contents: Sequence[Content],
    known: Known,
    user: int,
    choices: Choices,
    controls: Controls,
) -> _Candidate:
    candidates = _candidates(table, contents, user)
    if choices.item is not None:
        wide = [
            one
            for one in candidates
            if one.shape == "wide" and _stem(table, one.columns[0]) == names.plain(choices.item)
        ]
        at = None if wide else column_called(table, choices.item, "items")
        wide = wide or [one for one in candidates if one.shape == "wide" and at in one.columns]
        return wide[0] if wide else _single(table, contents, at if at is not None else user)
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise UnclearColumns(
            f"the columns {all_names(table)} hold no item_id or item_ids: no column is called so and none "
            f"holds items of this data set; name it with {controls.item}, or, if these are generated texts, "
            f"say {controls.texts}"
        )
    kinds = []
    for one in candidates:
        lists = [_row_items(one, row, table) for row in range(len(table.sample[user]))]
        kinds.append(what_lists_are(known, table.sample[user], lists))
    described = [
        one.name + (f" ({kind})" if kind else "") for one, kind in zip(candidates, kinds, strict=True)
    ]
    advice = (
        "these are the data and no recommendations"
        if all(kinds)
        else f"say which one is the recommended items with {controls.item}"
    )
    raise UnclearColumns(f"{' and '.join(described)} could be the items; {advice}")


def _row_items(one: _Candidate, row: int, table: Table) -> list[str]:
    values = [table.sample[at][row] if row < len(table.sample[at]) else None for at in one.columns]
    try:
        parts = [explode(value)[0] if one.shape == "lists" else [value] for value in values]
    except BadEntry:
        return []
    return [id_text(item) for part in parts for item in part if item is not None and str(item) not in PADDING]


def _candidates(table: Table, contents: Sequence[Content], user: int) -> list[_Candidate]:
    if table.keyed:
        return [_single(table, contents, 1)]
    others = set(range(len(table.names))) - {user}
    ordering = names.RANK | names.SCORE | names.DISTANCE | names.INDEX
    # a rank or a score may look like an id where ids are numbers: its name decides
    others -= {at for at in names.positions(table.names, ordering) if contents[at].is_number}
    wide = _wide_groups(table, contents, others)
    others -= {at for group in wide for at in group.columns}
    found = {at for at in others if contents[at].is_item or contents[at].holds_items}
    found |= {at for at in names.positions(table.names, names.ITEM) if at in others}
    lists = {at for at in names.positions(table.names, names.LIST) if at in others}
    scores = {at for at in names.positions(table.names, ordering) if contents[at].number_lists is not None}
    found |= {at for at in lists - scores if not contents[at].is_number}
    if not found and not wide:
        found = lists | {at for at in names.positions(table.names, names.MAYBE_ITEM) if at in others}
    if len(found) > 1:  # lists of scores, though they may look like ids too
        found -= scores - lists
    if wide:  # score_1, score_2, ... beside item_1, item_2, ...
        found -= {at for at in found if contents[at].is_number and _stem(table, at) in ordering}
    return wide + [_single(table, contents, at) for at in sorted(found)]


def _single(table: Table, contents: Sequence[Content], at: int) -> _Candidate:
    content = contents[at]
    is_list = bool(content.lists) or (not content.is_item and _is_list_name(table, at))
    shape: Shape = "lists" if is_list else "rows"
    name = f"the lists in {table.shown(at)}" if is_list else table.shown(at)
    return _Candidate(columns=(at,), shape=shape, name=name)


def _is_list_name(table: Table, at: int) -> bool:
    return table.keyed or (names.plain(table.names[at]) in names.LIST - names.ITEM)


def _wide_groups(table: Table, contents: Sequence[Content], free: set[int]) -> list[_Candidate]:
    """Find columns that differ by a number and hold one item each: item_1, item_2, ..."""
    groups: dict[str, list[tuple[int, int]]] = {}
    for at in sorted(free):
        match = _NUMBERED.fullmatch(table.names[at].strip())
        if match:
            groups.setdefault(names.plain(match[1]), []).append((int(match[2]), at))
    found = []
    for group in groups.values():
        numbered = sorted(group)
        steps = [number - numbered[0][0] for number, _ in numbered]
        filled = [contents[at] for _, at in numbered if contents[at].filled]
        holds = bool(filled) and 2 * sum(one.is_item for one in filled) > len(filled)
        if len(group) > 1 and steps == list(range(len(group))) and numbered[0][0] in (0, 1) and holds:
            columns = tuple(at for _, at in numbered)
            name = f"the columns {table.shown(columns[0])} to {table.shown(columns[-1])}"
            found.append(_Candidate(columns=columns, shape="wide", name=name))
    return found


def _stem(table: Table, column: int) -> str:
    match = _NUMBERED.fullmatch(table.names[column].strip())
    return names.plain(match[1]) if match else ""
