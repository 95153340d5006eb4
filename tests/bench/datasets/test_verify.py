"""Copies that are not what their name says: the reason, and the first difference, are named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from amazon_files import json_lines, literal_lines, write_pair

from bench.datasets import DATASETS, load
from bench.datasets.amazon.editions import edition_of, read_category
from bench.datasets.entry import DatasetEntry
from bench.datasets.splits import leave_one_out
from bench.datasets.verify import part_digests, verify
from bench.schema import Interactions

SECONDS = 1_388_620_800
ROWS = [(f"U{user}", f"B{(user + n) % 5}", SECONDS + 86_400 * n) for user in range(6) for n in range(4)]
REVIEWS_2014 = [{"reviewerID": u, "asin": i, "overall": 5.0, "unixReviewTime": t} for u, i, t in ROWS]
ITEMS_2014 = [
    {
        "asin": f"B{n}",
        "title": f"Thing {n}",
        "brand": "Brandy",
        "categories": [["Music", "Horns"]],
        "price": 9.99,
    }
    for n in range(5)
]
REVIEWS = {
    "2014": REVIEWS_2014,
    "2018": [{**row, "verified": True, "style": {"Color:": " Red"}} for row in REVIEWS_2014],
    "2023": [
        {"user_id": u, "parent_asin": i, "asin": f"{i}-red", "rating": 5.0, "timestamp": t * 1000 + 123}
        for u, i, t in ROWS
    ],
}
ITEMS = {
    "2014": literal_lines(ITEMS_2014),
    "2018": json_lines(
        [
            {"asin": f"B{n}", "title": f"Thing {n}", "brand": "Brandy", "category": ["Music", "Horns"],
             "price": "$9.99", "also_buy": []}
            for n in range(5)
        ]
    ),
    "2023": json_lines(
        [
            {"parent_asin": f"B{n}", "title": f"Thing {n}", "store": "Brandy", "price": 9.99,
             "categories": ["Music", "Horns"]}
            for n in range(5)
        ]
    ),
}  # fmt: skip


def content(data: Interactions) -> tuple[object, ...]:
    catalogue = data.catalogue
    return (
        data.user_ids, catalogue.item_ids, catalogue.titles, catalogue.brands, catalogue.categories,
        catalogue.prices, data.users.tolist(), data.items.tolist(), data.timestamps.tolist(),
    )  # fmt: skip


@pytest.mark.parametrize("edition", ["2014", "2018", "2023"])
def test_every_edition_is_recognised_and_reads_alike(tmp_path: Path, edition: str) -> None:
    paths = write_pair(tmp_path, json_lines(REVIEWS[edition]), ITEMS[edition])
    assert edition_of(*paths) == edition
    data = read_category(paths)
    assert data.edition == edition
    published = write_pair(tmp_path / "2014", json_lines(REVIEWS_2014), ITEMS["2014"])
    assert content(data) == content(read_category(published))


def test_the_csv_of_2023(tmp_path: Path) -> None:
    rows = "\n".join(f"{u},{i},5.0,{t * 1000}" for u, i, t in ROWS)
    paths = write_pair(tmp_path, f"user_id,parent_asin,rating,timestamp\n{rows}\n".encode(), ITEMS["2023"])
    assert read_category(paths).timestamps.tolist() == [t for _, _, t in ROWS]


def test_another_edition_under_the_name_is_named(tmp_path: Path) -> None:
    data = read_category(write_pair(tmp_path, json_lines(REVIEWS["2018"]), ITEMS["2018"]))
    entry = replace(DATASETS["instruments2014"], counts=None)
    found = verify(entry, data, leave_one_out(data, dataset="x"))
    assert not found.standard
    assert "the files are of the 2018 edition, not of 2014" in found.line


@pytest.mark.parametrize(
    "items",
    [
        json_lines([{**item, "brand": None, "categories": None} for item in ITEMS_2014]),
        ITEMS["2014"].replace(b"\n", b"\n\n", 2),
        b"\n" + ITEMS["2014"],
    ],
)
def test_strict_json_with_nulls_and_blank_lines_are_read(tmp_path: Path, items: bytes) -> None:
    data = read_category(write_pair(tmp_path, json_lines(REVIEWS_2014), items))
    assert data.catalogue.titles == tuple(f"Thing {n}" for n in range(5))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda t: t * 1000, "24 times lie in the future, such as 1388620800000: milliseconds?"),
        (lambda t: t * (1000 if t % 7 else 1), "lie in the future"),
        (lambda t: 0, "24 times lie before 1990, such as 0"),
    ],
)
def test_times_that_are_no_days(tmp_path: Path, change: object, reason: str) -> None:
    rows = [{**row, "unixReviewTime": change(row["unixReviewTime"])} for row in REVIEWS_2014]  # type: ignore[operator]
    data = read_category(write_pair(tmp_path, json_lines(rows), ITEMS["2014"]))
    found = verify(DATASETS["instruments2014"], data, leave_one_out(data, dataset="x"))
    assert not found.standard and reason in found.line


def test_items_without_metadata(tmp_path: Path) -> None:
    """Counts agree, but what will be used does not: purchases and users are lost."""
    data = read_category(write_pair(tmp_path, json_lines(REVIEWS_2014), literal_lines(ITEMS_2014[:3])))
    found = verify(replace(DATASETS["instruments2014"], counts=None), data, leave_one_out(data, dataset="x"))
    assert not found.standard
    assert (
        "the metadata say nothing of 2 bought items, so 9 purchases are lost and 3 users left" in found.line
    )


def changed(data: Interactions, part: str) -> Interactions:
    if part == "times":
        return replace(data, timestamps=data.timestamps + 86_400)
    if part == "purchases":
        return replace(data, items=np.roll(data.items, 1))
    if part == "titles":
        return replace(data, catalogue=replace(data.catalogue, titles=data.catalogue.titles[::-1]))
    if part == "items":
        return replace(data, catalogue=replace(data.catalogue, item_ids=data.catalogue.item_ids[::-1]))
    return replace(data, user_ids=tuple(f"x{user}" for user in data.user_ids))


@pytest.mark.parametrize("part", ["users", "items", "titles", "purchases", "times"])
def test_the_first_difference_is_said_where_the_counts_agree(part: str) -> None:
    data = changed(load("sample"), part)
    found = verify(DATASETS["sample"], data, leave_one_out(data, dataset="sample"))
    assert not found.standard
    assert f"the first difference is in the {part}" in found.line


def test_the_registered_digests_are_those_of_the_sample() -> None:
    data = load("sample")
    assert DATASETS["sample"].parts == part_digests(leave_one_out(data, dataset="sample"))


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["beauty2014", "sports2014", "ml100k"])
def test_real_copies_are_the_standard_ones(real_data_dir: Path, name: str) -> None:
    entry: DatasetEntry = DATASETS[name]
    if not (real_data_dir / entry.folder).is_dir():
        pytest.skip(f"the data folder holds no {entry.folder}/")
    data = load(name, real_data_dir)
    split = leave_one_out(data, dataset=name)
    assert verify(entry, data, split).standard and entry.parts == part_digests(split)


@pytest.mark.real_data
def test_real_toys_are_known_as_the_copy_with_estimated_times(real_data_dir: Path) -> None:
    entry = DATASETS["toys2014"]
    if not (real_data_dir / entry.folder).is_dir():
        pytest.skip(f"the data folder holds no {entry.folder}/")
    data = load("toys2014", real_data_dir)
    split = leave_one_out(data, dataset="toys2014")
    assert data.estimated_times == split.estimated_times == 2_166
    found = verify(entry, data, split)
    assert found.standard and "1.3 % of its times are estimated" in found.line


def test_a_first_line_that_is_no_json_is_left_to_the_reader(tmp_path: Path) -> None:
    paths = write_pair(tmp_path, b"{broken\n", ITEMS["2014"])
    assert edition_of(*paths) == "2014"
