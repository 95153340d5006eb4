"""MovieLens in its three layouts, which read alike, and the real 100K."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from bench.datasets.sources.movielens import GENRES_100K, read_movielens
from bench.datasets.splits import load_split
from bench.errors import DataError
from bench.schema import Interactions

RATINGS = [(10, 2, 4, 900), (9, 1, 5, 800), (10, 1, 3, 900), (9, 3, 1, 850)]
FILMS = [
    (1, "Été: Part 2 (1996)", ["Drama", "Film-Noir"]),
    (2, "Toy (1995)", ["Children's"]),
    (3, "unknown", ["unknown"]),
    (4, "Never rated", ["War"]),
]


def write(folder: Path, layout: str) -> tuple[Path, Path]:
    if layout == "100k":
        ratings = "\n".join("\t".join(map(str, row)) for row in RATINGS)
        flags = ["|".join("1" if name in genres else "0" for name in GENRES_100K) for _, _, genres in FILMS]
        lines = [f"{i}|{t}|01-Jan-1995||http://x|{f}" for (i, t, _), f in zip(FILMS, flags, strict=True)]
        (folder / "u.data.gz").write_bytes(gzip.compress(ratings.encode()))
        (folder / "u.item").write_bytes("\n".join(lines).encode("latin-1"))
        return folder / "u.data.gz", folder / "u.item"
    if layout == "1m":
        ratings = "\n".join("::".join(map(str, row)) for row in RATINGS)
        (folder / "ratings.dat").write_text(ratings)
        films = "\n".join(f"{i}::{title}::{'|'.join(genres)}" for i, title, genres in FILMS)
        (folder / "movies.dat").write_bytes(films.encode("latin-1"))
        return folder / "ratings.dat", folder / "movies.dat"
    rows = "\n".join(",".join(map(str, row)) for row in RATINGS)
    (folder / "ratings.csv").write_text(f"userId,movieId,rating,timestamp\n{rows}\n")
    films = "\n".join(f'{i},"{title}",{"|".join(genres)}' for i, title, genres in FILMS)
    (folder / "movies.csv").write_text(f"movieId,title,genres\n{films}\n", encoding="utf-8")
    return folder / "ratings.csv", folder / "movies.csv"


def content(data: Interactions) -> tuple[object, ...]:
    return (
        data.user_ids,
        data.catalogue.item_ids,
        data.catalogue.titles,
        data.catalogue.categories,
        data.users.tolist(),
        data.items.tolist(),
        data.timestamps.tolist(),
    )


@pytest.mark.parametrize("layout", ["100k", "1m", "latest"])
def test_every_layout_reads_alike(tmp_path: Path, layout: str) -> None:
    data = read_movielens(write(tmp_path, layout))
    assert content(data) == (
        ("10", "9"),  # sorted as texts
        ("1", "2", "3"),
        ("Été: Part 2 (1996)", "Toy (1995)", "unknown"),
        (("Drama", "Film-Noir"), ("Children's",), ("unknown",)),
        [0, 1, 0, 1],
        [1, 0, 0, 2],
        [900, 800, 900, 850],
    )


def test_a_rated_film_without_a_line(tmp_path: Path) -> None:
    ratings, films = write(tmp_path, "1m")
    films.write_text("\n".join(films.read_text("latin-1").splitlines()[1:]))
    with pytest.raises(DataError, match="movies.dat does not name 1 rated films, such as 1"):
        read_movielens((ratings, films))


@pytest.mark.parametrize("broken", ["1\t2\t3", "1\tx\t3\t4", ""])
def test_broken_ratings(tmp_path: Path, broken: str) -> None:
    _, films = write(tmp_path, "100k")
    (tmp_path / "u.data").write_text(broken)
    with pytest.raises(DataError, match="u.data"):
        read_movielens((tmp_path / "u.data", films))


@pytest.mark.real_data
def test_real_100k(real_data_dir: Path) -> None:
    if not (real_data_dir / "movielens-100k").is_dir():
        pytest.skip("the data folder holds no movielens-100k/")
    split = load_split("ml100k", data_dir=real_data_dir)
    assert (len(split.user_ids), len(split.catalogue), len(split.validation)) == (943, 1_682, 47)
    texts = real_data_dir / "published-outputs" / "ml100k" / "test" / "llama-1b.beam5.jsonl.gz"
    if texts.is_file():
        with gzip.open(texts, "rt") as lines:
            assert {json.loads(line)["user_id"] for line in lines} == set(split.user_ids)
