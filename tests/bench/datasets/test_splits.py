from __future__ import annotations

import hashlib
import json
import random
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from amazon_files import DAY, json_lines, literal_lines, read_rows, review, write_pair
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.datasets import DATASETS
from bench.datasets.amazon.files import read_amazon
from bench.datasets.splits import leave_one_out, load_split
from bench.errors import ConfigError, DataError
from bench.schema import Catalogue, Interactions, Split


def interactions(
    rows: Sequence[tuple[int, int, int]], users: int | None = None, items: int | None = None
) -> Interactions:
    """Build from (user, item, Unix seconds) in file order."""
    columns = np.array(rows, dtype=np.int64).reshape(-1, 3)
    user_count = users if users is not None else int(columns[:, 0].max()) + 1
    item_count = items if items is not None else int(columns[:, 1].max()) + 1
    return Interactions(
        user_ids=tuple(f"u{user:03d}" for user in range(user_count)),
        catalogue=Catalogue(
            item_ids=tuple(f"i{item}" for item in range(item_count)),
            titles=tuple(f"title {item}" for item in range(item_count)),
            brands=(None,) * item_count,
            categories=((),) * item_count,
            prices=(None,) * item_count,
        ),
        users=columns[:, 0].astype(np.int32),
        items=columns[:, 1].astype(np.int32),
        timestamps=columns[:, 2],
    )


def sequences(split: Split) -> list[list[int]]:
    """Each user's whole sequence: test history and target."""
    pairs = zip(split.test.histories, split.test.targets.tolist(), strict=True)
    return [[*history.tolist(), target] for history, target in pairs]


def test_order_is_time_then_file_order() -> None:
    rows = [(0, 3, 9 * DAY), (1, 0, 5 * DAY), (0, 2, DAY), (1, 1, 5 * DAY), (0, 1, 9 * DAY), (1, 2, 4 * DAY)]
    split = leave_one_out(interactions(rows), dataset="toy")
    assert sequences(split) == [[2, 3, 1], [2, 0, 1]]
    assert split.same_day.tolist() == [True, True]
    assert split.user_ids == ("u000", "u001")
    assert (split.dataset, split.name, split.ties) == ("toy", "leave-one-out", "file")
    assert (split.interactions, split.users_dropped) == (6, 0)


def test_same_day_is_about_days_not_seconds() -> None:
    rows = [(0, 0, 0), (0, 1, DAY - 1), (0, 2, DAY), (1, 0, 0), (1, 1, DAY), (1, 2, 2 * DAY - 1)]
    assert leave_one_out(interactions(rows), dataset="toy").same_day.tolist() == [False, True]


def test_users_with_under_three_purchases_are_dropped_and_counted() -> None:
    rows = [(0, 0, 1), (0, 1, 2), (2, 1, 1), (2, 2, 2), (2, 0, 3), (3, 3, 1)]
    split = leave_one_out(interactions(rows, users=5), dataset="toy")
    assert split.user_ids == ("u002",)
    assert sequences(split) == [[1, 2, 0]]
    assert split.test.histories.users.tolist() == [0]
    assert (split.users_dropped, split.interactions, len(split.catalogue)) == (4, 3, 4)


def test_nothing_left_to_split() -> None:
    with pytest.raises(DataError, match="toy: no user has 3 purchases or more"):
        leave_one_out(interactions([(0, 0, 1), (0, 1, 2)]), dataset="toy")
    with pytest.raises(DataError, match="no user has 3 purchases"):
        leave_one_out(interactions([], users=0, items=0), dataset="toy")


@pytest.mark.parametrize(
    "ties", ["File", "shuffled", "shuffled:", "shuffled:-1", "shuffled:x", "shuffled:12345678901", ""]
)
def test_unknown_tie_rule(ties: str) -> None:
    with pytest.raises(ConfigError, match=r"Allowed: file, shuffled:<seed>"):
        load_split("sample", ties=ties)


