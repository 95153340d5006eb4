"""Files that could be read in two ways are refused by name, or say so; nothing is guessed in silence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_split import first_users
from submission_files import named_lists
from submission_shapes import LISTS, ROWS, Named, Shape, one_a_user, score, table

from bench.schema import NO_ITEM, Rankings, Split
from bench.submission import Choices, Submission, read_submission


@pytest.fixture(scope="module")
def small(sample_split: Split) -> Split:
    return first_users(sample_split, 60)


@pytest.fixture(scope="module")
def meant(small: Split) -> Rankings:
    rng = np.random.default_rng(4)
    lists = np.full((len(small.user_ids), 50), NO_ITEM, dtype=np.int32)
    lists[:, :10] = [rng.permutation(len(small.catalogue))[:10] for _ in small.user_ids]
    return lists


@pytest.fixture(scope="module")
def named(small: Split, meant: Rankings) -> Named:
    return named_lists(small, meant)


def read(body: str | bytes, split: Split, folder: Path, **choices: Any) -> Submission:
    path = folder / "file"
    path.write_bytes(body if isinstance(body, bytes) else body.encode())
    return read_submission(path, split, choices=Choices(**choices))


def histories(split: Split) -> Named:
    ids = split.catalogue.item_ids
    return [
        (user, [ids[item] for item in split.test.histories[row]]) for row, user in enumerate(split.user_ids)
    ]


def targets(split: Split) -> dict[str, str]:
    ids = split.catalogue.item_ids
    return {user: ids[item] for user, item in zip(split.user_ids, split.test.targets, strict=True)}


# Two columns that could be the items ----------------------------------------------------------------


def test_two_columns_of_items_are_refused_and_the_submitter_decides(
    small: Split, named: Named, meant: Rankings, tmp_path: Path
) -> None:
    """The true item beside the recommended list; in parquet, JSON lines, an array and CSV."""
    truth = targets(small)
    columns = {
        "user_id": [user for user, _ in named],
        "item_id": [truth[user] for user, _ in named],
        "recommendations": [items for _, items in named],
    }
    pq.write_table(pa.table(columns), tmp_path / "parquet")
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    bodies: list[str | bytes] = [
        (tmp_path / "parquet").read_bytes(),
        "".join(json.dumps(row) + "\n" for row in rows),
        json.dumps(rows),
        json.dumps(columns),
        "user_id,item_id,recommendations\n"
        + "".join(f"{user},{truth[user]},{' '.join(items)}\n" for user, items in named),
    ]
    for body in bodies:
        text = str(read(body, small, tmp_path).report)
        assert "'item_id' (the test targets) and the lists in 'recommendations' could be the items" in text
        assert "--item COLUMN" in text
        chosen = read(body, small, tmp_path, item="recommendations")
        assert chosen.report.ok, str(chosen.report)
        np.testing.assert_array_equal(chosen.rankings, meant)
        assert "the lists are the test targets" in str(read(body, small, tmp_path, item="item_id").report)


def test_recommendations_beside_the_histories(
    small: Split, named: Named, meant: Rankings, tmp_path: Path
) -> None:
    rows = [
        {"user_id": user, "item_ids": own, "prompt": "x", "recommendations": items}
        for (user, own), (_, items) in zip(histories(small), named, strict=True)
    ]
    body = "".join(json.dumps(row) + "\n" for row in rows)
    text = str(read(body, small, tmp_path).report)
    assert "the lists in 'item_ids' (the users' own histories) and the lists in 'recommendations'" in text
    np.testing.assert_array_equal(read(body, small, tmp_path, item="recommendations").rankings, meant)


def test_row_numbers_of_items_beside_true_ids_are_not_passed_over(small: Split, tmp_path: Path) -> None:
    """The lists hold numbers of another kind; the column that fits must not be taken in their place."""
    ids = small.catalogue.item_ids
    rows = [
        {"user_id": user, "last": ids[small.test.histories[row][-1]], "recommendations": [5, 8, 1000]}
        for row, user in enumerate(small.user_ids)
    ]
    assert "'last' and the lists in 'recommendations'" in str(read(json.dumps(rows), small, tmp_path).report)


# Numbers beside no known order ------------------------------------------------------------------------

UNKNOWN: dict[str, Shape] = {
    "weight": table("user_id,item_id,weight", lambda u, i, p: f"{u},{i},{score(p)}"),
    "points": table("kunde,artikel,punkte", lambda u, i, p: f"{u},{i},{score(p)}"),
    "without a name": table("", lambda u, i, p: f"{u}\t{i}\t{score(p)}"),
    "rising, without a name": table("", lambda u, i, p: f"{u}\t{i}\t{0.1 * p:.2f}", shuffled=False),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_numbers_of_unknown_meaning_are_refused_and_can_be_named(
    name: str, small: Split, named: Named, meant: Rankings, tmp_path: Path
) -> None:
    body = UNKNOWN[name](named)
    refused = read(body, small, tmp_path)
    assert not refused.report.ok and "may order the items" in str(refused.report)
    assert all(word in str(refused.report) for word in ("--order COLUMN", "--ascending", "--order file"))
    column = {"weight": "weight", "points": "punkte"}.get(name, "3")
    chosen = read(body, small, tmp_path, order=column, ascending=name.startswith("rising"))
    assert chosen.report.ok, str(chosen.report)
    np.testing.assert_array_equal(chosen.rankings, meant)


def test_two_known_orders_are_refused(small: Split, named: Named, meant: Rankings, tmp_path: Path) -> None:
    """Spark's transform keeps the true rating beside the predicted one."""
    body = table("user,item,rating,prediction", lambda u, i, p: f"{u},{i},{p % 5},{score(p)}")(named)
    assert isinstance(body, str)
    text = str(read(body, small, tmp_path).report)
    assert "'rating' and 'prediction' could order the items" in text and "--order COLUMN" in text
    np.testing.assert_array_equal(read(body, small, tmp_path, order="prediction").rankings, meant)


