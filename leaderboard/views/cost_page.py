"""Quality against cost: which runs are worth their cost, and which are good and cheap enough."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
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
from leaderboard.frames.limits import LIMITS, with_money, within
from leaderboard.state import loading, url_state
from leaderboard.views import common

_LEAST = "at_least"
_PRICES = {"gpu_price": "An hour of a machine with a GPU", "cpu_price": "An hour of a machine without"}


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
    standings = loading.standings_soon(newest, metric, view)
    everything = board_rows.leaderboard(newest, view=view, cutoff=int(cutoff))
    everything = with_money(everything, url_state.number("gpu_price"), url_state.number("cpu_price"))
    with common.control_row():
        axis = _choose_axis(everything)
        kinds = _choose_kinds_and_prices(everything)
        _choose_limits(metric_label(metric))
    frame = board_rows.filter_rows(everything, kinds=kinds)
    limits = {limit: most for limit in LIMITS if (most := url_state.number(limit)) is not None}
    least = url_state.number(_LEAST)
    kept, unknown = within(frame, name, least, limits)
    if limits or least is not None:
        _say_what_remains(kept, unknown, len(frame), name)
    points = [] if axis is None else cost_points.points_of(kept, name, axis, links=navigation.run_href)
    if axis is None or not points:
        if not kept.empty or not (limits or least is not None):
            st.info("No run has both this quality metric and this cost.")
            st.caption("Runs on a CPU have no GPU memory or energy; not every model states its size.")
        return
    better = cost_points.better_of(points, standings)
    event = clickable(cost_chart.figure(points, axis, metric_label(metric), better), key="pareto")
    if event is not None and event.name == "run":
        navigation.open_page("run", run=event.value)
    if standings is None:
        common.await_standings(newest, metric, view)
    missing = len(kept) - len(points)
    lacking = f" {missing} more models lack one of the two figures." if missing else ""
    st.caption(
        "Each point is the newest record of a model; bars are 95 % intervals. A run is on the front if no "
        f"run that costs no more is significantly better. Hover for details, click to open the run.{lacking}"
    )


def _choose_axis(frame: pd.DataFrame) -> CostAxis | None:
    """Let the user pick a cost that some run has; None where no run has any."""
    known = [name for name, axis in AXES.items() if (frame[axis.column] > 0).any()]
    if not known:
        return None
    without = [axis.label for name, axis in AXES.items() if name not in known]
    chosen: str = st.selectbox(
        "Cost",
        format_func=lambda name: AXES[name].label,
        width=250,
        help=f"No run here has: {', '.join(without)}." if without else None,
        **url_state.one_of("cost", known, "time" if "time" in known else known[0]),
    )
    return AXES[chosen]


def _choose_kinds_and_prices(frame: pd.DataFrame) -> list[str]:
    with st.popover("Kinds and prices", icon=":material/tune:"):
        kinds: list[str] = st.multiselect(
            "Kind", placeholder="All", **url_state.some_of("kind", sorted(frame["kind"].unique()))
        )
        for name, label in _PRICES.items():
            st.number_input(
                label, min_value=0.0, placeholder="in your currency", **url_state.number_box(name)
            )
    return kinds


def _choose_limits(label: str) -> None:
    """Draw the boxes of "at least" and "at most"; without prices there is none for money."""
    st.number_input(
        f"At least {label}",
        min_value=0.0,
        step=0.005,
        format="%.4f",
        placeholder="any",
        width=140,
        **url_state.number_box(_LEAST),
    )
    priced = any(url_state.number(name) is not None for name in _PRICES)
    for name, limit in LIMITS.items():
        if name == "cost_of_run" and not priced:
            continue
        st.number_input(
            f"At most {limit.label}",
            min_value=0.0,
            placeholder="any",
            help=limit.help,
            width=140,
            **url_state.number_box(name),
        )


def _say_what_remains(kept: pd.DataFrame, unknown: int, total: int, metric: str) -> None:
    lacking = (
        f" {unknown} are left out because a figure that is limited is not known of them." if unknown else ""
    )
    if kept.empty:
        st.info(f"None of {total} models is good and cheap enough.{lacking}")
        return
    best = board_rows.by_rank(kept, metric).iloc[0]
    st.text(f"{len(kept)} of {total} models remain, the best of them: {best['model']}.{lacking}")
