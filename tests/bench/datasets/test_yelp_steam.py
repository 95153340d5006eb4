"""Yelp and Steam: their files as published are read; a line that is neither JSON nor a literal is named."""

from __future__ import annotations

import ast
import gzip
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bench.datasets.entries import DATASETS
from bench.datasets.sources.yelp_steam import read_steam, read_yelp
from bench.errors import DataError
from bench.schema import Interactions

BUSINESSES = [
    {"business_id": "b-1", "name": "St Honore Pastries", "city": "Philadelphia", "stars": 4.0, "is_open": 1,
     "attributes": {"WiFi": "u'free'"}, "categories": "Restaurants, Food, Bubble Tea", "hours": None},
    {"business_id": "b-2", "name": "Zoë's \"Deli\"", "city": "Tampa", "stars": 3.5, "is_open": 0,
     "attributes": None, "categories": None, "hours": {"Monday": "0:0-0:0"}},
    {"business_id": "b-3", "name": "Nobody went", "categories": "Shopping"},
]  # fmt: skip
REVIEWS = [
    {"review_id": f"r{user}{item}", "user_id": user, "business_id": item, "stars": 5.0, "useful": 0,
     "text": "Good.\nReally 'good'.", "date": date}
    for user, item, date in (
        ("u-b", "b-1", "2018-07-07 22:09:11"), ("u-a", "b-2", "2012-01-03 15:28:18"),
        ("u-b", "b-2", "2014-02-05 20:30:30"),
    )
]  # fmt: skip
# as in the published files: u'' everywhere, double quotes around an apostrophe, escapes, True
STEAM_REVIEWS = [
    r"""{u'username': u'Chaos Syren', u'hours': 0.1, u'products': 41, u'product_id': u'725280', """
    r"""u'date': u'2017-12-17', u'text': u'Not acceptable.', u'early_access': False, u'page': 1}""",
    r"""{u'username': u"\u2665 Ariman's \u2665", u'hours': 13.2, u'product_id': u'328100', """
    r"""u'date': u'2017-08-02', u'text': u"Addictive 'RPG'!\nGood.", u'early_access': True, u'page': 1}""",
    r"""{u'username': u'Chaos Syren', u'user_id': u'76561198007483075', u'product_id': u'328100', """
    r"""u'date': u'2016-01-05', u'text': u'', u'early_access': False}""",
]
STEAM_GAMES = [
    r"""{u'publisher': u'Kotoshiro', u'genres': [u'Action', u'Casual'], u'app_name': u"Summoner's Kitty", """
    r"""u'title': u"Summoner's Kitty", u'price': 4.99, u'id': u'725280', u'developer': u'Kotoshiro'}""",
    r"""{u'app_name': u'Ironbound \u2122', u'price': u'Free To Play', u'id': u'328100', """
    r"""u'developer': u'Secret Level SRL', u'genres': [u'RPG']}""",
    r"""{u'app_name': u'A game without a number', u'price': None, u'genres': []}""",
]


def _write(folder: Path, name: str, lines: Sequence[str]) -> Path:
    data = ("\n".join(lines) + "\n").encode()
    (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return folder / name


def _yelp(folder: Path, reviews: Sequence[str]) -> list[Path]:
    first, second = (file.name for file in DATASETS["yelp"].files)
    return [_write(folder, first, reviews), _write(folder, second, [json.dumps(row) for row in BUSINESSES])]


def _steam(folder: Path, reviews: Sequence[str], games: Sequence[str]) -> list[Path]:
    first, second = (file.name for file in DATASETS["steam"].files)
    return [_write(folder, first, reviews), _write(folder, second, games)]


def _rows(data: Interactions) -> list[tuple[Any, ...]]:
    return [
        (data.user_ids[user], data.catalogue.item_ids[item], f"{datetime.fromtimestamp(time, UTC):%F %T}")
        for user, item, time in zip(
            data.users.tolist(), data.items.tolist(), data.timestamps.tolist(), strict=True
        )
    ]


def test_yelp_as_published(tmp_path: Path) -> None:
    data = read_yelp(_yelp(tmp_path, [json.dumps(row) for row in REVIEWS]))
    assert _rows(data) == [(row["user_id"], row["business_id"], row["date"]) for row in REVIEWS]
    assert data.catalogue.titles == ("St Honore Pastries", 'Zoë\'s "Deli"')
    assert data.catalogue.categories == (("Restaurants", "Food", "Bubble Tea"), ())


def test_steam_as_published(tmp_path: Path) -> None:
    data = read_steam(_steam(tmp_path, STEAM_REVIEWS, STEAM_GAMES))
    assert _rows(data) == [
        ("Chaos Syren", "725280", "2017-12-17 00:00:00"),
        ("♥ Ariman's ♥", "328100", "2017-08-02 00:00:00"),
        ("Chaos Syren", "328100", "2016-01-05 00:00:00"),
    ]
    assert data.catalogue.titles == ("Summoner's Kitty", "Ironbound ™")
    assert data.catalogue.brands == ("Kotoshiro", "Secret Level SRL")
    assert data.catalogue.categories == (("Action", "Casual"), ("RPG",))
    assert data.catalogue.prices == (4.99, None)


def test_steam_copied_to_json_reads_alike(tmp_path: Path) -> None:
    literal = read_steam(_steam(tmp_path, STEAM_REVIEWS, STEAM_GAMES))
    reviews, games = (
        [json.dumps(ast.literal_eval(line)) for line in lines] for lines in (STEAM_REVIEWS, STEAM_GAMES)
    )
    copied = read_steam(_steam(tmp_path, reviews, games))
    assert _rows(copied) == _rows(literal)
    for name in ("item_ids", "titles", "brands", "categories", "prices"):
        assert getattr(copied.catalogue, name) == getattr(literal.catalogue, name)


@pytest.mark.parametrize(
    "broken", ["{u'username': u'x', u'date': ", "{u'username': __import__('os').getcwd()}", "nonsense", "[1]"]
)
def test_a_broken_line_of_steam_is_named(tmp_path: Path, broken: str) -> None:
    paths = _steam(tmp_path, [*STEAM_REVIEWS, broken], STEAM_GAMES)
    with pytest.raises(DataError, match=r"steam_reviews\.json\.gz, line 4: n(either JSON nor|ot a JSON obj)"):
        read_steam(paths)


@pytest.mark.parametrize("broken", ['{"user_id": "u-a", "business_id"', "{'user_id': 'a literal'}"])
def test_a_broken_line_of_yelp_is_named(tmp_path: Path, broken: str) -> None:
    paths = _yelp(tmp_path, [json.dumps(REVIEWS[0]), broken])
    with pytest.raises(DataError, match=r"yelp_academic_dataset_review\.json, line 2: not JSON"):
        read_yelp(paths)