def test_rank_zero_on_every_line(small: Split, named: Named, meant: Rankings, tmp_path: Path) -> None:
    body = table("", lambda u, i, p: f"{u} Q0 {i} 0 {score(p)} beir")(named)
    text = str(read(body, small, tmp_path).report)
    assert "ranks given to several items of a user (60)" in text and "--order score" in text
    np.testing.assert_array_equal(read(body, small, tmp_path, order="score").rankings, meant)


# Directions -------------------------------------------------------------------------------------------


def test_distances_called_scores(small: Split, named: Named, meant: Rankings, tmp_path: Path) -> None:
    """Rows, objects and lists: a warning or a refusal, and a word that mends it."""
    rows = table("user_id,item_id,score", lambda u, i, p: f"{u},{i},{0.1 * p:.1f}", shuffled=False)(named)
    keyed = json.dumps({u: {i: 0.1 * p for p, i in enumerate(items)} for u, items in named})
    for body in (rows, keyed):
        warned = read(body, small, tmp_path)
        assert warned.report.ok
        assert "users whose scores run against the order of the file" in str(warned.report)
        assert "--ascending" in str(warned.report)
    lists = "".join(
        json.dumps({"user_id": u, "item_ids": items, "scores": [0.1 * p for p in range(len(items))]}) + "\n"
        for u, items in named
    )
    refused = read(lists, small, tmp_path)
    assert "lists whose order disagrees with scores (60)" in str(refused.report)
    assert "--order file" in str(refused.report)
    for body in (rows, keyed, lists):
        mended = read(body, small, tmp_path, ascending=True)
        assert mended.report.ok and not mended.report.warnings, str(mended.report)
        np.testing.assert_array_equal(mended.rankings, meant)


@pytest.mark.parametrize("name", ["rows: order.csv", "lists: lists.json", "lists: wide.csv"])
def test_a_direction_without_anything_to_direct_is_refused(
    name: str, small: Split, named: Named, tmp_path: Path
) -> None:
    kind, _, key = name.partition(": ")
    body = {"rows": ROWS, "lists": LISTS}[kind][key](named)
    assert "--ascending could be said of" in str(read(body, small, tmp_path, ascending=True).report)


