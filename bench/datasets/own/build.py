"""Two tables, of interactions and of items -> Interactions, with everything that was left out counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.datasets.amazon.metadata import cut_title
from bench.datasets.own.codes import IdCodes, as_id
from bench.datasets.own.column_roles import NO_TIME, TextTemplate, choose
from bench.datasets.own.faults import SHOWN, Faults
from bench.datasets.own.item_values import as_names, as_price, as_text
from bench.datasets.own.join import Items, Options, Purchases, join
from bench.datasets.own.table_files import Table
from bench.datasets.own.times import TimeColumn, say
from bench.errors import ConfigError, DataError
from bench.progress import report
from bench.schema import BoolArray, Int32Array, Int64Array, Interactions

ROLES = ("user", "item", "time", "key", "title", "brand", "category", "price")
"""What a column can be; `key` is the item's id in the table of items, where it has another name there."""


def build(options: Options, faults: Faults) -> Interactions:
    """Read the tables; DataError names every fault at once and how to mend it.

    Items keep the order of their table; purchases keep theirs, which decides ties of time.
    """
    unknown = set(options.columns) - set(ROLES)
    if unknown:
        raise ConfigError(f"unknown column roles: {', '.join(sorted(unknown))}. Allowed: {', '.join(ROLES)}")
    tables = tuple(Table(path, options.literals) for path in options.interactions)
    table = tables[0]
    described = Table(options.items, options.literals) if options.items else table
    chosen = _choose(table, described, options, faults)
    faults.stop_if_any()
    purchases = _read_purchases(tables, chosen, options, faults)
    items = _read_items(described, chosen, purchases.item_codes, options, faults)
    faults.stop_if_any()
    result = join(purchases, items, options, faults)
    faults.stop_if_any()
    return result


def _choose(
    table: Table, described: Table, options: Options, faults: Faults
) -> dict[str, str | TextTemplate | None]:
    """Choose the columns: of the purchases, and of the items (`key` is the item's id there)."""
    own = described.path == table.path
    first, second = table.path.name, described.path.name
    given = dict(options.columns)
    chosen: dict[str, str | TextTemplate | None] = {}
    taken: list[str] = []
    for role in ("user", "item", "time"):
        if role == "time" and given.get("time") == NO_TIME:
            chosen[role] = None
            faults.guess(f"{first}: no column of times; the order of the file stands for time")
            continue
        found = choose(role, table.headers, given.get(role), faults, table=first, required=True, taken=taken)
        chosen[role] = found
        taken += [found] if found else []
    key = given.get("key") or (given.get("item") if given.get("item") in described.headers else None)
    chosen["key"] = (
        chosen["item"] if own else choose("item", described.headers, key, faults, table=second, required=True)
    )
    template = None if options.text is None else TextTemplate.parse(options.text)
    if template is not None:
        missing = [name for name in template.columns if name not in described.headers]
        if missing:
            faults.error(
                f"{second}: --text names columns that are not there: {', '.join(missing)}. There are: "
                f"{', '.join(described.headers)}"
            )
    taken = [name for name in (chosen["key"], chosen["user"] if own else None) if isinstance(name, str)]
    for role in ("title", "brand", "category", "price"):
        if role == "title" and template is not None:
            chosen[role] = template
            continue
        found = choose(
            role,
            described.headers,
            given.get(role),
            faults,
            table=second,
            required=role == "title",
            taken=taken,
        )
        chosen[role] = found
    return chosen