def test_an_unknown_tie_rule_is_named_beside_all_that_are_allowed() -> None:
    with pytest.raises(ConfigError) as caught:
        load_split("sample", ties="alphabetical")
    assert str(caught.value) == (
        "unknown tie rule 'alphabetical'. Allowed: file, shuffled:<seed> (such as shuffled:0), "
        "shuffled-day:<seed>"
    )


def test_untitled_items_are_dropped_before_the_split(tmp_path: Path) -> None:
    items = [
        {"asin": "A", "title": "a"},
        {"asin": "B", "title": "b"},
        {"asin": "C", "title": "c"},
        {"asin": "N"},
    ]
    rows = [review("U1", item, day) for day, item in enumerate("ABCN")]  # the last one has no title
    rows += [review("U2", item, day) for day, item in enumerate("NAB")]  # two are left
    split = leave_one_out(read_rows(tmp_path, rows, items), dataset="toy")
    assert split.user_ids == ("U1",) and split.users_dropped == 1
    assert sequences(split) == [[0, 1, 2]]


# Against a plain implementation


def plain_leave_one_out(data: Interactions) -> tuple[list[list[int]], list[int]]:
    """The protocol with dictionaries and lists; gives the sequences and the validation users' rows."""
    by_user: dict[str, list[tuple[int, int, int]]] = {}
    for place in range(len(data)):
        user = data.user_ids[data.users[place]]
        by_user.setdefault(user, []).append((int(data.timestamps[place]), place, int(data.items[place])))
    kept = sorted(user for user, purchases in by_user.items() if len(purchases) >= 3)
    state = random.getstate()
    random.seed(42)
    validation = random.sample(kept, int(0.05 * len(kept)))
    random.setstate(state)
    ordered = [[item for _, _, item in sorted(by_user[user])] for user in kept]
    return ordered, sorted(kept.index(user) for user in validation)


def assert_is_leave_one_out(split: Split, ordered: list[list[int]], validation: list[int]) -> None:
    assert sequences(split) == ordered
    assert split.test.histories.users.tolist() == list(range(len(ordered)))
    assert split.validation.histories.users.tolist() == validation
    assert [history.tolist() for history in split.validation.histories] == [
        ordered[u][:-2] for u in validation
    ]
    assert split.validation.targets.tolist() == [ordered[u][-2] for u in validation]
    held_out = [2 if user in set(validation) else 1 for user in range(len(ordered))]
    assert [row.tolist() for row in split.train] == [
        sequence[:-held] for sequence, held in zip(ordered, held_out, strict=True)
    ]


many_rows = st.integers(1, 60).flatmap(
    lambda users: st.lists(
        st.tuples(st.integers(0, users - 1), st.integers(0, 9), st.integers(0, 4).map(lambda day: day * DAY)),
        min_size=3,
        max_size=300,
    )
)


@given(many_rows)
@settings(max_examples=150, deadline=None)
def test_equals_a_plain_implementation(rows: list[tuple[int, int, int]]) -> None:
    data = interactions(rows)
    ordered, validation = plain_leave_one_out(data)
    if not ordered:
        with pytest.raises(DataError):
            leave_one_out(data, dataset="toy")
        return
    assert_is_leave_one_out(leave_one_out(data, dataset="toy"), ordered, validation)


def test_equals_a_plain_implementation_with_validation_users() -> None:
    rng = np.random.default_rng(0)
    rows = [
        (user, item, int(rng.integers(4)) * DAY)
        for user in range(90)
        for item in range(int(rng.integers(1, 9)))
    ]
    data = interactions([rows[place] for place in rng.permutation(len(rows))])
    ordered, validation = plain_leave_one_out(data)
    assert len(validation) == int(0.05 * len(ordered)) >= 3
    assert_is_leave_one_out(leave_one_out(data, dataset="toy"), ordered, validation)


def test_validation_users_are_those_of_the_protocol() -> None:
    rows = [(user, item, item) for user in range(100) for item in range(3)]
    split = leave_one_out(interactions(rows), dataset="toy")
    random.seed(42)
    drawn = random.sample(sorted(f"u{user:03d}" for user in range(100)), 5)
    assert {split.user_ids[user] for user in split.validation.histories.users} == set(drawn)
    before = random.getstate()
    leave_one_out(interactions(rows), dataset="toy")
    assert random.getstate() == before  # the global seed is left alone