@pytest.mark.parametrize(
    "shape",
    [
        table("user_id,item_id", lambda u, i, p: f"{u},{i}", shuffled=False),
        LISTS["lists.json"],
        LISTS["blanks.csv"],
        LISTS["lists.parquet"],
    ],
)
def test_lists_in_the_order_of_their_ids_are_refused(
    shape: Shape, small: Split, named: Named, tmp_path: Path
) -> None:
    """A table that was sorted, or a set: what the model preferred is lost."""
    lists = [(user, sorted(items)) for user, items in named]
    refused = read(shape(lists), small, tmp_path)
    assert "lists whose items stand in the order of their ids" in str(refused.report)
    assert read(shape(lists), small, tmp_path, order="file").report.ok
    same = [(user, sorted(named[0][1])) for user, _ in named]  # one list for all may be so by chance
    assert read(shape(same), small, tmp_path).report.ok


TIED: dict[str, Shape] = {
    "rows": table("user_id,item_id,score", lambda u, i, p: f"{u},{i},1.0", shuffled=False),
    "object": lambda lists: json.dumps({u: dict.fromkeys(items, 1.0) for u, items in lists}),
    "lists": lambda lists: json.dumps(
        [{"user_id": u, "item_ids": items, "scores": [1.0] * len(items)} for u, items in lists]
    ),
    "pairs": lambda lists: json.dumps({u: [[item, 1.0] for item in items] for u, items in lists}),
}


@pytest.mark.parametrize("name", TIED)
def test_equal_scores_keep_the_order_of_the_file_and_are_told_in_every_shape(
    name: str, small: Split, named: Named, meant: Rankings, tmp_path: Path
) -> None:
    submission = read(TIED[name](named), small, tmp_path)
    assert submission.report.ok
    np.testing.assert_array_equal(submission.rankings, meant)
    assert "users with equal scores, kept in the order of the file (60)" in str(submission.report)


def test_ranks_that_do_not_begin_at_the_best_are_told(small: Split, named: Named, tmp_path: Path) -> None:
    for first, told in ((0, False), (1, False), (2, True)):
        body = table("user_id,item_id,rank", lambda u, i, p, first=first: f"{u},{i},{p + first}")(named)
        assert ("users whose ranks begin above 1" in str(read(body, small, tmp_path).report)) == told


def test_rows_in_no_order_at_all_are_not_called_sorted(small: Split, named: Named, tmp_path: Path) -> None:
    text = str(read(table("user_id,item_id", lambda u, i, p: f"{u},{i}")(named), small, tmp_path).report)
    assert "users with more than one list" in text and "order of their ids" not in text


# The data themselves ----------------------------------------------------------------------------------


def interactions(split: Split, *, with_targets: bool) -> str:
    rows = ["user_id:token\titem_id:token\trating:float\ttimestamp:float"]
    for user, items in histories(split):
        whole = [*items, targets(split)[user]] if with_targets else items
        rows += [f"{user}\t{item}\t5.0\t{1.4e9 + place}" for place, item in enumerate(dict.fromkeys(whole))]
    return "\n".join(rows) + "\n"


def test_the_users_own_histories_are_recognised_whatever_they_are_called(
    small: Split, tmp_path: Path
) -> None:
    own = [(user, list(dict.fromkeys(items))) for user, items in histories(small)]
    bodies = [
        interactions(small, with_targets=False),
        interactions(small, with_targets=True),
        LISTS["lists.json"](own),
        LISTS["keys.jsonl"](own),
        LISTS["lists.parquet"]([(user, items[::-1]) for user, items in own]),
    ]
    for body in bodies:
        assert "the lists are the users' own histories" in str(read(body, small, tmp_path).report)


