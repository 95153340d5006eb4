"""Compare two runs user by user: is the difference real, where does it come from, whom does it affect."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from bench.comparison import Contender, largest_differences, list_overlap
from bench.metrics import QUALITY
from bench.records import View
from bench.schema import Split
from bench.store import StoredRecord
from leaderboard import charts, formatting, loading, navigation, tables, url_state
from leaderboard.board_cells import METRIC_LABELS
from leaderboard.components import clickable
from leaderboard.html_table import Cell, Column, Event, Row
from leaderboard.html_table import render as render_table
from leaderboard.tables import BoardKey
from leaderboard.views import common

_DIFFERENT_USERS = 20


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
    options = tables.strongest_first([one for one in records if one.record.metrics is not None], view)
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
    _show_verdict(first, second, view, cutoff)
    split = loading.split_of(key.dataset, key.ties, key.fingerprint)
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
    baseline = next((one.id for one in options if one.record.model.name == tables.LIFT_BASELINE), ids[1])
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
    metrics = [f"{name}@{cutoff}" for name in QUALITY]
    found = loading.metric_differences(first, second, metrics, view)
    st.header("Verdict")
    names = [f"{METRIC_LABELS[name]}@{cutoff}" for name in QUALITY]
    rows = []
    for metric, name in zip(metrics, names, strict=True):
        paired = found[metric]
        values = [tables.estimate(one.record, view, metric) for one in (first, second)]
        interval = paired.difference
        decimals = formatting.decimals_for([(interval.high - interval.low) / 2])
        better = "A" if interval.value > 0 else "B"
        rows.append(
            Row(
                cells=[
                    Cell(text=name),
                    *(
                        Cell(
                            text=formatting.number(one.value, decimals),
                            note=formatting.span(one.low, one.high, decimals),
                        )
                        for one in values
                    ),
                    Cell(
                        text=formatting.signed(interval.value, decimals),
                        note=f"{formatting.signed(interval.low, decimals)} to "
                        f"{formatting.signed(interval.high, decimals)}",
                    ),
                    Cell(
                        text=formatting.p_value(paired.adjusted_p),
                        note=f"uncorrected {formatting.p_value(paired.p_value)}",
                    ),
                    Cell(text=f"{paired.won:,}"),
                    Cell(text=f"{paired.lost:,}"),
                    Cell(text=f"{paired.tied:,}"),
                    Cell(text=formatting.number(paired.detectable, decimals)),
                    Cell(text=f"{better} is better" if paired.adjusted_p < 0.05 else "cannot tell"),
                ]
            )
        )
    clickable(render_table(_VERDICT_COLUMNS, rows), key="verdict")
    st.caption(
        "A − B: mean over the same users with its 95 % bootstrap interval. p: paired randomisation test over "
        "users, Holm-corrected over the three metrics. Won: users for whom A did better. Detectable: the "
        "smallest true difference that these users show with power 0.8."
    )


_VERDICT_COLUMNS = [
    Column(key="metric", label="Metric", numeric=False),
    Column(key="a", label="A", note="95 % interval"),
    Column(key="b", label="B", note="95 % interval"),
    Column(key="difference", label="A − B", note="95 % interval"),
    Column(key="p", label="p", note="corrected"),
    Column(key="won", label="Won", note="users"),
    Column(key="lost", label="Lost", note="users"),
    Column(key="tied", label="Tied", note="users"),
    Column(key="detectable", label="Detectable", note="difference"),
    Column(key="wide", label="Verdict", numeric=False),
]


def _show_groups(first: StoredRecord, second: StoredRecord, split: Split, view: View, cutoff: int) -> None:
    st.header("By group of users")
    metric = f"{url_state.get('by', 'ndcg') if url_state.get('by') in QUALITY else 'ndcg'}@{cutoff}"
    frame = tables.group_rows(loading.group_differences(first, second, split, metric, view))
    left, right = st.columns(2)
    for number, (name, part) in enumerate(frame.groupby("slice", sort=False)):
        with (left, right)[number % 2]:
            st.markdown(f"**{name}**")
            st.altair_chart(charts.difference_chart(part, f"A − B, {metric}"), width="stretch")
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
    contenders = [loading.contender(one) for one in (first, second)]
    pair = [one for one in contenders if isinstance(one, Contender)]
    metric = f"ndcg@{cutoff}"
    order = largest_differences(pair[0], pair[1], metric=metric, view=view)[:_DIFFERENT_USERS]
    rows = []
    for user in order.tolist():
        places = [int(one.ranks[0][view][user]) for one in pair]
        if places[0] == places[1]:
            continue
        user_id = split.user_ids[user]
        link = url_state.href(page="explore", user=user_id, runs=[first.id, second.id])
        rows.append(
            Row(
                cells=[
                    Cell(text=user_id, event=Event(name="user", value=user_id, href=link)),
                    Cell(text=split.catalogue.titles[split.test.targets[user]]),
                    Cell(text=f"{split.test.histories.lengths[user]:,}"),
                    *(Cell(text=str(place) if place else formatting.MISSING) for place in places),
                ]
            )
        )
    columns = [
        Column(key="user", label="User", numeric=False),
        Column(key="title", label="Bought next", numeric=False),
        Column(key="history", label="History", note="items"),
        Column(key="a", label="A", note="place of it"),
        Column(key="b", label="B", note="place of it"),
    ]
    event = clickable(render_table(columns, rows), key="users")
    if event is not None and event.name == "user":
        navigation.open_page("explore", user=event.value, runs=[first.id, second.id])