@given(many_rows, st.integers(0, 3))
@settings(max_examples=100, deadline=None)
def test_shuffling_moves_purchases_only_inside_their_day(rows: list[tuple[int, int, int]], seed: int) -> None:
    data = interactions(rows)
    counts = np.bincount(data.users)
    if counts.max() < 3:
        return
    plain = leave_one_out(data, dataset="toy")
    shuffled = leave_one_out(data, dataset="toy", ties=f"shuffled:{seed}")
    days = {
        user: sorted(data.timestamps[data.users == user].tolist())
        for user in np.flatnonzero(counts >= 3).tolist()
    }
    for day_list, before, after in zip(days.values(), sequences(plain), sequences(shuffled), strict=True):
        assert sorted(zip(day_list, before, strict=True)) == sorted(zip(day_list, after, strict=True))
    assert shuffled.same_day.tolist() == plain.same_day.tolist()
    assert shuffled.fingerprint != plain.fingerprint


def test_shuffling_is_random_and_repeatable() -> None:
    rows = [(user, item, DAY) for user in range(400) for item in range(4)]
    data = interactions(rows)
    first, again, other = (leave_one_out(data, dataset="toy", ties=f"shuffled:{seed}") for seed in (0, 0, 1))
    assert first.fingerprint == again.fingerprint != other.fingerprint
    assert sequences(first) == sequences(again) != sequences(other)
    counts = np.bincount(first.test.targets, minlength=4)  # 100 expected, standard deviation under 9
    assert counts.min() > 60 and counts.max() < 140


def test_shuffling_does_not_depend_on_how_users_are_mixed_in_the_file() -> None:
    rows = [(user, item, DAY) for user in range(30) for item in range(4)]
    mixed = sorted(rows, key=lambda row: (row[1], -row[0]))
    splits = [leave_one_out(interactions(order), dataset="toy", ties="shuffled:7") for order in (rows, mixed)]
    assert splits[0].fingerprint == splits[1].fingerprint


# The fingerprint


def documented_fingerprint(split: Split, times: list[int]) -> str:
    """The canonical form as the module documents it, written out again."""
    ordered = sequences(split)

    def numbers(values: Sequence[int]) -> bytes:
        return b"".join(struct.pack("<q", value) for value in values)

    def texts(values: Sequence[str]) -> bytes:
        return json.dumps(list(values), separators=(",", ":")).encode()

    parts = [
        b"genrec-bench/1",
        split.name.encode(),
        split.ties.encode(),
        texts(split.user_ids),
        texts(split.catalogue.item_ids),
        texts(split.catalogue.titles),
        numbers([len(sequence) for sequence in ordered]),
        numbers([item for sequence in ordered for item in sequence]),
        numbers(times),
        numbers(split.validation.histories.users.tolist()),
    ]
    return hashlib.sha256(b"".join(struct.pack("<q", len(part)) + part for part in parts)).hexdigest()


def test_fingerprint_is_the_documented_one() -> None:
    rows = [(user, (user + item) % 5, item * DAY) for user in range(25) for item in range(4)]
    split = leave_one_out(interactions(rows), dataset="toy")
    assert split.fingerprint == documented_fingerprint(
        split, [item * DAY for _ in range(25) for item in range(4)]
    )


RAW_ITEMS = [{"asin": item, "title": f"title {item}", "brand": "b"} for item in "CABD"]
RAW_REVIEWS = [review(user, item, day) for user in ("U1", "U2") for day, item in enumerate("ABCD", start=3)]


def fingerprint_of(folder: Path, reviews: bytes, metadata: bytes, *, packed: bool = True) -> str:
    return leave_one_out(
        read_amazon(*write_pair(folder, reviews, metadata, packed=packed)), dataset="x"
    ).fingerprint


