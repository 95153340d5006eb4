"""What orders a user's items: one column that is known for it, or the file's own order, never a guess."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.submission.columns import names
from bench.submission.columns.content import Content
from bench.submission.controls import Choices, Controls
from bench.submission.reading.table import Table
from bench.submission.report import UnclearColumns, shown


@dataclass(frozen=True, kw_only=True)
class Order:
    """What orders a user's items."""

    kind: Literal["rank", "score", "file"]
    column: int | None = None
    """The column of ranks or scores; None where the file's own order decides."""
    ascending: bool = False
    """Whether the smallest score is the best."""
    check: int | None = None
    """A column of scores that must say the same as the order."""
    chosen: bool = False
    """Whether the submitter named the order."""


def order_of_rows(
    table: Table, contents: Sequence[Content], taken: set[int], choices: Choices, controls: Controls
) -> Order:
    """Tell what orders the items of a table with one row an item; UnclearColumns where it is not clear."""
    numeric = [at for at, one in enumerate(contents) if at not in taken and (one.is_number or not one.filled)]
    plain = {at: names.plain(table.names[at]) for at in range(len(table.names))}
    ranks = [at for at in numeric if plain[at] in names.RANK and contents[at].lists == []]
    scores = [at for at in numeric if plain[at] in names.SCORE | names.DISTANCE]
    if choices.order is not None:
        return _chosen_order(table, choices, ranks, scores)
    if not ranks and not scores:  # a known column that holds other things than numbers is a fault to be told
        loose = [at for at in range(len(table.names)) if at not in taken and not contents[at].lists]
        ranks = [at for at in loose if plain[at] in names.RANK]
        scores = [at for at in loose if plain[at] in names.SCORE | names.DISTANCE and not ranks]
    for several in (ranks, [] if ranks else scores):
        if len(several) > 1:
            raise UnclearColumns(
                f"the columns {listed(table, several)} could order the items; say which with "
                f"{controls.order} (add {controls.ascending} where the smallest is the best), "
                f"or {controls.by_file}"
            )
    if ranks:
        check = scores[0] if len(scores) == 1 else None
        falls = check is not None and plain[check] in names.DISTANCE
        return Order(kind="rank", column=ranks[0], check=check, ascending=falls)
    if scores:
        ascending = choices.ascending or plain[scores[0]] in names.DISTANCE
        return Order(kind="score", column=scores[0], ascending=ascending, chosen=choices.ascending)
    unknown = [at for at in numeric if plain[at] not in names.INDEX and contents[at].filled]
    if unknown:
        raise UnclearColumns(
            f"the numbers in {listed(table, unknown)} may order the items, and no column has a name that is "
            f"known for it (rank, score, prediction, ...); say {controls.order} (add {controls.ascending} "
            f"where the smallest is the best), or {controls.by_file} to take the rows as they stand"
        )
    _refuse_ascending(choices, controls)
    return Order(kind="file")


def _refuse_ascending(choices: Choices, controls: Controls) -> None:
    """Refuse a direction where there is nothing that it could be the direction of."""
    if choices.ascending:
        raise UnclearColumns(
            f"there is no column of scores or distances that {controls.ascending} could be said of; name it "
            f"with {controls.order}"
        )


def _chosen_order(table: Table, choices: Choices, ranks: Sequence[int], scores: Sequence[int]) -> Order:
    word = (choices.order or "").strip()
    exact = [at for at, own in enumerate(table.names) if own.strip() == word]
    if word == "file" and not exact:
        return Order(kind="file", chosen=True)
    if not exact and word in ("score", "rank") and len(scores if word == "score" else ranks) == 1:
        exact = list(scores if word == "score" else ranks)
    at = exact[0] if exact else column_called(table, word, "order")
    plain = names.plain(table.names[at])
    if plain in names.RANK:
        return Order(kind="rank", column=at, chosen=True)
    return Order(kind="score", column=at, ascending=choices.ascending or plain in names.DISTANCE, chosen=True)


def order_of_lists(
    table: Table,
    contents: Sequence[Content],
    items: int | None,
    taken: set[int],
    choices: Choices,
    controls: Controls,
) -> Order:
    """Tell what orders lists, those in the column `items` or, if that is None, those of a wide table."""
    parallel = []
    if items is not None:
        lengths = [len(one) for one in contents[items].lists]
        for at, one in enumerate(contents):
            if at not in taken and one.number_lists is not None:
                own = [len(numbers) for numbers in one.number_lists if numbers]
                known_name = names.plain(table.names[at]) in names.SCORE | names.DISTANCE
                if known_name or own == [length for length in lengths if length]:
                    parallel.append(at)
    inside = items is not None and contents[items].has_scores
    if choices.order is not None:
        word = choices.order.strip()
        if word == "file":
            return Order(kind="file", chosen=True)
        if word == "score" and not parallel and inside:
            return Order(kind="score", ascending=choices.ascending, chosen=True)
        chosen = _chosen_order(table, choices, [], parallel)
        return Order(kind="score", column=chosen.column, ascending=chosen.ascending, chosen=True)
    if items is not None and contents[items].is_mapping:
        return Order(kind="score", ascending=choices.ascending, chosen=choices.ascending)
    if not parallel:
        if not inside:
            _refuse_ascending(choices, controls)
        return Order(kind="file", ascending=choices.ascending)
    if len(parallel) > 1:
        raise UnclearColumns(
            f"the lists of numbers in {listed(table, parallel)} could order the items; say which with "
            f"{controls.order}, or {controls.by_file} to take the lists as they stand"
        )
    ascending = choices.ascending or names.plain(table.names[parallel[0]]) in names.DISTANCE | names.RANK
    return Order(kind="file", check=parallel[0], ascending=ascending)


def order_said(table: Table, shape: str, order: Order) -> str:
    """Say in words what orders the items."""
    best = "lowest first" if order.ascending or order.kind == "rank" else "highest first"
    if order.column is not None:
        return f"{table.shown(order.column)}, {best}"
    if order.kind == "score":
        return f"the scores in the lists, {best}"
    if shape == "wide":
        return "the numbers of the columns, lowest first"
    return "the lists, first is best" if shape == "lists" else "the rows as they stand, first is best"


def column_called(table: Table, name: str, what: str) -> int:
    """Find a column that the submitter named."""
    exact = [at for at, own in enumerate(table.names) if own.strip() == name.strip()]
    alike = exact or [at for at, own in enumerate(table.names) if names.plain(own) == names.plain(name)]
    if not alike and not table.named and name.strip().isdigit() and 0 < int(name) <= len(table.names):
        alike = [int(name) - 1]
    if len(alike) != 1:
        raise UnclearColumns(f"no column {shown(name)} for the {what}; there are {all_names(table)}")
    return alike[0]


def all_names(table: Table) -> str:
    """Name the columns of a table, the first ones of very many."""
    some = ", ".join(shown(name) for name in table.names[:12])
    return some + (f" and {len(table.names) - 12} more" if len(table.names) > 12 else "")


def listed(table: Table, columns: Sequence[int]) -> str:
    """Name some columns."""
    return " and ".join(table.shown(at) for at in columns)
