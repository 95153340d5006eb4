"""The splits beside leave-one-out, on a shop whose every answer can be read off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.datasets.rules.split_rules import Plan, Sequences, parse_split, plan
from bench.datasets.splits import load_split, split_interactions
from bench.errors import ConfigError, DataError
from bench.schema import Catalogue, Histories, Interactions, Split

DAY = 86_400
ROWS = [  # user, item, day
    *[(0, item, day) for item, day in ((0, 1), (1, 2), (2, 8), (3, 9))],
    *[(1, item, day) for item, day in ((1, 1), (0, 3), (4, 4))],  # nothing after day 7
    *[(2, item, day) for item, day in ((5, 7), (0, 8), (1, 9))],  # nothing before day 7
    *[(3, item, day) for item, day in ((2, 3), (1, 4), (0, 7))],
]


def shop(rows: list[tuple[int, int, int]], seconds: int = DAY) -> Interactions:
    columns = np.array(rows, dtype=np.int64)
    items = int(columns[:, 1].max()) + 1
    return Interactions(
        user_ids=tuple(f"u{user}" for user in range(int(columns[:, 0].max()) + 1)),
        catalogue=Catalogue(
            item_ids=tuple(f"i{item}" for item in range(items)),
            titles=tuple(f"title {item}" for item in range(items)),
            brands=(None,) * items,
            categories=((),) * items,
            prices=(None,) * items,
        ),
        users=columns[:, 0].astype(np.int32),
        items=columns[:, 1].astype(np.int32),
        timestamps=columns[:, 2] * seconds,
    )


def made(name: str, ties: str = "file", rows: list[tuple[int, int, int]] = ROWS) -> Split:
    return split_interactions(shop(rows), dataset="toy", ties=ties, split=name)


def named(split: Split, histories: Histories) -> dict[str, list[int]]:
    """Each history by its user's id."""
    ids = split.user_ids + split.other_user_ids
    return {ids[user]: items.tolist() for user, items in zip(histories.users, histories, strict=True)}


def test_loo2_learns_nobodys_last_two() -> None:
    split = made("loo2")
    assert named(split, split.train) == {"u0": [0, 1], "u1": [1], "u2": [5], "u3": [2]}
    assert named(split, split.validation.histories) == named(split, split.train)
    assert split.validation.targets.tolist() == [2, 0, 0, 1]
    assert named(split, split.test.histories) == {"u0": [0, 1, 2], "u1": [1, 0], "u2": [5, 0], "u3": [2, 1]}
    assert split.test.targets.tolist() == [3, 4, 1, 0]
    assert (split.name, split.cut, split.unseen_users) == ("loo2", None, 0)


def test_time_asks_for_the_next_item_after_the_cut() -> None:
    split = made("time:1970-01-08")  # day 7 since the epoch begins it
    assert split.cut == 7 * DAY
    assert split.user_ids == ("u0", "u3")
    assert split.other_user_ids == ("u1",)
    assert named(split, split.train) == {"u0": [0, 1], "u3": [2, 1], "u1": [1, 0, 4]}
    assert named(split, split.test.histories) == {"u0": [0, 1], "u3": [2, 1]}
    assert split.test.targets.tolist() == [2, 0]
    assert split.unseen_users == 1  # u2, who has no history to answer from
    assert split.unseen_targets == 0
    assert split.same_day.tolist() == [False, False]


def test_time_loo_asks_for_the_last_item_with_the_whole_history() -> None:
    split = made("time-loo:1970-01-08")
    assert split.user_ids == ("u0", "u2", "u3")
    assert named(split, split.train) == {"u0": [0, 1], "u3": [2, 1], "u1": [1, 0, 4]}
    assert named(split, split.test.histories) == {"u0": [0, 1, 2], "u2": [5, 0], "u3": [2, 1]}
    assert split.test.targets.tolist() == [3, 1, 0]
    assert (split.unseen_users, split.unseen_targets) == (1, 1)  # u2; item 3


def test_a_quantile_is_the_share_of_purchases_before_the_cut() -> None:
    assert made("time:0.5").cut == 4 * DAY  # the seventh of 1 1 2 3 3 4 4 7 7 8 8 9 9
    assert made("time:0.5").name == made("time:.50").name == "time:0.5"
    assert made("time-loo").name == "time-loo:0.9"


def test_two_purchases_before_the_cut_are_enough_to_validate_on() -> None:
    rows = [(user, item, day) for user in range(20) for item, day in ((0, 1), (1, 2), (2, 9))]
    split = made("time:1970-01-08", rows=rows)
    assert len(split.validation) == 1  # 5 % of 20
    assert split.validation.targets.tolist() == [1]
    assert [items.tolist() for items in split.validation.histories] == [[0]]