def test_fingerprint_is_about_content_not_bytes(tmp_path: Path) -> None:
    standard = fingerprint_of(tmp_path, json_lines(RAW_REVIEWS), literal_lines(RAW_ITEMS))
    thin = [{k: row[k] for k in ("unixReviewTime", "asin", "reviewerID")} for row in RAW_REVIEWS]
    turned = [dict(reversed(item.items())) | {"price": 1.0, "related": {}} for item in RAW_ITEMS]
    more = [{"asin": "Z", "title": "not bought"}, *RAW_ITEMS]
    by_user_last = sorted(RAW_REVIEWS, key=lambda row: (row["asin"], row["reviewerID"]))
    spaced = [{**item, "title": f"  {item['title']}  "} for item in RAW_ITEMS]
    for reviews, items in (
        (thin, RAW_ITEMS),
        (RAW_REVIEWS, turned),
        (RAW_REVIEWS, more),
        (by_user_last, RAW_ITEMS),
        (RAW_REVIEWS, spaced),
    ):
        assert fingerprint_of(tmp_path, json_lines(reviews), literal_lines(items), packed=False) == standard


def test_fingerprint_changes_with_every_part_of_the_content(tmp_path: Path) -> None:
    first = RAW_REVIEWS[0]
    variants = {
        "standard": (RAW_REVIEWS, RAW_ITEMS),
        "user": ([{**row, "reviewerID": row["reviewerID"] + "x"} for row in RAW_REVIEWS], RAW_ITEMS),
        "time": ([{**first, "unixReviewTime": first["unixReviewTime"] + 1}, *RAW_REVIEWS[1:]], RAW_ITEMS),
        "order": ([{**first, "unixReviewTime": 99 * DAY}, *RAW_REVIEWS[1:]], RAW_ITEMS),
        "row": (RAW_REVIEWS[1:], RAW_ITEMS),
        "title": (RAW_REVIEWS, [{**RAW_ITEMS[0], "title": "other"}, *RAW_ITEMS[1:]]),
        "item order": (RAW_REVIEWS, RAW_ITEMS[::-1]),
    }
    found = {
        name: fingerprint_of(tmp_path, json_lines(reviews), literal_lines(items))
        for name, (reviews, items) in variants.items()
    }
    assert len(set(found.values())) == len(found), found


# The real data


@pytest.mark.real_data
def test_real_beauty_is_the_published_split(real_split: Split) -> None:
    assert len(real_split.user_ids) == len(real_split.train) == len(real_split.test) == 22_363
    assert (len(real_split.catalogue), real_split.interactions, len(real_split.validation)) == (
        12_094,
        198_371,
        1_118,
    )
    assert int(real_split.same_day.sum()) == 9_719
    assert real_split.users_dropped == 0
    assert len(real_split.train.items) == 198_371 - 22_363 - 1_118
    assert real_split.fingerprint == DATASETS["beauty2014"].fingerprints["file"]


@pytest.mark.real_data
def test_real_beauty_has_no_target_in_its_history(real_split: Split) -> None:
    histories = real_split.test.histories
    owners = np.repeat(np.arange(len(histories)), histories.lengths)
    assert not (histories.items == real_split.test.targets[owners]).any()


@pytest.mark.real_data
def test_real_beauty_shuffled(real_data_dir: Path, real_split: Split) -> None:
    shuffled = load_split("beauty2014", ties="shuffled:0", data_dir=real_data_dir)
    assert shuffled.fingerprint == DATASETS["beauty2014"].fingerprints["shuffled:0"] != real_split.fingerprint
    changed = int((shuffled.test.targets != real_split.test.targets).sum())
    # a user's target changes with chance 1 - 1/g, g the purchases of the last day: 6,433 expected
    assert 6_250 < changed < 6_620
    assert (shuffled.same_day == real_split.same_day).all()


@pytest.mark.real_data
def test_real_beauty_equals_a_plain_implementation(real_data_dir: Path, real_split: Split) -> None:
    from bench.datasets import load

    ordered, validation = plain_leave_one_out(load("beauty2014", real_data_dir))
    assert_is_leave_one_out(real_split, ordered, validation)
