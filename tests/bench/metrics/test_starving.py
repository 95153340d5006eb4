"""Long histories: how deep a model is asked, and what is kept of its lists."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bench.metrics.ranking import remove_seen
from bench.metrics.starving import MOST, STARVED_SHARE, room_for_removal, trimmed
from bench.schema import Histories


def histories(*lengths: int) -> Histories:
    return Histories.from_lists([list(range(length)) for length in lengths])


def test_room_is_asked_for_only_where_lists_would_starve() -> None:
    many = round(1 / STARVED_SHARE)
    assert room_for_removal(histories(*[40] * 50), 50) == 0  # ten are left, which the cut-offs need
    assert room_for_removal(histories(41, *[3] * (many - 1)), 50) == 0  # one in twenty, as on Amazon
    assert room_for_removal(histories(41, 300, *[3] * (many - 2)), 50) == 300
    assert room_for_removal(histories(*[MOST + 5] * 3), 50) == MOST
    assert room_for_removal(histories(), 50) == room_for_removal(histories(300, 300), 10) == 0


def test_a_list_is_kept_up_to_where_enough_unseen_items_are() -> None:
    owned = Histories.from_lists([[0, 1, 2], [9], []])
    lists = np.array(
        [[0, 1, 5, 2, 6, 7, 8], [1, 2, 3, 4, 5, 6, 7], [1, 2, -1, -1, -1, -1, -1]], dtype=np.int32
    )
    assert trimmed(lists, owned, 2).tolist() == [
        [0, 1, 5, 2, 6],
        [1, 2, -1, -1, -1],
        [1, 2, -1, -1, -1],
    ]
    assert trimmed(lists[:, :2], owned, 2).tolist() == lists[:, :2].tolist()


@given(st.data())
def test_both_views_have_what_the_whole_list_gives(data: st.DataObject) -> None:
    depth = data.draw(st.integers(1, 5))
    lists = np.array(
        [data.draw(st.permutations(range(12))) for _ in range(data.draw(st.integers(1, 4)))], dtype=np.int32
    )
    owned = Histories.from_lists([data.draw(st.lists(st.integers(0, 11), unique=True)) for _ in lists])
    kept = trimmed(lists, owned, depth)
    assert np.array_equal(kept[:, :depth], lists[:, :depth])
    whole, part = remove_seen(lists, owned)[:, :depth], remove_seen(kept, owned)
    assert np.array_equal(whole, part[:, :depth])