def test_validation_users_are_drawn_from_those_who_have_two_purchases_to_spare() -> None:
    rows = [(user, item, day) for user in range(40) for item, day in ((0, 1), (1, 2), (2, 3), (3, 9))]
    rows += [(user, item, day) for user in range(40, 60) for item, day in ((0, 6), (1, 8), (3, 9))]
    split = made("time:1970-01-08", rows=rows)
    assert len(split.validation) == 2  # 5 % of 40: users 40 to 59 have but one purchase before
    assert split.validation.targets.tolist() == [2, 2]
    drawn = split.validation.histories.users
    assert [split.train[row].tolist() for row in drawn.tolist()] == [[0, 1], [0, 1]]
    assert split.train.lengths.sum() == 38 * 3 + 2 * 2 + 20


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 9), st.integers(0, 12)), min_size=20, max_size=80),
    st.sampled_from(["loo", "loo2", "time:0.5", "time:0.8", "time-loo", "time-loo:0.5"]),
)
def test_what_every_split_keeps(rows: list[tuple[int, int, int]], name: str) -> None:
    try:
        split = made(name, rows=[*rows, *ROWS])
    except DataError:
        assert name.startswith("time")  # nobody bought on both sides of the cut
        return
    data, users = split.training_data, len(split.user_ids) + len(split.other_user_ids)
    assert split.test.histories.users.tolist() == list(range(len(split.user_ids)))
    assert len(set(split.user_ids + split.other_user_ids)) == users
    for examples in (split.test, data.validation):
        assert examples.histories.times is not None and examples.request_times is not None
        assert (examples.histories.lengths > 0).all()
        newest = examples.histories.times[examples.histories.indptr[1:] - 1]
        assert (newest <= examples.request_times).all()
    assert data.train.times is not None
    assert (data.train.lengths > 0).all() and data.train.users.max() < users
    if split.cut is not None:
        assert data.train.times.max() < split.cut <= split.test.request_times.min()  # type: ignore[union-attr]
        assert data.validation.request_times is None or (data.validation.request_times < split.cut).all()
    by_user = named(split, data.train)
    ids = split.user_ids + split.other_user_ids
    for row, user in enumerate(data.validation.histories.users.tolist()):  # held out, and next in line
        assert by_user[ids[user]] == data.validation.histories[row].tolist()


def test_every_split_has_a_fingerprint_of_its_own() -> None:
    names = ["loo", "loo2", "time:0.5", "time:1970-01-08", "time-loo:0.5", "time-loo:1970-01-08"]
    prints = {made(name).fingerprint for name in names}
    assert len(prints) == len(names)
    assert made("leave-one-out").fingerprint == made("loo").fingerprint


def test_names_out_of_a_record_are_read() -> None:
    for name in ("loo", "loo2", "time:2014-01-31", "time:0.9", "time-loo", "time-loo:2014-01-31"):
        assert parse_split(parse_split(name).name) == parse_split(name)


@pytest.mark.parametrize(
    "name", ["", "Loo", "loo3", "time", "time:", "time:0", "time:1", "time:.0", "time:14-1-1", "time:0.5.1"]
)
def test_unknown_split(name: str) -> None:
    with pytest.raises(ConfigError, match="between 0 and 1|Allowed: loo, loo2, time:<date or quantile>"):
        load_split("sample", split=name)


def test_a_day_that_does_not_exist() -> None:
    with pytest.raises(ConfigError, match="split 'time:2014-02-30': 2014-02-30 is no day"):
        load_split("sample", split="time:2014-02-30")


def test_a_cut_outside_the_data() -> None:
    with pytest.raises(DataError, match="no user has purchases both before and after 2030-01-01"):
        made("time:2030-01-01")


def test_shuffled_moves_only_what_shares_a_known_time() -> None:
    """Of purchases a second apart the order is known; `shuffled-day` breaks it, and says so by its name."""
    rows = [(user, item, item) for user in range(200) for item in range(4)]
    seconds = shop(rows, seconds=1)
    kept = split_interactions(seconds, dataset="toy", ties="shuffled:0")
    assert kept.test.targets.tolist() == [3] * 200
    by_day = split_interactions(seconds, dataset="toy", ties="shuffled-day:0")
    assert 100 < (by_day.test.targets != 3).sum() < 200
    days = shop([(user, item, 1) for user in range(200) for item in range(4)])
    orders = [split_interactions(days, dataset="toy", ties=ties) for ties in ("shuffled:3", "shuffled-day:3")]
    assert np.array_equal(orders[0].test.histories.items, orders[1].test.histories.items)


def test_times_travel_with_a_selection() -> None:
    histories = Histories(
        indptr=np.array([0, 2, 3]),
        items=np.array([4, 5, 6]),
        users=np.array([0, 1]),
        times=np.array([1, 2, 3]),
    )
    assert histories.take(np.array([1, 0])).times.tolist() == [3, 1, 2]  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="times must be one a purchase"):
        Histories(indptr=histories.indptr, items=histories.items, users=histories.users, times=np.array([1]))


# The source's own split

