"""Leaderboard: one table for one data set, tie rule, view and cut-off; reported numbers below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from bench.comparison.board_standings import BoardStandings
from bench.errors import BenchError
from bench.labels import COSTS, data_note, metric_label
from bench.record import View
from bench.records.store import StoredRecord
from bench.reported.rows import load_reported
from leaderboard import navigation
from leaderboard.cells import board_cells
from leaderboard.cells.board_cells import COLUMNS, DEFAULT_COLUMNS, FIXED
from leaderboard.cells.html_table import Event
from leaderboard.cells.html_table import render as render_table
from leaderboard.cells.pager import pager, pager_html
from leaderboard.cells.unmeasured_cells import unmeasured_rows
from leaderboard.draw.components import clickable
from leaderboard.frames import board_rows
from leaderboard.frames.board_rows import BoardKey
from leaderboard.frames.mission import unmeasured
from leaderboard.state import loading, url_state
from leaderboard.views import board_top, common, take_away

_LEAST_FIRST = ("rank", "model", "hardware", *(name for name in COSTS if name != "users_per_second"))
_FILTERS = ("q", "kind", "hardware", "fits")


def render() -> None:
    """Draw the page."""
    st.title("Leaderboard")
    words = st.container()  # what the rows say, known once they are chosen below
    loaded = loading.records()
    with common.control_row():
        chosen = common.choose_board(loaded)
        if chosen is not None:
            view, cutoff, ranked_by = (
                common.choose_view(),
                common.choose_cutoff(),
                common.choose_metric("Rank by"),
            )
    if chosen is not None:
        key, records = chosen
        standings = _show_board(words, key, records, view, cutoff, ranked_by)
        _link_reported(key)
    common.show_problems(loaded, {} if chosen is None else standings.unreadable)
    if chosen is not None:
        loading.read_ahead_of(key)


def _show_board(
    words: Any, key: BoardKey, records: Sequence[StoredRecord], view: View, cutoff: int, ranked_by: str
) -> BoardStandings:
    """Draw the main table; give the standings that it shows."""
    newest, older = board_rows.collapse(records)
    metric = f"{ranked_by}@{cutoff}"
    found = loading.standings_soon(newest, metric, view)
    standings = found or BoardStandings(places={})
    frame = board_rows.leaderboard(newest, view=view, cutoff=cutoff, standings=standings, older=older)
    board_top.show(words, key, newest, frame, standings, view, metric)
    if found is None:
        common.await_standings(newest, metric, view)
    filtered = _filter(frame)
    expanded, sort = url_state.get("older"), url_state.get("sort", "rank")
    known = {stored.id for stored in records}
    selected = [run for run in url_state.get_all("runs") if run in known][: common.MAX_RUNS]
    shown = pager(url_state.get("p"), len(filtered))
    page = _sorted(filtered, sort, ranked_by).iloc[shown.rows]
    rows = _with_older(page, older.get(expanded, ()), view, cutoff)
    st.caption(_caption(key, records, view, len(filtered), len(frame)))
    if filtered.empty:
        st.info("No model passes these filters.")
        if st.button("Clear the filters"):
            _clear_filters()
        return standings
    columns = board_cells.board_columns(_shown_columns(), cutoff, ranked_by=ranked_by)
    cells = board_cells.board_rows(
        rows, columns, links=navigation.run_href, expanded=expanded, marked=selected
    )
    if shown.last and not _filtered():
        cells += unmeasured_rows(unmeasured(key, set(frame["name"])), columns)
    html = render_table(columns, cells, sort=sort)
    pages = pager_html(shown, lambda page: url_state.href(p=page))
    event = clickable(f'<div class="tall board">{html}</div>{pages}', key="board")
    if event is not None:
        _react(event, sort, selected)
    _selection_bar(selected, newest)
    st.caption(
        f"Rank: the places by {metric_label(f'{ranked_by}@{cutoff}')} that the data allow; models that share "
        "a letter do not differ significantly (paired test over users, Holm-corrected, 5 %). Bars: value and "
        "95 % bootstrap interval on an axis from 0. Lift: nDCG against the strongest row that "
        "trains nothing. Peak VRAM: the largest of allocated, reserved and process-wide."
    )
    take_away.show(_sorted(filtered, sort, ranked_by), key, view, cutoff, ranked_by)
    return standings


def _filter(frame: pd.DataFrame) -> pd.DataFrame:
    active = sum(bool(url_state.get(name)) for name in _FILTERS[1:])
    with common.control_row():
        text = st.text_input(
            "Search", placeholder="model, author, hardware", width=260, **url_state.text("q")
        )
        with st.popover(f"Filters ({active})" if active else "Filters", icon=":material/filter_list:"):
            kinds = _filter_by("Kind", "kind", frame)
            machines = _filter_by("Hardware", "hardware", frame)
            fits = st.toggle("Fits 24 GB", help="Peak VRAM at most 24 GiB", **url_state.flag("fits"))
        with st.popover("Columns", icon=":material/view_column:"):
            optional = [name for name in COLUMNS if name not in FIXED]
            st.multiselect(
                "Columns to show",
                format_func=COLUMNS.__getitem__,
                **url_state.some_of("columns", optional, DEFAULT_COLUMNS),
            )
    return board_rows.filter_rows(frame, kinds=kinds, hardware=machines, fits=fits, text=text or "")


def _filtered() -> bool:
    return any(url_state.get_all(name) for name in _FILTERS)


def _filter_by(label: str, column: str, frame: pd.DataFrame) -> list[str]:
    values = sorted(frame[column].unique()) if len(frame) else []
    chosen: list[str] = st.multiselect(label, placeholder="All", **url_state.some_of(column, values))
    return chosen


def _shown_columns() -> list[str]:
    return [name for name in url_state.get_all("columns") if name in COLUMNS] or list(DEFAULT_COLUMNS)


def _clear_filters() -> None:
    url_state.put_all(dict.fromkeys(_FILTERS, ""))
    st.rerun()


def _sorted(frame: pd.DataFrame, sort: str, ranked_by: str) -> pd.DataFrame:
    by_rank = board_rows.by_rank(frame, ranked_by)
    if sort in ("rank", "-rank"):
        return by_rank if sort == "rank" else by_rank[::-1]
    return board_rows.sort_rows(by_rank, sort)


def _with_older(frame: pd.DataFrame, older: Sequence[StoredRecord], view: View, cutoff: int) -> pd.DataFrame:
    """Put a model's older records below its row."""
    if not older or frame.empty:
        return frame
    extra = board_rows.leaderboard(older, view=view, cutoff=cutoff)
    extra["is_older"] = True
    place = frame["name"].tolist()
    name = older[0].record.model.name
    if name not in place:
        return frame
    cut = place.index(name) + 1
    merged = pd.concat([frame.iloc[:cut], extra, frame.iloc[cut:]])
    merged["is_older"] = merged["is_older"].fillna(False).astype(bool)
    return merged


