"""Two runs, user by user: the verdict, whom each one serves, groups of users, their lists, single users."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import streamlit as st

from bench.comparison.paired import ComparedModel, largest_differences, list_overlap
from bench.fusion.complement import overlap
from bench.labels import GROUP_LABELS, PAIRED_TEST, metric_label
from bench.metrics.definitions import QUALITY
from bench.metrics.slices import user_groups
from bench.record import View
from bench.records.store import StoredRecord
from bench.schema import BoolArray, Split
from leaderboard.cells import compare_cells, pair_cells
from leaderboard.draw import charts
from leaderboard.draw.components import clickable
from leaderboard.frames import board_rows
from leaderboard.frames.board_rows import BoardKey
from leaderboard.state import loading, url_state
from leaderboard.views import common

SHOWN_USERS = 20
_ALL = "all users"


def show(key: BoardKey, first: StoredRecord, second: StoredRecord, view: View, metric: str) -> None:
    """Show everything about a pair whose ranks can be read at this cut-off."""
    cutoff = int(metric.partition("@")[2])
    pair = loading.compared_models(first, second)
    st.header("Verdict")
    st.text(f"A: {common.run_title(first)}\nB: {common.run_title(second)}")
    if _same(first, second, pair, view):
        return
    _show_verdict(first, second, view, cutoff)
    _show_complement(first, second, pair, view, cutoff)
    split = loading.split_of(key)
    if isinstance(split, str):
        st.header("By group of users, overlap of the lists, single users")
        common.need_data(split, key.dataset)
        return
    _show_groups(first, second, split, view, metric)
    _show_overlap(first, second, split, view, cutoff)
    _show_users(first, second, pair, split, view, metric)


def _same(
    first: StoredRecord, second: StoredRecord, pair: tuple[ComparedModel, ComparedModel], view: View
) -> bool:
    """Say so where two runs are one and the same, as far as their users can see."""
    if not np.array_equal(pair[0].ranks[0][view], pair[1].ranks[0][view]):
        return False
    lists = first.record.lists_sha256
    what = "Their ranked lists are the same file." if lists and lists == second.record.lists_sha256 else ""
    st.info(
        f"A and B are identical: every user's next purchase stands at the same place in both, "
        f"{common.view_title(view)}. {what}"
    )
    return True


def _show_verdict(first: StoredRecord, second: StoredRecord, view: View, cutoff: int) -> None:
    found = loading.metric_differences(first, second, [f"{name}@{cutoff}" for name in QUALITY], view)
    clickable(compare_cells.verdict_table((first.record, second.record), found, view), key="verdict")
    st.caption(
        f"A − B: mean over the same users with its 95 % bootstrap interval. p: {PAIRED_TEST}; Holm-corrected "
        f"over the {len(QUALITY)} metrics. Won: users for whom A did better. Detectable: the smallest true "
        "difference that these users show with power 0.8."
    )


def _show_complement(
    first: StoredRecord,
    second: StoredRecord,
    pair: tuple[ComparedModel, ComparedModel],
    view: View,
    cutoff: int,
) -> None:
    st.header("What they find together")
    ranks = [one.ranks[0][view] for one in pair]

    def side(name: str) -> str:
        return url_state.href(side=name)

    shares, reach = pair_cells.complement_tables(overlap(ranks[0], ranks[1], cutoff), side)
    left, right = st.columns(2)
    with left:
        event = clickable(shares, key="complement")
    with right:
        clickable(reach, key="reach")
    if event is not None and event.name == "side" and event.value in pair_cells.SIDES:
        url_state.put("side", event.value)
        st.rerun()
    names = [one.record.model.name for one in (first, second)]
    if not any(loading.is_upload(one) for one in (first, second)) and names[0] != names[1]:
        info = first.record.dataset
        st.caption("To fuse their lists, with weights chosen on validation users:")
        st.code(
            f"genrec-bench fuse {names[0]} {names[1]} "
            f"--dataset {info.name} --split {info.split} --ties {info.ties}",
            language="bash",
        )


def _show_groups(first: StoredRecord, second: StoredRecord, split: Split, view: View, metric: str) -> None:
    st.header("By group of users")
    frame = board_rows.group_rows(loading.group_differences(first, second, split, metric, view))
    left, right = st.columns(2)
    for number, panel in enumerate(charts.difference_charts(frame, f"A − B, {metric_label(metric)}")):
        with (left, right)[number % 2]:
            st.vega_lite_chart(spec=panel, width="stretch")
    st.caption(
        "Bars: 95 % bootstrap interval of the paired difference; verdicts are Holm-corrected over all groups."
    )


def _show_overlap(first: StoredRecord, second: StoredRecord, split: Split, view: View, cutoff: int) -> None:
    lists = [loading.lists_of(one, split, view) for one in (first, second)]
    st.header("Overlap of the lists")
    if isinstance(lists[0], str) or isinstance(lists[1], str):
        st.text(next(found for found in lists if isinstance(found, str)))
        return
    shared = list_overlap(lists[0], lists[1], cutoff)
    known = shared[~np.isnan(shared)]
    if not len(known):
        st.info("Both runs have empty lists only.")
        return
    same, none = float((known == 1).mean()), float((known == 0).mean())
    st.markdown(
        f"Of the items in a user's two lists, cut at {cutoff}, **{100 * float(known.mean()):.1f} %** are in "
        f"both (mean Jaccard overlap). {100 * same:.1f} % of users get the same items from both, "
        f"{100 * none:.1f} % get no common item."
    )


def _show_users(
    first: StoredRecord,
    second: StoredRecord,
    pair: tuple[ComparedModel, ComparedModel],
    split: Split,
    view: View,
    metric: str,
) -> None:
    st.header("Single users")
    groups = _groups(split)
    cutoff = int(metric.partition("@")[2])
    found = [(0 < one.ranks[0][view]) & (one.ranks[0][view] <= cutoff) for one in pair]
    with common.control_row():
        side: str = st.selectbox(
            f"Users, by the first {cutoff}",
            format_func=pair_cells.SIDES.__getitem__,
            width=240,
            **url_state.one_of("side", list(pair_cells.SIDES), "differ"),
        )
        group: str = st.selectbox("Group", width=420, **url_state.one_of("group", list(groups), _ALL))
        wanted = url_state.get("draw")
        draw = int(wanted) if wanted.isdecimal() and len(wanted) < 9 else 0
        if side != "differ" and st.button("Another sample", icon=":material/casino:"):
            url_state.put("draw", str(draw + 1))
            st.rerun()
    asked = groups[group] & pair_cells.side_of((found[0], found[1]), side)
    if side == "differ":
        order = largest_differences(*pair, metric=metric, view=view)
        asked &= pair[0].ranks[0][view] != pair[1].ranks[0][view]
        users = order[asked[order]][:SHOWN_USERS]
    else:
        rng = np.random.default_rng(draw)
        users = rng.permutation(np.flatnonzero(asked))[:SHOWN_USERS]
    if not len(users):
        st.info("There is no such user.")
        return

    def choices(user_id: str) -> dict[str, str | list[str]]:
        runs = [first.id, second.id]
        return {"page": "explore", "look": "user", "user": user_id, "q_user": "", "runs": runs}

    html = pair_cells.users_table(
        pair, split, view, users, links=lambda user_id: url_state.href(**choices(user_id))
    )
    event = clickable(html, key="users")
    if event is not None and event.name == "user":
        url_state.put_all(choices(event.value))
        st.rerun()
    how = "those with the largest difference" if side == "differ" else "a random sample"
    st.caption(f"{len(users)} of {int(asked.sum()):,} users: {how}.")


def _groups(split: Split) -> Mapping[str, BoolArray]:
    """Give the groups of users by a name for people, all users first."""
    found: dict[str, BoolArray] = {_ALL: np.ones(len(split.test), dtype=np.bool_)}
    for kind, members in user_groups(split).items():
        for group in members:
            if group.members.any():
                found[f"{GROUP_LABELS.get(kind, kind)}: {group.label}"] = group.members
    return found