LEARN, VALID, TEST = range(3)
PARTS_BY_USER = [
    [LEARN, VALID, TEST],
    [LEARN, TEST],
    [VALID, TEST],  # a history to answer from, nothing to validate from
    [TEST],  # nothing to answer from
    [LEARN, VALID],
    [LEARN],
    [VALID],  # in no part of the split
    [LEARN, LEARN, VALID, VALID, TEST, TEST],
    [TEST, TEST],
    [TEST],
]


def sourced(ties: str = "file") -> Split:
    """A shop of these users: an item is its place above, the file and the days run the other way."""
    rows = [
        (user, place, 10 - parts[place])
        for user, parts in reversed(list(enumerate(PARTS_BY_USER)))
        for place in reversed(range(len(parts)))
    ]
    parts = np.array([PARTS_BY_USER[user][place] for user, place, _ in rows], dtype=np.int8)
    return split_interactions(replace(shop(rows), parts=parts), dataset="toy", ties=ties, split="source")


def test_source_asks_whoever_has_a_history_in_its_other_parts() -> None:
    split = sourced()
    assert split.user_ids == ("u0", "u1", "u2", "u7")
    assert split.other_user_ids == ("u4", "u5")  # one purchase learned from is enough, none is not
    assert named(split, split.test.histories) == {"u0": [0, 1], "u1": [0], "u2": [0], "u7": [1, 0, 3, 2]}
    assert split.test.targets.tolist() == [2, 1, 1, 5]  # the first of the test part, as the file orders it
    assert split.unseen_users == 3  # u3, u8 and u9
    assert (split.interactions, split.users_dropped, split.cut) == (21, 0, None)


def test_source_learns_from_its_first_part_and_validates_on_its_second() -> None:
    split = sourced()
    learned = {"u0": [0], "u1": [0], "u7": [1, 0], "u4": [0], "u5": [0]}
    assert named(split, split.train) == learned
    validated = ("u0", "u4", "u7")
    assert named(split, split.validation.histories) == {user: learned[user] for user in validated}
    assert split.validation.targets.tolist() == [1, 1, 3]


def test_source_shuffles_only_inside_a_part() -> None:
    """Parts, not times, come first: here the parts of a user lie in time in the opposite order."""
    kept = sourced()
    for seed in range(4):
        split = sourced(ties=f"shuffled:{seed}")
        assert split.user_ids == kept.user_ids
        histories = named(split, split.test.histories)
        assert [sorted(histories["u7"][:2]), sorted(histories["u7"][2:])] == [[0, 1], [2, 3]]
        assert split.test.targets.tolist()[:3] == [2, 1, 1] and split.test.targets[3] in (4, 5)


def test_source_needs_somebody_to_ask() -> None:
    rows = [(0, 0, 1), (1, 0, 1), (1, 1, 2)]
    data = replace(shop(rows), parts=np.array([TEST, LEARN, VALID], dtype=np.int8))
    with pytest.raises(
        DataError, match="^split source: no user of its test part has a purchase in the other parts"
    ):
        split_interactions(data, dataset="toy", split="source")


def test_source_needs_data_with_parts() -> None:
    with pytest.raises(DataError, match=r"^split source: these data come without a split of their own; see"):
        made("source")


@pytest.mark.parametrize("ties", ["file", "shuffled:0", "shuffled-day:0"])
@pytest.mark.parametrize("name", ["loo", "loo2", "time-loo:0.5"])
def test_other_splits_take_no_notice_of_the_sources_parts(name: str, ties: str) -> None:
    """Times run against the parts, so an order by part would be another one."""
    parts = np.array([2 - min(day // 3, 2) for _, _, day in ROWS], dtype=np.int8)
    split = split_interactions(replace(shop(ROWS), parts=parts), dataset="toy", ties=ties, split=name)
    plain = made(name, ties)
    assert split.fingerprint == plain.fingerprint
    assert named(split, split.test.histories) == named(plain, plain.test.histories)
    assert split.test.targets.tolist() == plain.test.targets.tolist()


def planned(name: str) -> Plan:
    """Two users of three purchases, one of each part."""
    sequences = Sequences(
        lengths=np.array([3, 3], dtype=np.int64),
        items=np.array([0, 1, 2, 2, 1, 0], dtype=np.int32),
        times=np.array([1, 2, 9, 1, 2, 9], dtype=np.int64),
        parts=np.array([0, 1, 2, 0, 1, 2], dtype=np.int8),
    )
    return plan(parse_split(name), sequences)


@pytest.mark.parametrize("name", ["loo", "loo2", "source", "time:0.7", "time-loo:0.7"])
def test_every_plan_counts_users_in_four_bytes_and_places_in_eight(name: str) -> None:
    found = planned(name)
    assert found.validation_users.dtype == found.test_users.dtype == np.int32
    assert {column.dtype for column in (found.learned, found.validation_places, found.test_places)} == {
        np.dtype(np.int64)
    }
    assert found.test_users.tolist() == [0, 1] and found.test_places.tolist() == [2, 2]