def _caption(key: BoardKey, records: Sequence[StoredRecord], view: View, shown: int, total: int) -> str:
    info = records[0].record.dataset
    models = f"{total} models" if shown == total else f"{shown} of {total} models"
    return (
        f"{models}, {len(records)} records. {info.users:,} test users, {info.items:,} items all ranked, "
        f"{info.interactions:,} purchases; {info.split}; {common.view_title(view)}. "
        f"Fingerprint of the data: `{key.fingerprint[:12]}`.{data_note(info)}"
    )


def _react(event: Event, sort: str, selected: list[str]) -> None:
    if event.name == "run":
        navigation.open_page("run", run=event.value)
    if event.name == "older":
        url_state.put("older", event.value)
    if event.name == "sort":
        wanted = _next_sort(event.value, sort)
        url_state.put_all({"sort": "" if wanted == "rank" else wanted, "p": ""})
    if event.name == "p":
        url_state.put("p", event.value, "1")
    if event.name == "select":
        kept = [run for run in selected if run != event.value]
        if event.value not in selected and len(kept) == common.MAX_RUNS:
            st.info(f"{common.MAX_RUNS} runs are ticked, which is the most: take one off first.")
            return
        url_state.put("runs", kept if event.value in selected else [*kept, event.value])
    st.rerun()


def _next_sort(column: str, sort: str) -> str:
    """First click: the best first, of names A to Z, of dates the newest; second click: the other way."""
    first = column if column in _LEAST_FIRST else f"-{column}"
    second = column if first.startswith("-") else f"-{column}"
    return second if sort == first else first


def _selection_bar(selected: Sequence[str], newest: Sequence[StoredRecord]) -> None:
    if not selected:
        return
    with st.container(horizontal=True):
        if st.button(f"Compare the selected ({len(selected)})", disabled=len(selected) < 2, type="primary"):
            navigation.open_page("compare")
        if st.button("Explore their lists"):
            navigation.open_page("explore")
        if st.button("Clear the selection"):
            url_state.put("runs", [])
            st.rerun()


def _link_reported(key: BoardKey) -> None:
    """Say how many figures others have published on these data, and where they are."""
    try:
        published = [row for row in load_reported(key.dataset) if row.read != "own"]
    except BenchError:
        return  # the page of reported numbers says what is wrong with them
    if published and st.button(f"{len(published)} figures reported elsewhere, with their protocols"):
        navigation.open_page("reported")