def test_a_file_of_the_recbole_kind_is_data(small: Split, tmp_path: Path) -> None:
    body = one_a_user(
        "user_id:token\titem_id_list:token_seq\titem_id:token",
        lambda u, items: f"{u}\t{' '.join(items)}\t{targets(small)[u]}",
    )(histories(small))
    assert isinstance(body, str)
    text = str(read(body, small, tmp_path).report)
    assert "(the users' own histories)" in text and "(the test targets)" in text
    assert "these are the data and no recommendations" in text


def test_the_test_targets_are_recognised(small: Split, tmp_path: Path) -> None:
    one_each = [(user, [item]) for user, item in targets(small).items()]
    bodies = [
        LISTS["lists.json"](one_each),
        table("user,movie", lambda u, i, p: f"{u},{i}")(one_each),
        table("user_id,item_id,rank", lambda u, i, p: f"{u},{i},1")(one_each),
    ]
    for body in bodies:
        assert "the lists are the test targets" in str(read(body, small, tmp_path).report)


# Other faults, each with what to do -------------------------------------------------------------------

MESSAGES: list[tuple[str, str]] = [
    ("user_id,item_id\n" + "7,8\n" * 3, "not row numbers of your own"),
    ("user_id,title\nC0000,Rose Soap\n", "if these are generated texts, say --texts"),
    ("item_id,rank\nP000,1\n", "name it with --user COLUMN"),
    ("user,uid,item\nC0000,C0001,P000\n", "'user' and 'uid' could be the users; say which with --user"),
    ("user_id,item_ids\nC0000,\"['P000' 'P001' ... 'P009']\"\n", "line 2: the list is cut short by '...'"),
    ("user_id,item_ids\nC0000,\"{'P000', 'P001'}\"\n", "line 2: a set, which keeps no order"),
    ("user_id,item_ids\nC0000,\"['P000', ['P001'\"\n", "line 2: a list whose bracket is never closed"),
    ('[{"user_id": "C0000"}, 3]', "is an array of dict, int, not of objects"),
    ('{"user_id": ["C0000"], "item_ids": [["P000"], ["P001"]]}', "columns of different lengths"),
    ('[["C0000", ["P000"]], ["C0001"]]', "nor of rows of one length"),
    ('{"user": "C0000", "items": ["P000"]}\n{"user": "C0001"}\n', "line 2: needs 'user', 'items', has"),
    ('{"user_id": "C0000", "recs": [{"item_id": "P000", "a": 1, "b": 2}]}\n', "which one orders them"),
    ('{"C0000": {"P000": 1.0}, "C0000": {"P001": 1.0}}', "the key 'C0000' stands twice"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "message"), MESSAGES)
def test_what_is_wrong_is_said_with_what_to_do(body: str, message: str, small: Split, tmp_path: Path) -> None:
    submission = read(body, small, tmp_path)
    assert not submission.report.ok and message in str(submission.report), str(submission.report)


def test_a_column_that_is_not_there_is_named_with_those_that_are(
    small: Split, named: Named, tmp_path: Path
) -> None:
    body = ROWS["lenskit.csv"](named)
    for choice in ({"user": "person"}, {"item": "thing"}, {"order": "quality"}):
        text = str(read(body, small, tmp_path, **choice).report)
        (word,) = choice.values()
        assert f"no column '{word}'" in text and "'user', 'item', 'rank', 'score'" in text


def test_padding_is_left_out_unless_it_is_an_item(small: Split, named: Named, tmp_path: Path) -> None:
    import dataclasses

    padded = [(user, [*items, "-1", "[PAD]"]) for user, items in named]
    assert read(LISTS["lists.json"](padded), small, tmp_path).report.rows == 600
    ids = ("-1", *small.catalogue.item_ids[1:])
    with_item = dataclasses.replace(small, catalogue=dataclasses.replace(small.catalogue, item_ids=ids))
    with_one = [(user, [*(item for item in items if item != "P000"), "-1"]) for user, items in named]
    submission = read(LISTS["lists.json"](with_one), with_item, tmp_path)
    assert submission.report.ok and (submission.rankings == 0).any(axis=1).all()