def _read_purchases(
    tables: Sequence[Table], chosen: Mapping[str, Any], options: Options, faults: Faults
) -> Purchases:
    user_codes, item_codes = IdCodes(), IdCodes()
    clock = TimeColumn(zone=options.zone)
    pieces: list[tuple[Int32Array, Int32Array, Int64Array, BoolArray, NDArray[np.int8]]] = []
    wanted = [name for name in (chosen["user"], chosen["item"], chosen["time"]) if name is not None]
    rows = 0
    wrong: list[object] = []
    for part, table in enumerate(tables):
        for batch in table.batches(list(dict.fromkeys(wanted))):
            seconds, known = np.zeros(len(batch), dtype=np.int64), np.ones(len(batch), dtype=np.bool_)
            if chosen["time"] is not None:
                column = batch.column(chosen["time"])
                try:
                    seconds, known = clock.seconds(column)
                except ValueError as error:
                    raise DataError(f"{table.path}, column {chosen['time']}: {error}") from None
                wrong += [
                    column[row].as_py() for row in np.flatnonzero(~known)[: SHOWN - len(wrong)].tolist()
                ]
            users, items = (
                codes.add(batch.column(chosen[role]))
                for codes, role in ((user_codes, "user"), (item_codes, "item"))
            )
            pieces.append((users, items, seconds, known, np.full(len(batch), part, dtype=np.int8)))
            rows += len(batch)
            report("read purchases", rows, 0)
    first = tables[0].path.name
    if not rows:
        faults.error(f"{first} holds no rows")
        faults.stop_if_any()
    if chosen["time"] is not None:
        say(clock, chosen["time"], first, faults)
    for what, codes in (("user", user_codes), ("item", item_codes)):
        _report_ids(codes, what, chosen[what], first, faults)
    users, items, times, known, parts = (np.concatenate(column) for column in zip(*pieces, strict=True))
    if not known.all():
        faults.error(
            f"{first}: rows of {chosen['time']} hold no plausible time, or mix units",
            int((~known).sum()),
            wrong,
        )
    faults.stop_if_any()
    return Purchases(
        user_codes=user_codes, item_codes=item_codes, users=users, items=items, times=times, parts=parts
    )


def _report_ids(codes: IdCodes, what: str, column: str, table: str, faults: Faults) -> None:
    if codes.bad:
        faults.error(f"{table}: rows of {column} hold no {what} id", codes.bad, codes.bad_examples)
    if codes.float_rows:
        faults.note(
            f"{table}: {what} ids of {column} are floats and were read as whole numbers (12.0 is 12); "
            "store ids as text",
            codes.float_rows,
        )


def _read_items(
    table: Table, chosen: Mapping[str, Any], needed: IdCodes, options: Options, faults: Faults
) -> Items:
    """Read the items that somebody bought; the first row of an item counts."""
    title = chosen["title"]
    names = list(title.columns) if isinstance(title, TextTemplate) else [title]
    roles = {role: chosen[role] for role in ("brand", "category", "price")}
    wanted = list(dict.fromkeys([chosen["key"], *names, *(name for name in roles.values() if name)]))
    import pyarrow as pa

    items = Items()
    passed_over = 0
    for batch in table.batches(wanted):
        fresh = _fresh_rows(batch.column(chosen["key"]), needed, items.known)
        passed_over += len(batch) - len(fresh)
        part = batch.take(pa.array(list(fresh), pa.int64()))
        columns = {name: part.column(name).to_pylist() for name in wanted}
        for row, id_ in enumerate(fresh.values()):
            texts = {name: as_text(columns[name][row]) for name in names}
            line = title.fill(texts) if isinstance(title, TextTemplate) else texts[title]
            if not line:
                continue
            items.ids.append(id_)
            items.titles.append(cut_title(line))
            found = {role: columns[name][row] if name else None for role, name in roles.items()}
            items.brands.append(as_text(found["brand"]))
            items.categories.append(as_names(found["category"]))
            items.prices.append(as_price(found["price"]))
    if options.items is not None:
        faults.note(
            f"{table.path.name}: rows of items that nobody bought or that were described before", passed_over
        )
    return items


def _fresh_rows(column: Any, needed: IdCodes, known: set[str]) -> dict[int, str]:
    """Give row -> id of the bought items that are described here first, and note them as known."""
    encoded = column if hasattr(column, "dictionary") else column.dictionary_encode()
    indices = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    distinct, first = np.unique(indices, return_index=True)
    values = encoded.dictionary.to_pylist()
    fresh: dict[int, str] = {}
    for place, row in sorted(zip(distinct.tolist(), first.tolist(), strict=True), key=lambda pair: pair[1]):
        id_ = as_id(values[place]) if place >= 0 else None
        if id_ is not None and id_ not in known and id_ in needed:
            known.add(id_)
            fresh[row] = id_
    return fresh
