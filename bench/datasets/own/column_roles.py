"""Which column of a table is what: named by the user, else known by its name."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.datasets.own.faults import Faults
from bench.errors import ConfigError, unknown_name

NO_TIME = "none"
"""Given as the time column: the order of the file stands for time."""

KNOWN: Mapping[str, tuple[str, ...]] = {
    "user": (
        "user_id", "userid", "user", "uid", "reviewerid", "reviewer_id", "customer_id", "customerid",
        "customer", "visitorid", "visitor_id", "member_id", "account_id", "session_id", "sessionid",
        "username", "author_id",
    ),
    "item": (
        "item_id", "itemid", "item", "iid", "parent_asin", "asin", "product_id", "productid", "product",
        "sku", "movieid", "movie_id", "article_id", "articleid", "business_id", "app_id", "appid", "track_id",
        "book_id", "gmap_id", "isbn", "goods_id", "id",
    ),
    "time": (
        "timestamp", "unixreviewtime", "time", "datetime", "date", "ts", "t", "created_at", "event_time",
        "reviewtime", "t_dat", "event_timestamp", "unix_time", "purchased_at", "order_date", "invoicedate",
    ),
    "title": (
        "title", "name", "item_name", "product_name", "prod_name", "movie_title", "app_name", "product_title",
        "track_name", "description",
    ),
    "brand": ("brand", "store", "manufacturer", "vendor", "developer", "publisher", "artist"),
    "category": (
        "categories", "category", "genres", "genre", "class", "tags", "product_type_name", "category_name",
    ),
    "price": ("price", "unit_price", "unitprice", "list_price"),
    "rating": ("rating", "overall", "stars", "score"),
}  # fmt: skip
"""Lower-case names by which a column is known, the surest first."""

_TYPED = re.compile(r"(.+):(token|token_seq|float|float_seq)")
"""RecBole's headers: user_id:token."""


def plain_name(header: str) -> str:
    """Give the name in a header that also says the type, as RecBole's do."""
    match = _TYPED.fullmatch(header.strip())
    return match[1] if match else header.strip()


@dataclass(frozen=True, kw_only=True)
class TextTemplate:
    """A line made of columns, such as '{name} ({year}), {genre}'."""

    text: str
    columns: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> TextTemplate:
        """Read a template; ConfigError where it is none."""
        try:
            parts = list(string.Formatter().parse(text))
        except ValueError as error:
            raise ConfigError(
                f"--text {text!r}: {error}; write columns in braces: '{{name}} ({{year}})'"
            ) from None
        names = [name for _, name, _, _ in parts if name is not None]
        plain = all(not spec and not conversion for _, _, spec, conversion in parts)
        if not names or not plain or not all(name and not set(name) & set(".[]{}!:") for name in names):
            raise ConfigError(
                f"--text {text!r} needs one column or more in braces and nothing else in them: "
                "'{name} ({year})'"
            )
        return cls(text=text, columns=tuple(dict.fromkeys(names)))

    def fill(self, row: Mapping[str, str | None]) -> str | None:
        """Give the line of one item; None where all its columns are empty."""
        if not any(row[name] for name in self.columns):
            return None
        return self.text.format(**{name: row[name] or "" for name in self.columns})


def choose(
    role: str,
    headers: Sequence[str],
    given: str | None,
    faults: Faults,
    *,
    table: str,
    required: bool,
    taken: Sequence[str] = (),
) -> str | None:
    """Give the header of the column for a role; a guess and a missing column are noted in `faults`."""
    named = {plain_name(header): header for header in headers}
    if given is not None:
        if given in headers:
            return given
        if given in named:
            return named[given]
        message = unknown_name("column", given, named)
        faults.error(f"{table}: --{role} {message}")
        return None
    by_lower = {name.lower().replace(" ", "_").replace("-", "_"): header for name, header in named.items()}
    found = [by_lower[name] for name in KNOWN[role] if name in by_lower and by_lower[name] not in taken]
    if found:
        also = f" (also there: {', '.join(found[1:])})" if len(found) > 1 else ""
        faults.guess(f"{table}: --{role} {plain_name(found[0])}{also}")
        return found[0]
    if required:
        columns = ", ".join(map(plain_name, headers)) or "none"
        faults.error(
            f"{table}: no column is known as the {role}; say which by --{role}. There are: {columns}"
        )
    return None
