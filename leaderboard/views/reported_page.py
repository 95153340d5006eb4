"""Reported elsewhere: what others published on a data set, to search, sort and hold against a view."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from bench.errors import BenchError
from bench.labels import metric_label
from bench.metrics.definitions import QUALITY
from bench.record import View
from bench.records.store import StoredRecord
from bench.reported.rows import load_reported
from leaderboard.cells import reported_cells
from leaderboard.cells.html_table import render as render_table
from leaderboard.draw import charts
from leaderboard.draw.components import clickable
from leaderboard.frames import board_rows, reported_rows
from leaderboard.frames.board_rows import BoardKey
from leaderboard.state import loading, url_state
from leaderboard.views import common

_FITS = {
    "all": "any protocol",
    "view": "same protocol as this view",
    "maybe": "same, as far as is said",
}
_KEPT = {"all": ("same", "unsaid", "other"), "view": ("same",), "maybe": ("same", "unsaid")}
_NAMES_FIRST = ("model", "source")


def render() -> None:
    """Draw the page."""
    st.title("Reported elsewhere")
    loaded = loading.records()
    with common.control_row():
        chosen = common.choose_board(loaded)
        if chosen is not None:
            view, cutoff = common.choose_view(), common.choose_cutoff()
            metric = common.choose_metric("Metric")
    if chosen is not None:
        _show(*chosen, view, cutoff, metric)
    common.show_problems(loaded)


def _show(key: BoardKey, records: list[StoredRecord], view: View, cutoff: int, metric: str) -> None:
    try:
        everything = load_reported()
    except BenchError as error:
        st.error("The table of reported numbers cannot be read.")
        st.text(str(error))
        return
    datasets = list(dict.fromkeys(row.dataset for row in everything))
    with common.control_row():
        dataset = st.selectbox(
            "Figures on",
            format_func=common.dataset_title,
            width=270,
            **url_state.one_of("figures", datasets, key.dataset if key.dataset in datasets else datasets[0]),
        )
        fit = st.selectbox(
            "Protocol",
            format_func=_FITS.__getitem__,
            width=250,
            **url_state.one_of("fit", list(_FITS), "all"),
        )
        text = st.text_input(
            "Search", placeholder="model, source, protocol", width=260, **url_state.text("q_reported")
        )
        whole = st.toggle("Also rows without this cut-off", **url_state.flag("all_reported"))
    if dataset != key.dataset:
        st.caption(f"No figures on {common.dataset_title(key.dataset)} have been read yet.")
    rows = [row for row in everything if row.dataset == dataset]
    newest, _ = board_rows.collapse(records)
    measured = newest if key.ties == "file" and dataset == key.dataset else []
    frame = reported_rows.reported_rows(rows, key, measured, view=view, cutoff=cutoff)
    if not whole:
        frame = frame[frame[list(QUALITY)].notna().any(axis=1)]
    letters = reported_cells.protocol_letters(frame)
    own = frame["read"] == "own"
    published = reported_rows.search(frame[~own], text or "", _KEPT[fit])
    st.caption(
        f"{len(published)} of {int((~own).sum())} rows that others published on "
        f"{common.dataset_title(dataset)}. They are never ranked with measured rows; where we measured the "
        "same model, ours and the gap are shown."
    )
    _show_progress(published, newest if measured else [], view, metric, cutoff)
    if published.empty:
        st.info("No row passes these filters.")
    else:
        _show_table(published, letters, cutoff, "reported")
    if own.any() and fit == "all" and not text:
        st.subheader("Computed here, not as a record")
        st.caption("Figures that this project worked out to explain others; nobody published them.")
        _show_table(frame[own], letters, cutoff, "own")
    with st.expander("How they were measured", expanded=True):
        ways = [(letter, way) for way, letter in letters.items()]
        common.show_table(("", "Protocol"), ways, key="protocols")


def _show_table(frame: pd.DataFrame, letters: dict[str, str], cutoff: int, key: str) -> None:
    sort = url_state.get("reported_sort")
    rows = board_rows.sort_rows(frame, sort) if sort else frame
    columns = reported_cells.reported_columns(cutoff)
    html = render_table(columns, reported_cells.reported_cells(rows, letters), sort=sort)
    event = clickable(f'<div class="tall">{html}</div>', key=key)
    if event is not None and event.name == "sort":
        first = event.value if event.value in _NAMES_FIRST else f"-{event.value}"
        second = f"-{event.value}" if event.value in _NAMES_FIRST else event.value
        url_state.put("reported_sort", second if sort == first else first)
        st.rerun()


def _show_progress(
    frame: pd.DataFrame, measured: list[StoredRecord], view: View, metric: str, cutoff: int
) -> None:
    """Draw the dated figures by year, with the best so far and the best that was measured here."""
    found = reported_rows.progress(frame, metric)
    if found["year"].nunique() < 2:
        return
    name = f"{metric}@{cutoff}"
    values = [board_rows.estimate(one.record, view, name).value for one in measured]
    ours = max((value for value in values if value is not None), default=None)
    st.subheader("Progress over time")
    st.vega_lite_chart(spec=charts.progress_chart(found, metric_label(name), ours), width="stretch")
    undated = int(frame[metric].notna().sum()) - len(found)
    here = ", measured here in this view" if ours is not None else ""
    st.caption(
        f"Step: the best figure printed up to a year{'; dashed: the best row' + here if here else ''}. "
        f"Different protocols are different marks; {undated} figures without a known year are left out."
    )
