"""The data audit on generated shops with and without each property, and the shops themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from bench.commands import data as commands
from bench.datasets.audit.data_audit import DataAudit, audit_data, file_name, load_audit
from bench.datasets.audit.findings import Finding
from bench.datasets.own.shops import LONGEST, Shop, make_shop
from bench.datasets.splits import load_split, split_interactions
from bench.errors import ConfigError, RecordError
from bench.records.check import check_results
from bench.schema import Interactions, Split

PLAIN = Shop(users=1_500, items=400, seed=3)


def split_of(shop: Shop, name: str = "loo") -> Split:
    return split_interactions(make_shop(shop), dataset="shop", split=name)


def finding(found: DataAudit, name: str) -> Finding:
    return next(one for one in found.findings if one.name == name)


def value(shop: Shop, name: str, split: str = "loo") -> float:
    found = finding(audit_data(split_of(shop, split)), name).value
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "without", "with_it", "factor"),
    [
        ("ties of time", replace(PLAIN, same_day=0.0), replace(PLAIN, same_day=0.5), 100),
        ("duplicate titles", PLAIN, replace(PLAIN, duplicate_titles=0.3), 5),
        ("popularity concentration", replace(PLAIN, zipf=0.0), replace(PLAIN, zipf=1.3), 3),
        ("repeat purchases", PLAIN, replace(PLAIN, repeats=0.3), 100),
        ("what follows an item", replace(PLAIN, follow=0.0), replace(PLAIN, follow=0.9), 3),
        ("text of neighbours", replace(PLAIN, shared_words=False), PLAIN, 5),
    ],
)
def test_a_property_shows_in_the_shop_that_has_it(
    name: str, without: Shop, with_it: Shop, factor: float
) -> None:
    low, high = value(without, name), value(with_it, name)
    assert high > 0.05 and high > factor * low


def test_order_matters_where_items_follow_each_other() -> None:
    assert value(replace(PLAIN, follow=0.9), "does order matter") > 0.4
    chance = value(replace(PLAIN, follow=0.0, zipf=1.0), "does order matter")
    assert abs(chance) < 0.2


def test_arrivals_are_cold_targets_under_a_split_by_time() -> None:
    late = "time-loo:0.5"
    assert value(PLAIN, "cold targets", late) < 0.03
    assert value(replace(PLAIN, arrivals=0.3), "cold targets", late) > 0.1


def test_untitled_items_are_told_from_what_was_left_out() -> None:
    data = make_shop(PLAIN)
    lost: Interactions = replace(data, untitled_items=100, untitled_interactions=900)
    split = split_interactions(data, dataset="shop")
    assert finding(audit_data(split, data), "untitled items").verdict == "fine"
    found = finding(audit_data(split, lost), "untitled items")
    assert found.value == pytest.approx(0.2) and found.verdict == "warning"
    assert all(one.name != "untitled items" for one in audit_data(split).findings)


def test_leave_one_out_learns_from_the_future_and_time_does_not() -> None:
    name = "learned from the future"
    assert value(PLAIN, name) > 0.9
    for split in ("time:0.8", "time-loo"):
        found = audit_data(split_of(PLAIN, split))
        assert finding(found, name).value == 0 and not found.leaks


@pytest.mark.parametrize("name", ["time:0.8", "time-loo"])
def test_a_planted_leak_is_caught(name: str) -> None:
    """One purchase after the cut among thousands before it."""
    split = split_of(PLAIN, name)
    times = split.train.times
    assert times is not None and split.cut is not None
    planted = times.copy()
    planted[len(planted) // 2] = split.cut
    leaky = replace(split, train=replace(split.train, times=planted))
    (leak,) = audit_data(leaky).leaks
    assert leak.name == "learned from the future" and "broken, do not use it" in leak.means


def test_the_gap_is_counted_in_days() -> None:
    split = split_of(PLAIN)
    asked_at = split.test.request_times
    assert asked_at is not None
    later = replace(split, test=replace(split.test, request_times=asked_at + 400 * 86_400))
    near, far = (finding(audit_data(one), "gap before the target") for one in (split, later))
    assert near.value is not None and far.value == near.value + 400
    assert (near.verdict, far.verdict) == ("fine", "note")


def test_without_times_what_cannot_be_told_is_said(toy_split: Split) -> None:
    found = audit_data(toy_split)
    assert finding(found, "learned from the future").value is None
    assert "not known" in finding(found, "gap before the target").what


def run(*arguments: object) -> tuple[int, str]:
    app = typer.Typer()
    commands.register(app)
    app.callback()(lambda: None)
    result = CliRunner().invoke(app, ["data", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def test_the_command_prints_and_keeps_what_the_results_check_accepts(tmp_path: Path) -> None:
    code, printed = run("audit", "sample", "--split", "loo2", "--results", tmp_path)
    assert code == 0
    assert "WARNING  learned from the future" in printed and "the splits time and time-loo" in printed
    split = load_split("sample", split="loo2")
    path = tmp_path / "v1" / "sample" / file_name(split.fingerprint)
    kept = load_audit(path)
    assert kept is not None and (kept.split, kept.fingerprint) == ("loo2", split.fingerprint)
    assert check_results(tmp_path).problems == []
    path.write_text("{}")
    with pytest.raises(RecordError, match="is not readable"):
        load_audit(path)
    assert [problem.path for problem in check_results(tmp_path).problems] == [path]


# The generator


def test_a_shop_is_the_same_every_time_and_another_with_another_seed() -> None:
    first, again, other = (make_shop(replace(PLAIN, seed=seed)) for seed in (3, 3, 4))
    assert np.array_equal(first.items, again.items) and np.array_equal(first.timestamps, again.timestamps)
    assert not np.array_equal(first.users, other.users)


def test_a_shop_is_what_it_says() -> None:
    data = make_shop(PLAIN)
    assert (len(data.user_ids), len(data.catalogue)) == (1_500, 400)
    pairs = data.users.astype(np.int64) * 400 + data.items
    assert len(np.unique(pairs)) == len(pairs)  # nobody buys an item twice
    lengths = np.bincount(data.users)
    assert lengths.max() <= LONGEST and lengths.max() > 5 * np.median(lengths)  # a heavy tail
    assert all(np.all(np.diff(data.timestamps[data.users == user]) >= 0) for user in range(50))


def test_small_shops() -> None:
    for users, items in ((1, 1), (1, 9), (3, 1)):
        assert len(make_shop(Shop(users=users, items=items))) >= 1


@pytest.mark.parametrize("field", ["follow", "same_day", "repeats", "duplicate_titles", "arrivals"])
def test_shares_beyond_one(field: str) -> None:
    with pytest.raises(ConfigError, match=f"{field} is a share from 0 to 1, got 1.5"):
        make_shop(replace(PLAIN, **{field: 1.5}))


def test_make_adds_a_data_set(tmp_path: Path) -> None:
    code, printed = run("make", "--name", "big", "--users", "3e2", "--items", "2e2", "--data-dir", tmp_path)
    assert code == 0 and "300 users, 200 items" in printed
    split = load_split("big", data_dir=tmp_path)
    assert len(split.user_ids) > 250
    with pytest.raises(ConfigError, match="whole number"):
        run("make", "--name", "half", "--users", "1.5", "--data-dir", tmp_path)
