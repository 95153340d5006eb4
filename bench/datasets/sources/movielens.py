"""MovieLens: the layouts of 100K (u.data), of 1M and 10M (ratings.dat) and of all later ones (ratings.csv).

A film's title is the file's, year in it; its categories are the genres. Rows keep the file's order, films
that of the file of films, and ids are texts.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.datasets.amazon.metadata import cut_title
from bench.errors import DataError
from bench.schema import Catalogue, Int64Array, Interactions

GENRES_100K = (
    "unknown Action Adventure Animation Children's Comedy Crime Documentary Drama Fantasy Film-Noir Horror "
    "Musical Mystery Romance Sci-Fi Thriller War Western"
).split()
NO_GENRES = "(no genres listed)"


class _Film(NamedTuple):
    item_id: int
    title: str
    genres: tuple[str, ...]


def read_movielens(paths: Sequence[Path]) -> Interactions:
    """Read ratings and films; DataError names the file and the line that cannot be used.

    Films that nobody rated are left out; a rating of a film without a line is a fault.
    """
    ratings, films_path = paths
    users, items, times = _ratings(ratings)
    rated = set(np.unique(items).tolist())
    films = [film for film in _films(films_path) if film.item_id in rated]
    row_of = {film.item_id: row for row, film in enumerate(films)}
    missing = sorted(rated - row_of.keys())
    if missing or len(row_of) != len(films):
        fault = (
            f"does not name {len(missing)} rated films, such as {missing[0]}"
            if missing
            else "names a film twice"
        )
        raise DataError(f"{films_path} {fault}")
    distinct, places = np.unique(users, return_inverse=True)
    names = [str(user) for user in distinct.tolist()]
    order = sorted(range(len(names)), key=names.__getitem__)
    row_of_user = np.empty(len(names), dtype=np.int32)
    row_of_user[order] = np.arange(len(names), dtype=np.int32)
    item_ids, item_places = np.unique(items, return_inverse=True)
    rows = np.array([row_of[item] for item in item_ids.tolist()], dtype=np.int32)
    return Interactions(
        user_ids=tuple(names[place] for place in order),
        catalogue=Catalogue(
            item_ids=tuple(str(film.item_id) for film in films),
            titles=tuple(film.title for film in films),
            brands=(None,) * len(films),
            categories=tuple(film.genres for film in films),
            prices=(None,) * len(films),
        ),
        users=row_of_user[places],
        items=rows[item_places],
        timestamps=times,
    )


def _ratings(path: Path) -> tuple[Int64Array, Int64Array, Int64Array]:
    """Give users, films and times of all ratings, in file order."""
    import pyarrow as pa
    import pyarrow.csv as pc

    name = path.name.removesuffix(".gz")
    # '1::1193::5::978300760' cut at each ':' has an empty cell between each two
    separator, columns = {
        "u.data": ("\t", ["user", "item", "rating", "time"]),
        "ratings.dat": (":", ["user", "a", "item", "b", "rating", "c", "time"]),
    }.get(name, (",", ["user", "item", "rating", "time"]))
    kinds = {"user": pa.int64(), "item": pa.int64(), "time": pa.int64()}
    try:
        with pa.input_stream(str(path), compression="gzip" if path.suffix == ".gz" else None) as stream:
            table = pc.read_csv(
                stream,
                read_options=pc.ReadOptions(column_names=columns, skip_rows=int(name == "ratings.csv")),
                parse_options=pc.ParseOptions(delimiter=separator),
                convert_options=pc.ConvertOptions(column_types=kinds, include_columns=list(kinds)),
            )
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path} cannot be read as {name}: {str(error).splitlines()[0]:.200}") from None
    found: list[Any] = [table[name].to_numpy() for name in kinds]
    if any(table[name].null_count for name in kinds) or not len(table):
        raise DataError(f"{path}: a line lacks user, film or time, or there is no line")
    return found[0], found[1], found[2]


def _films(path: Path) -> list[_Film]:
    name = path.name.removesuffix(".gz")
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError) as error:
        raise DataError(f"cannot read {path}: {error}") from None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")  # as 100K and 1M are written
    if name == "movies.csv":
        rows = list(csv.reader(io.StringIO(text)))[1:]
    else:
        sign = "|" if name == "u.item" else "::"
        rows = [line.split(sign) for line in text.splitlines() if line]
    films = []
    for number, row in enumerate(rows, start=1 + (name == "movies.csv")):
        try:
            genres = _flags(row[5:]) if name == "u.item" else tuple(row[2].split("|"))
            films.append(
                _Film(int(row[0]), cut_title(row[1]), tuple(g for g in genres if g and g != NO_GENRES))
            )
        except (ValueError, IndexError):
            raise DataError(f"{path}, line {number}: not a film, is {row!r:.60}") from None
    return films


def _flags(cells: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name, flag in zip(GENRES_100K, cells, strict=True) if flag == "1")
