"""Compare two runs user by user: is the difference real, where does it come from, whom does it affect."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from bench.comparison.paired import list_overlap
from bench.comparison.strongest import strongest_untrained
from bench.labels import DEFAULT_VIEW, HEADLINE_CUTOFF, PAIRED_TEST, RANKED_BY, metric_label
from bench.marks import marks
from bench.metrics.definitions import QUALITY
from bench.record import View
from bench.records.store import StoredRecord
from bench.schema import Split
from leaderboard.cells import compare_cells
from leaderboard.draw import charts
from leaderboard.draw.components import clickable
from leaderboard.frames import board_rows
from leaderboard.frames.board_rows import BoardKey
from leaderboard.state import loading, url_state
from leaderboard.views import common


def render() -> None:
    """Draw the page."""
    st.title("Compare two runs")
    loaded = loading.records()
    with common.control_row():
        chosen = common.choose_board(loaded)
        if chosen is not None:
            view, cutoff = common.choose_view(), common.choose_cutoff()
    if chosen is not None:
        _show(*chosen, view, cutoff)
    common.show_problems(loaded)


def _show(key: BoardKey, records: Sequence[StoredRecord], view: View, cutoff: int) -> None:
    options = board_rows.strongest_first([one for one in records if one.record.metrics is not None], view)
    if len(options) < 2:
        st.info("Comparing takes two runs with measured quality on the same data; there is one at most.")
        return
    first, second = _choose(options)
    if first.id == second.id:
        st.info("Pick two different runs.")
        return
    contenders = loading.contender(first), loading.contender(second)
    for stored, found in zip((first, second), contenders, strict=True):
        if isinstance(found, str):
            st.error("One of the runs cannot be compared user by user:")
            st.text(f"{stored.id}: {found}")
            return
    shallow = [one for one in (first, second) if one.record.depth < cutoff]
    if shallow:
        st.info(f"Choose a smaller cut-off: these lists are shorter than {cutoff} items.")
        st.text("\n".join(f"{one.id}: lists of {one.record.depth}" for one in shallow))
        return
    for one in (first, second):
        for mark in marks(one.record):
            st.caption(f"{common.run_title(one)}: {mark.sentence}.")
    _show_verdict(first, second, view, cutoff)
    split = loading.split_of(key)
    if isinstance(split, str):
        st.header("By group of users, overlap of the lists, users who differ most")
        common.need_data(split, key.dataset)
        return
    _show_groups(first, second, split, view, cutoff)
    _show_overlap(first, second, split, view, cutoff)
    _show_users(first, second, split, view, cutoff)


def _choose(options: Sequence[StoredRecord]) -> tuple[StoredRecord, StoredRecord]:
    by_id = {stored.id: stored for stored in options}
    ids = list(by_id)
    records = [one.record for one in options]
    untrained = strongest_untrained(records, DEFAULT_VIEW, f"{RANKED_BY}@{HEADLINE_CUTOFF}")
    baseline = next((one.id for one in options if one.record is untrained), ids[1])
    defaults = (ids[0], baseline if baseline != ids[0] else ids[1])
    left, right = st.columns(2)
    chosen = []
    for place, column in enumerate((left, right)):
        with column:
            chosen.append(
                st.selectbox(
                    ("Run A", "Run B")[place],
                    format_func=lambda run: common.run_title(by_id[run]),
                    **url_state.place_in("runs", place, ids, defaults[place]),
                )
            )
    return by_id[chosen[0]], by_id[chosen[1]]


def _show_verdict(first: StoredRecord, second: StoredRecord, view: View, cutoff: int) -> None:
    st.header("Verdict")
    found = loading.metric_differences(first, second, [f"{name}@{cutoff}" for name in QUALITY], view)
    clickable(compare_cells.verdict_table((first.record, second.record), found, view), key="verdict")
    st.caption(
        f"A − B: mean over the same users with its 95 % bootstrap interval. p: {PAIRED_TEST}; Holm-corrected "
        f"over the {len(QUALITY)} metrics. Won: users for whom A did better. Detectable: the smallest true "
        "difference that these users show with power 0.8."
    )


def _show_groups(first: StoredRecord, second: StoredRecord, split: Split, view: View, cutoff: int) -> None:
    st.header("By group of users")
    metric = f"{url_state.get('by') if url_state.get('by') in QUALITY else RANKED_BY}@{cutoff}"
    frame = board_rows.group_rows(loading.group_differences(first, second, split, metric, view))
    left, right = st.columns(2)
    for number, (name, part) in enumerate(frame.groupby("slice", sort=False)):
        with (left, right)[number % 2]:
            st.markdown(f"**{name}**")
            st.vega_lite_chart(
                spec=charts.difference_chart(part, f"A − B, {metric_label(metric)}"), width="stretch"
            )
    st.caption(
        "Bars: 95 % bootstrap interval of the paired difference; verdicts are Holm-corrected over all groups."
    )


def _show_overlap(first: StoredRecord, second: StoredRecord, split: Split, view: View, cutoff: int) -> None:
    lists = [loading.lists_of(one, split, view) for one in (first, second)]
    st.header("Overlap of the lists")
    if isinstance(lists[0], str) or isinstance(lists[1], str):
        st.text(next(found for found in lists if isinstance(found, str)))
        return
    overlap = list_overlap(lists[0], lists[1], cutoff)
    known = overlap[~np.isnan(overlap)]
    if not len(known):
        st.info("Both runs have empty lists only.")
        return
    same, none = float((known == 1).mean()), float((known == 0).mean())
    st.markdown(
        f"Of the items in a user's two lists, cut at {cutoff}, **{100 * float(known.mean()):.1f} %** are in "
        f"both (mean Jaccard overlap). {100 * same:.1f} % of users get the same items from both, "
        f"{100 * none:.1f} % get no common item."
    )


def _show_users(first: StoredRecord, second: StoredRecord, split: Split, view: View, cutoff: int) -> None:
    st.header("Users for whom they differ most")

    def choices(user_id: str) -> dict[str, str | list[str]]:
        return {
            "page": "explore",
            "look": "user",
            "user": user_id,
            "q_user": "",
            "runs": [first.id, second.id],
        }

    html = compare_cells.users_table(
        loading.contenders(first, second),
        split,
        f"{RANKED_BY}@{cutoff}",
        view,
        links=lambda user_id: url_state.href(**choices(user_id)),
    )
    event = clickable(html, key="users")
    if event is not None and event.name == "user":
        url_state.put_all(choices(event.value))
        st.rerun()
