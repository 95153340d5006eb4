"""Every shape of file gives the lists that were meant, and says which columns it took for them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from small_split import first_users, whole_numbers
from submission_files import named_lists
from submission_shapes import LISTS, PACKINGS, ROWS, Named, Shape

from bench.schema import NO_ITEM, Rankings, Split
from bench.submission import Choices, Submission, read_submission

SHAPES = {
    f"{kind}: {name}": shape for kind, of in (("rows", ROWS), ("lists", LISTS)) for name, shape in of.items()
}
TEXTS = {name: shape for name, shape in SHAPES.items() if not name.endswith(".parquet")}


@pytest.fixture(scope="module")
def small(sample_split: Split) -> Split:
    return first_users(sample_split, 60)


@pytest.fixture(scope="module")
def meant(small: Split) -> Rankings:
    """Ten items a user, in random order."""
    rng = np.random.default_rng(3)
    lists = np.full((len(small.user_ids), 50), NO_ITEM, dtype=np.int32)
    lists[:, :10] = [rng.permutation(len(small.catalogue))[:10] for _ in small.user_ids]
    return lists


@pytest.fixture(scope="module")
def named(small: Split, meant: Rankings) -> Named:
    return named_lists(small, meant)


def read(shape: Shape, lists: Named, split: Split, folder: Path, **options) -> Submission:
    body = shape(lists)
    path = folder / "file"
    path.write_bytes(body if isinstance(body, bytes) else body.encode())
    return read_submission(path, split, **options)


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_gives_the_lists_that_were_meant(
    name: str, small: Split, named: Named, meant: Rankings, tmp_path: Path
) -> None:
    submission = read(SHAPES[name], named, small, tmp_path)
    assert submission.report.ok, str(submission.report)
    np.testing.assert_array_equal(submission.rankings, meant)
    said = submission.report.reading
    assert said.startswith("users from ") and ", items from " in said and ", order from " in said
    assert f"read: {said}; 600 items" in str(submission.report)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("bare", [False, True])
def test_ids_that_are_whole_numbers_are_no_scores(
    name: str, bare: bool, small: Split, meant: Rankings, tmp_path: Path
) -> None:
    """Users, items, ranks and scores may all look alike; `bare`: JSON holds numbers, not texts."""
    split = whole_numbers(small)

    def shape(lists: Named) -> str | bytes:
        body = SHAPES[name](lists)
        if isinstance(body, str) and bare and name.endswith(("json", "jsonl")):
            return re.sub(r'"(\d+)"(?!:)', r"\1", body)
        return body

    submission = read(shape, named_lists(split, meant), split, tmp_path)
    if submission.report.ok:
        np.testing.assert_array_equal(submission.rankings, meant)
    else:
        assert "columns are not clear" in str(submission.report), str(submission.report)
        assert name in UNCLEAR, str(submission.report)


UNCLEAR = ("lists: keys.jsonl", "lists: wide-index.csv", "lists: wide-plain.csv")
"""Shapes whose columns of whole numbers cannot be told apart without a word of the submitter."""


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize(
    "name", ["rows: microsoft.csv", "rows: trec.run", "lists: array.json", "lists: keys.jsonl"]
)
def test_every_packing_and_encoding(
    packing: str, name: str, small: Split, named: Named, meant: Rankings, tmp_path: Path
) -> None:
    def packed(lists: Named) -> bytes:
        body = SHAPES[name](lists)
        assert isinstance(body, str)
        return PACKINGS[packing](body.encode())

    submission = read(packed, named, small, tmp_path)
    assert submission.report.ok, str(submission.report)
    np.testing.assert_array_equal(submission.rankings, meant)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "rows: microsoft.csv",
            "users from 'userID', items from 'itemID', order from 'prediction', highest first",
        ),
        ("rows: distance.csv", "order from 'distance', lowest first"),
        ("rows: lenskit.csv", "order from 'rank', lowest first"),
        ("rows: order.csv", "order from the rows as they stand, first is best"),
        ("rows: elliot.tsv", "users from 'user', items from 'item', order from 'score', highest first"),
        (
            "lists: wide.csv",
            "items from the columns 'item_1' to 'item_10', order from the numbers of the columns",
        ),
        ("lists: scores.json", "users from the object's keys, items from the lists in the object's values"),
        (
            "lists: keys.jsonl",
            "users from 'user', items from the lists in 'recs', order from the lists, first is",
        ),
    ],
)
def test_what_was_read_is_said(name: str, said: str, small: Split, named: Named, tmp_path: Path) -> None:
    assert said in read(SHAPES[name], named, small, tmp_path).report.reading
    # a refused file says it too
    assert said in read(SHAPES[name], named[:30], small, tmp_path).report.reading


@pytest.mark.parametrize("name", SHAPES)
def test_users_without_an_answer_are_missing_in_every_shape(
    name: str, small: Split, named: Named, tmp_path: Path
) -> None:
    """An absent user and, where the shape can say it, an empty list: one count, one rule, one mark."""
    files = [named[2:]]
    if name.startswith("lists: ") and "wide" not in name and "numpy" not in name and "fixed" not in name:
        files.append([*((user, []) for user, _ in named[:2]), *named[2:]])
    for lists in files:
        refused = read(SHAPES[name], lists, small, tmp_path)
        assert not refused.report.ok and refused.report.missing_users == 2, str(refused.report)
        assert "users without an answer, over 1% of all (2)" in str(refused.report)
        partial = read(SHAPES[name], lists, small, tmp_path, allow_partial=True)
        assert partial.report.ok and partial.report.too_many_missing, str(partial.report)


def test_a_user_whose_items_are_all_unknown_is_missing_too(
    small: Split, named: Named, tmp_path: Path
) -> None:
    lists = [(user, ["nothing"] if at == 0 else items) for at, (user, items) in enumerate(named)]
    report = read(LISTS["lists.json"], lists, small, tmp_path).report
    assert report.missing_users == 1 and "items that are not in the data set (1)" in str(report)


@pytest.mark.parametrize("name", SHAPES)
def test_the_submitters_word_decides_in_every_shape(
    name: str, small: Split, named: Named, meant: Rankings, tmp_path: Path
) -> None:
    """The order of the file, chosen: what comes out is the order in which the items stand."""
    submission = read(SHAPES[name], named, small, tmp_path, choices=Choices(order="file"))
    if submission.rankings is None:  # rows in no order cannot be taken as they stand
        assert "users with more than one list" in str(submission.report), str(submission.report)
        return
    kept = submission.rankings[:, :10]
    np.testing.assert_array_equal(np.sort(kept, axis=1), np.sort(meant[:, :10], axis=1))
    assert "order from" in submission.report.reading
