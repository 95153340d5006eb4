"""Quality against cost: a scatter with the Pareto front; a click opens the run."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from bench.labels import metric_label
from bench.record import View
from bench.records.store import StoredRecord
from leaderboard import navigation
from leaderboard.draw import cost_chart
from leaderboard.draw.components import clickable
from leaderboard.frames import board_rows, cost_points
from leaderboard.frames.board_rows import BoardKey
from leaderboard.frames.cost_points import AXES, CostAxis
from leaderboard.state import loading, url_state
from leaderboard.views import common


def render() -> None:
    """Draw the page."""
    st.title("Quality against cost")
    loaded = loading.records()
    with common.control_row():
        chosen = common.choose_board(loaded)
        if chosen is not None:
            view, cutoff = common.choose_view(), common.choose_cutoff()
            metric = common.choose_metric("Quality")
    if chosen is not None:
        _show(chosen, view, f"{metric}@{cutoff}")
    common.show_problems(loaded)


def _show(chosen: tuple[BoardKey, Sequence[StoredRecord]], view: View, metric: str) -> None:
    newest, _ = board_rows.collapse(chosen[1])
    name, _, cutoff = metric.partition("@")
    frame = board_rows.leaderboard(newest, view=view, cutoff=int(cutoff))
    with common.control_row():
        axis = _choose_axis()
        options = url_state.some_of("kind", sorted(frame["kind"].unique()))
        kinds = st.multiselect("Kind", placeholder="All", width=300, **options)
    frame = board_rows.filter_rows(frame, kinds=kinds)
    points = cost_points.points_of(frame, name, axis, links=navigation.run_href)
    label = metric_label(metric)
    if not points:
        st.info("No run has both this quality metric and this cost.")
        st.caption("Runs on a CPU have no GPU memory or energy; not every model states its size.")
        return
    event = clickable(cost_chart.figure(points, axis, label), key="pareto")
    if event is not None and event.name == "run":
        navigation.open_page("run", run=event.value)
    missing = len(frame) - len(points)
    lacking = f" {missing} more models lack one of the two figures." if missing else ""
    st.caption(
        "Each point is the newest record of a model; bars are 95 % intervals. The dashed line joins the runs "
        f"that no other beats in both. Hover for details, click to open the run.{lacking}"
    )


def _choose_axis() -> CostAxis:
    titles = {name: entry.label for name, entry in AXES.items()}
    options = url_state.one_of("cost", list(AXES), "time")
    chosen: str = st.selectbox("Cost", format_func=titles.__getitem__, width=290, **options)
    return AXES[chosen]
