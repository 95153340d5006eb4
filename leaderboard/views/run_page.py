"""Run: is it good, then everything of one record, a tab a subject."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from bench.errors import RecordError
from bench.labels import RANKED_BY, metric_label
from bench.record import Record, View
from bench.records.store import LoadedRecords, StoredRecord
from bench.statistics.paired_tests import PairedDifference
from leaderboard import navigation
from leaderboard.cells import run_cells
from leaderboard.cells.run_summary import summary
from leaderboard.draw.components import clickable
from leaderboard.frames import board_rows, run_rows
from leaderboard.frames.board_rows import BoardKey
from leaderboard.frames.run_verdict import against_cheap, peers
from leaderboard.state import loading, url_state
from leaderboard.views import common, run_parts

_TABS = {
    "quality": "Quality",
    "groups": "Groups of users",
    "cost": "Cost",
    "generation": "Generation",
    "settings": "Audits and settings",
    "files": "Take it away",
}


def render() -> None:
    """Draw the page."""
    st.title("Run")
    loaded = loading.records()
    if not loaded.records:
        common.show_no_records()
        common.show_problems(loaded)
        return
    with common.control_row():
        chosen, board = _choose(loaded)
        view, cutoff = common.choose_view(), common.choose_cutoff()
    try:
        stored = loading.whole(chosen)
    except RecordError as error:
        st.error("This record cannot be shown.")
        st.text(str(error))
        return
    record = stored.record
    if stored.invalid is not None:
        st.error(f"This record was withdrawn on {stored.invalid.date:%Y-%m-%d}. The reason given:")
        st.text(stored.invalid.reason)
    else:
        _show_verdict(stored, board, view, cutoff)
    info = record.dataset
    titles = common.dataset_title(info.name), common.ties_title(info.ties)
    clickable(run_cells.identity_table(stored, *titles), key="header")
    with common.control_row():
        if st.button("Compare with …", icon=":material/balance:", disabled=record.metrics is None):
            navigation.open_page("compare", runs=[stored.id], **_board(record))
        if st.button("Explore its lists", icon=":material/search:", disabled=not record.lists_sha256):
            navigation.open_page("explore", runs=[stored.id], **_board(record))
    _show_tab(stored, view)


def _choose(loaded: LoadedRecords) -> tuple[StoredRecord, list[StoredRecord]]:
    """Let the user pick a record: those of the board in view first, strongest first; give its board too."""
    everything = loaded.records
    by_id = {stored.id: stored for stored in everything}
    groups = board_rows.boards(loaded.valid())
    wanted = by_id.get(url_state.get("run"))
    if wanted is None and groups:
        key = common.board_in_view(groups)
        ticked = [run for run in url_state.get_all("runs") if run in by_id]
        best = board_rows.strongest_first(groups[key], common.view_in_url())
        wanted = by_id[ticked[0]] if ticked else best[0]
    wanted = wanted or everything[0]
    key = _key(wanted)
    own = board_rows.strongest_first(groups.get(key, []), common.view_in_url())
    own_ids = [stored.id for stored in own]
    others = [run for run in by_id if run not in set(own_ids)]
    chosen = st.selectbox(
        "Record",
        format_func=lambda run: _title(by_id[run], key),
        width=520,
        **url_state.one_of("run", [*own_ids, *others], wanted.id),
    )
    return by_id[chosen], groups.get(_key(by_id[chosen]), [])


def _title(stored: StoredRecord, here: BoardKey) -> str:
    """Name a record; one of another board with its data."""
    info = stored.record.dataset
    if _key(stored) == here:
        return common.run_title(stored)
    rules = (
        f"{common.dataset_title(info.name)}, {common.split_title(info.split)}, {common.ties_title(info.ties)}"
    )
    return f"{rules}: {common.run_title(stored)}"


def _key(stored: StoredRecord) -> BoardKey:
    info = stored.record.dataset
    return BoardKey(dataset=info.name, split=info.split, ties=info.ties, fingerprint=info.fingerprint)


def _board(record: Record) -> dict[str, str]:
    """Give the choices that open other pages on this record's board."""
    info = record.dataset
    return {
        "data": info.name,
        "split": info.split,
        "ties": info.ties,
        "data_fingerprint": info.fingerprint,
    }


def _show_verdict(stored: StoredRecord, board: Sequence[StoredRecord], view: View, cutoff: int) -> None:
    metric = f"{RANKED_BY}@{cutoff}"
    newest, _ = board_rows.collapse(board)
    rows = peers(stored, newest)
    standings = loading.standings(rows, metric, view)

    def compare(first: StoredRecord, second: StoredRecord) -> PairedDifference:
        return loading.metric_differences(first, second, [metric], view)[metric]

    verdict = against_cheap(stored, rows, metric, view, compare)
    html = summary(
        stored.record,
        verdict,
        standings.places.get(stored.id),
        among=len(standings.places) + len(standings.unreadable),
        metric=metric,
        view=view,
    )
    clickable(html, key="summary")
    if why := standings.unreadable.get(stored.id):
        st.warning("It has no rank, because its ranks cannot be read:")
        st.text(why)
    if stored.held_back:
        st.warning(
            "It has no rank until somebody looks at its flags and clears it: genrec-bench results clear"
        )
    st.caption(
        f"By {metric_label(metric)}, {common.view_title(view)}, among the newest records of this data set, "
        "split and tie rule. Rank: the places that the users allow (paired test, Holm-corrected)."
    )


def _show_tab(stored: StoredRecord, view: View) -> None:
    record = stored.record
    has_texts = bool(run_rows.health_rows(record)) or len(run_rows.loss_frame(record)) > 0
    tabs = [name for name in _TABS if name != "generation" or has_texts]
    tab = st.segmented_control(
        "Show",
        format_func=_TABS.__getitem__,
        required=True,
        label_visibility="collapsed",
        **url_state.one_of("tab", tabs, "quality"),
    )
    if tab == "groups":
        run_parts.show_groups(record, view)
    elif tab == "cost":
        run_parts.show_cost(record)
    elif tab == "generation":
        run_parts.show_generation(record, view)
    elif tab == "settings":
        run_parts.show_settings(record)
    elif tab == "files":
        run_parts.show_files(stored)
    else:
        run_parts.show_quality(record)
