"""Small steps: inside the ranges, never nowhere, the same for a seed; and a search made of them climbs."""

from __future__ import annotations

import random
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bench.contract import small_shop
from bench.models import find_model
from bench.tuning import study
from bench.tuning.local_search import step
from bench.tuning.space import OneOf, Real, Whole
from bench.tuning.validation import with_validation

SPACE = {
    "width": Whole(1, 60, log=True),
    "pair": Whole(0, 1),
    "share": Real(0, 1),
    "rate": Real(1e-4, 1, log=True),
}


@given(seed=st.integers(0, 2**32), width=st.integers(1, 60), share=st.floats(0, 1), rate=st.floats(1e-4, 1))
def test_a_step_moves_something_and_stays_inside(seed: int, width: int, share: float, rate: float) -> None:
    point = {"width": width, "pair": 1, "share": share, "rate": rate}
    moved = step(random.Random(seed), SPACE, point)
    assert moved.keys() == point.keys()
    assert 1 <= moved["width"] <= 60 and isinstance(moved["width"], int)
    assert moved["pair"] in (0, 1) and 0 <= moved["share"] <= 1 and 1e-4 <= moved["rate"] <= 1
    assert step(random.Random(seed), SPACE, point) == moved


def test_choices_are_drawn_and_one_constant_is_always_moved() -> None:
    space = {"kind": OneOf(("a", "b"))}
    assert {step(random.Random(seed), space, {"kind": "a"})["kind"] for seed in range(20)} == {"a", "b"}
    assert all(step(random.Random(seed), {"x": Real(0, 1)}, {"x": 0.5})["x"] != 0.5 for seed in range(20))


def test_it_climbs_from_the_start_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    data = with_validation(small_shop(users=300, items=40).training_data, 0.5, seed=0)
    entry, start = find_model("co-visit"), {"history_decay": 0.9, "back": 0.9}
    first = study.search(entry, data, trials=6, journal=tmp_path / "j", start=start, sampler="local")
    again = study.search(entry, data, trials=12, journal=tmp_path / "j", start=start, sampler="local")
    whole = study.search(entry, data, trials=12, journal=tmp_path / "k", start=start, sampler="local")
    assert again.value >= first.value
    assert (again.trials, again.value, again.chosen) == (12, whole.value, whole.chosen)
