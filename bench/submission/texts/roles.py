"""Which column of a table holds the texts, which their log-likelihoods and token counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.submission.columns import names
from bench.submission.columns.content import Content
from bench.submission.columns.list_cells import BadEntry, parse_list
from bench.submission.columns.ordering import all_names, column_called, listed, order_of_rows
from bench.submission.columns.roles import find_user
from bench.submission.controls import Choices, Controls
from bench.submission.reading.table import Known, Table
from bench.submission.report import UnclearColumns


@dataclass(frozen=True, kw_only=True)
class TextRoles:
    """The columns of a table of generated texts."""

    user: int
    text: int
    one_a_row: bool
    """Whether a row is one text, and a user has several rows."""
    likelihood: int | None = None
    tokens: int | None = None
    order: int | None = None
    """A column that orders the texts and is no log-likelihood."""
    ascending: bool = False
    order_name: str = "their order"
    said: str = ""


def find_text_roles(table: Table, known: Known, choices: Choices, controls: Controls) -> TextRoles:
    """Tell the roles of a table's columns; raise UnclearColumns where they are not clear."""
    contents = [Content(values, known) for values in table.sample]
    user = find_user(table, contents, choices, controls)
    text = _text(table, contents, user, choices, controls)
    tokens = [at for at in names.positions(table.names, names.TOKENS) if at not in (user, text)]
    taken = {user, text, *tokens}
    one_a_row = not any(isinstance(value, list | tuple) or _is_listed(value) for value in table.sample[text])
    likely = [at for at in names.positions(table.names, names.LIKELIHOOD) if at not in taken]
    if choices.order is not None:
        chosen = None if choices.order == "file" else column_called(table, choices.order, "order")
        likely = [at for at in likely if at == chosen]
        order, ascending = (None if likely else chosen), choices.ascending
    elif len(likely) > 1:
        raise UnclearColumns(
            f"the columns {listed(table, likely)} could order the texts; say which with {controls.order}, or "
            f"{controls.by_file}"
        )
    elif likely or not one_a_row:
        order, ascending = None, False
    else:
        found = order_of_rows(table, contents, taken, choices, controls)
        order, ascending = found.column, found.ascending or found.kind == "rank"
    by = next((at for at in (*likely, order) if at is not None), None)
    by_name = "the texts as they stand, first is best"
    if by is not None:
        by_name = f"{table.shown(by)}, {'lowest' if ascending and not likely else 'highest'} first"
    return TextRoles(
        user=user,
        text=text,
        one_a_row=one_a_row,
        likelihood=likely[0] if likely else None,
        tokens=tokens[0] if tokens else None,
        order=order,
        ascending=ascending,
        order_name="their order" if by is None else table.shown(by),
        said=f"users from {table.shown(user)}, texts from {table.shown(text)}, order from {by_name}",
    )


def texts_of_cell(value: object) -> tuple[list[str], list[float] | None]:
    """Give a cell's texts, and their log-likelihoods where it holds objects that have some; or BadEntry."""
    if value is None:
        return [], None
    if isinstance(value, str):
        value = parse_list(value) if _is_listed(value) else [value]
    values: list[Any] = list(value) if isinstance(value, list | tuple) else [value]
    if values and all(isinstance(one, Mapping) for one in values):
        return _of_objects(values)
    wrong = next((one for one in values if not isinstance(one, str)), None)
    if wrong is not None:
        raise BadEntry(f"texts must be a list of texts, not of {type(wrong).__name__}")
    return values, None


def _of_objects(values: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[float] | None]:
    keys = list(values[0])
    text = [keys[at] for at in names.positions(keys, names.TEXT)]
    if len(text) != 1:
        raise BadEntry(f"the objects of the list have the keys {keys}; one of them must be the text")
    texts: list[Any] = [one.get(text[0]) for one in values]
    if not all(isinstance(one, str) for one in texts):
        raise BadEntry("texts must be texts")
    likely = [key for key in (keys[at] for at in names.positions(keys, names.LIKELIHOOD)) if key != text[0]]
    numbers: list[Any] = [one.get(likely[0]) for one in values] if len(likely) == 1 else []
    if not numbers or not all(isinstance(one, int | float) and not isinstance(one, bool) for one in numbers):
        return texts, None
    return texts, [float(one) for one in numbers]


def _text(table: Table, contents: Sequence[Content], user: int, choices: Choices, controls: Controls) -> int:
    if choices.item is not None:
        return column_called(table, choices.item, "texts")
    if table.keyed:
        return 1
    named = [at for at in names.positions(table.names, names.TEXT) if at != user]
    found = [
        at for at in named if not (contents[at].is_number or contents[at].is_item or contents[at].holds_items)
    ]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UnclearColumns(
            f"the columns {all_names(table)} hold no texts: a file needs user_id and texts, completions, "
            f"outputs, generated_sequences or the like; name the column with {controls.item}"
        )
    raise UnclearColumns(
        f"the columns {listed(table, found)} could be the texts; say which with {controls.item}"
    )


def _is_listed(value: object) -> bool:
    """Whether a text is the text of a list of texts."""
    if not isinstance(value, str) or not (value.startswith(("['", '["')) and value.endswith(("']", '"]'))):
        return False
    try:
        return all(isinstance(one, str) for one in parse_list(value))
    except BadEntry:
        return False
