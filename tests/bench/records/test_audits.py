"""Audits: each badge is earned by lists built to earn it, and by no others."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from bench.record import Audit
from bench.records.audits import audit
from bench.schema import NO_ITEM, Catalogue, Examples, Histories, Rankings, Split

USERS, ITEMS, DEPTH = 2000, 500, 20


def make_split(*, dataset: str = "made", again: bool = False) -> Split:
    """Skewed popularity; targets follow it; a user's first item tells the target's neighbour."""
    rng = np.random.default_rng(3)
    weights = 1 / np.arange(1, ITEMS + 1)
    weights /= weights.sum()
    train = [rng.choice(ITEMS, size=6, replace=False, p=weights) for _ in range(USERS)]
    targets = np.array([rng.choice(np.setdiff1d(np.arange(ITEMS), row)) for row in train], dtype=np.int32)
    popular = rng.random(USERS) < 0.5
    for user in np.flatnonzero(popular):
        free = [item for item in rng.choice(ITEMS, size=20, p=weights) if item not in train[user]]
        targets[user] = free[0] if free else targets[user]
    if again:
        targets[:3] = [row[0] for row in train[:3]]
    histories = Histories.from_lists(train)
    catalogue = Catalogue(
        item_ids=tuple(f"i{row}" for row in range(ITEMS)),
        titles=tuple(f"Item {row}" for row in range(ITEMS)),
        brands=(None,) * ITEMS,
        categories=((),) * ITEMS,
        prices=(None,) * ITEMS,
    )
    return Split(
        dataset=dataset,
        name="leave-one-out",
        ties="file",
        fingerprint="a" * 64,
        catalogue=catalogue,
        user_ids=tuple(f"u{row}" for row in range(USERS)),
        interactions=7 * USERS,
        train=histories,
        validation=Examples(histories=Histories.from_lists([]), targets=np.empty(0, dtype=np.int32)),
        test=Examples(histories=histories, targets=targets),
        same_day=np.zeros(USERS, dtype=bool),
    )


@pytest.fixture(scope="module")
def split() -> Split:
    return make_split()


def random_lists(seed: int = 0) -> Rankings:
    rng = np.random.default_rng(seed)
    return np.stack([rng.permutation(ITEMS)[:DEPTH] for _ in range(USERS)]).astype(np.int32)


def personal_lists(split: Split, share: float = 0.2) -> Rankings:
    """Random lists that hold the target for a share of users."""
    rng = np.random.default_rng(1)
    lists = random_lists(1)
    for user in np.flatnonzero(rng.random(USERS) < share):
        lists[user][lists[user] == split.test.targets[user]] = lists[user, 0]
        lists[user, 0] = split.test.targets[user]
        rest = [item for item in lists[user, 1:] if item != lists[user, 0]]
        lists[user] = NO_ITEM
        lists[user, : len(rest) + 1] = [split.test.targets[user], *dict.fromkeys(rest)][: len(rest) + 1]
    return lists


def popular_lists(split: Split, counts: np.ndarray | None = None) -> Rankings:
    counts = np.bincount(split.train.items, minlength=ITEMS) if counts is None else counts
    top = np.argsort(-counts, kind="stable")[:DEPTH].astype(np.int32)
    return np.tile(top, (USERS, 1))


def verdicts(audits: list[Audit]) -> dict[str, str]:
    return {one.name: one.verdict for one in audits}


def test_honest_personal_lists_pass_everything(split: Split) -> None:
    found = verdicts(audit(split, personal_lists(split), {"other": random_lists(9)}))
    assert found.pop("too_good") == "flag"  # against random lists only, which anything beats
    assert set(found.values()) == {"pass"}


def test_a_repeated_purchase_is_flagged(split: Split) -> None:
    assert verdicts(audit(split, random_lists()))["target_in_history"] == "pass"
    (found,) = [a for a in audit(make_split(again=True), random_lists()) if a.name == "target_in_history"]
    assert found.verdict == "flag" and found.value == pytest.approx(3 / USERS)


def test_random_lists_have_no_personal_signal_but_are_not_popularity(split: Split) -> None:
    found = verdicts(audit(split, random_lists()))
    assert found["shuffled_users"] == "info"
    assert found["popularity_only"] == "pass"
    assert found["identical_lists"] == "pass"


def test_one_popular_list_for_all_is_seen(split: Split) -> None:
    found = verdicts(audit(split, popular_lists(split)))
    assert found["identical_lists"] == "flag"
    assert found["popularity_only"] == "flag"
    assert found["shuffled_users"] == "info"


def test_popularity_weighted_draws_are_popularity_only(split: Split) -> None:
    rng = np.random.default_rng(5)
    weights = np.bincount(split.train.items, minlength=ITEMS) + 1e-9
    keys = rng.gumbel(size=(USERS, ITEMS)) + np.log(weights)
    lists = np.argsort(-keys, axis=1)[:, :DEPTH].astype(np.int32)
    found = verdicts(audit(split, lists))
    assert found["popularity_only"] == "flag" and found["identical_lists"] == "pass"


def popularity_of(split: Split) -> Audit:
    """The audit of one list for all, of item 0 alone."""
    lists = np.zeros((USERS, 1), dtype=np.int32)
    (found,) = [one for one in audit(split, lists) if one.name == "popularity_only"]
    return found


def test_popularity_is_times_the_mean_however_small_that_is(split: Split) -> None:
    """Six purchases of item 0 among 500 items: a mean of 0.012, of which 6 is 500 times."""
    found = popularity_of(replace(split, train=Histories.from_lists([[0] * 6])))
    assert found.verdict == "flag" and "listed items are bought 500.0 times the mean" in found.message


@pytest.mark.filterwarnings("error")
def test_popularity_where_nothing_was_bought_is_none(split: Split) -> None:
    found = popularity_of(replace(split, train=Histories.from_lists([])))
    assert "listed items are bought 0.0 times the mean" in found.message


def test_popularity_of_the_test_targets_is_a_leak(split: Split) -> None:
    """Targets that training says nothing about: only someone who counted them lists them for everyone."""
    wanted = np.full(USERS, 300, dtype=np.int32)
    wanted[::2] = np.arange(USERS // 2) % 10 + 480
    leaked = Split(
        **{
            **{name: getattr(split, name) for name in split.__dataclass_fields__},
            "test": Examples(histories=split.test.histories, targets=wanted),
        }
    )
    lists = np.tile(np.arange(480, 480 + DEPTH, dtype=np.int32), (USERS, 1))
    assert verdicts(audit(leaked, lists))["shuffled_users"] == "flag"
    assert verdicts(audit(leaked, popular_lists(leaked)))["shuffled_users"] == "info"


def test_permuted_targets_fall_to_blind_chance_unless_lists_repeat_items(split: Split) -> None:
    (sound,) = [a for a in audit(split, personal_lists(split)) if a.name == "permuted_targets"]
    assert sound.verdict == "pass" and sound.value == pytest.approx(10 / ITEMS, rel=0.1)
    repeated = random_lists()
    repeated[:, 1:10] = repeated[:, :1]
    assert verdicts(audit(split, repeated))["permuted_targets"] == "fail"


def test_a_copy_is_found_and_a_stranger_is_not(split: Split) -> None:
    mine = personal_lists(split)
    copy = mine.copy()
    copy[: USERS // 5] = random_lists(4)[: USERS // 5]
    found = [a for a in audit(split, copy, {"mine": mine, "other": random_lists(8)}) if a.name == "copy"]
    assert found[0].verdict == "flag" and "mine" in found[0].message
    assert found[0].value == pytest.approx(0.8, abs=0.01)
    swapped = mine[:, [1, 0, *range(2, DEPTH)]]
    assert verdicts(audit(split, swapped, {"mine": mine}))["copy"] == "flag"  # same items, other order
    assert verdicts(audit(split, random_lists(4), {"mine": mine}))["copy"] == "pass"
    assert "copy" not in verdicts(audit(split, mine))


def test_empty_lists_are_not_copies_of_each_other(split: Split) -> None:
    empty = np.full((USERS, DEPTH), NO_ITEM, dtype=np.int32)
    assert verdicts(audit(split, empty, {"other": empty}))["copy"] == "pass"


def test_too_good_needs_a_margin_over_the_best_known(split: Split) -> None:
    best = {"best": personal_lists(split, 0.2)}
    assert verdicts(audit(split, personal_lists(split, 0.21), best))["too_good"] == "pass"
    assert verdicts(audit(split, personal_lists(split, 0.6), best))["too_good"] == "flag"
    assert verdicts(audit(split, personal_lists(split)))["too_good"] == "info"


def test_reported_numbers_are_known_values_too() -> None:
    beauty = make_split(dataset="beauty2014")
    (found,) = [a for a in audit(beauty, personal_lists(beauty, 0.9)) if a.name == "too_good"]
    assert found.verdict == "flag" and "Co-visit" in found.message


def test_same_input_same_audits(split: Split) -> None:
    assert audit(split, random_lists()) == audit(split, random_lists())


@pytest.mark.parametrize("users", [1, 6])
def test_tiny_inputs_do_not_break_it(users: int, toy_split: Split) -> None:
    rows = np.arange(users)
    part = Split(
        **{
            **{name: getattr(toy_split, name) for name in toy_split.__dataclass_fields__},
            "user_ids": toy_split.user_ids[:users],
            "test": Examples(
                histories=toy_split.test.histories.take(rows), targets=toy_split.test.targets[:users]
            ),
        }
    )
    lists = np.tile(np.arange(5, dtype=np.int32), (users, 1))
    assert len(audit(part, lists, {"same": lists})) == 7
    assert len(audit(part, np.full((users, 5), NO_ITEM, dtype=np.int32))) == 6
    assert audit(part, lists[:0]) == []


@pytest.mark.real_data
def test_full_size_takes_less_than_two_seconds(real_split: Split) -> None:
    rng = np.random.default_rng(0)
    users, items = len(real_split.test), len(real_split.catalogue)
    lists = (rng.integers(items, size=(users, 1)) + np.arange(50)) % items
    lists = lists.astype(np.int32)
    start = time.process_time()
    found = verdicts(audit(real_split, lists, {"other": lists[::-1]}))
    assert time.process_time() - start < 2
    assert found["target_in_history"] == "pass"
