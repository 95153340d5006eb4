"""Overview: every data set under one protocol, and which model does how well on which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape

import streamlit as st

from bench.comparison.board_standings import BoardStandings
from bench.datasets.audit.data_audit import stored_audits
from bench.datasets.rules.split_rules import LEAVE_ONE_OUT
from bench.datasets.rules.tie_rules import FILE
from bench.labels import metric_label
from bench.record import View
from bench.records.store import StoredRecord
from leaderboard import navigation
from leaderboard.cells import overview_cells
from leaderboard.cells.html_table import render as render_table
from leaderboard.cells.pager import pager, pager_html
from leaderboard.draw.components import clickable
from leaderboard.frames import board_rows, overview_rows
from leaderboard.frames.board_rows import BoardKey
from leaderboard.frames.overview_rows import GENERATED, BoardView
from leaderboard.state import loading, url_state
from leaderboard.state.folders import results_dir
from leaderboard.views import common


def render() -> None:
    """Draw the page."""
    st.title("Generative recommenders, measured")
    words = st.container()  # what the boards say, known once they are chosen below
    loaded = loading.records()
    groups = board_rows.boards(loaded.valid())
    if not groups:
        common.show_no_records()
        common.show_problems(loaded)
        return
    with common.control_row():
        split, ties = _choose_rules(groups)
        view, cutoff = common.choose_view(), common.choose_cutoff()
        metric = f"{common.choose_metric('Metric')}@{cutoff}"
    chosen = overview_rows.boards_of(groups, split, ties)
    views = [_board(key, records, view, metric) for key, records in chosen.items()]
    titles = {one.key.dataset: common.dataset_title(one.key.dataset) for one in views}
    with words:
        said = overview_rows.sentences(_of_the_world(views), titles, metric_label(metric))
        first, rest = escape(said[0]), escape(" ".join(said[1:]))
        clickable(f'<p class="sentence">{first}</p><p class="said">{rest}</p>', key="said")
    _show_datasets(views, titles, metric)
    _show_matrix(views, titles, metric)
    common.show_problems(loaded)


def _choose_rules(groups: Mapping[BoardKey, Sequence[StoredRecord]]) -> tuple[str, str]:
    """Let the user pick split and tie rule with one switch, those of most data sets first."""
    boards = {(key.dataset, key.split, key.ties) for key in groups}
    counts = Counter((split, ties) for _, split, ties in sorted(boards))
    options = [url_state.joined(rules) for rules, _ in counts.most_common()]
    default = url_state.joined((LEAVE_ONE_OUT, FILE))

    def title(option: str) -> str:
        split, ties = url_state.parted(option)
        count = counts[split, ties]
        sets = f"{count} data set{'s' if count > 1 else ''}"
        return f"{common.split_title(split)}; same-day purchases {common.ties_title(ties)} ({sets})"

    chosen: str = st.selectbox(
        "Protocol",
        format_func=title,
        width=520,
        help="What is learned from, what is asked, and the order of purchases of one day. Figures under "
        "different protocols never share a table.",
        **url_state.joint(("split", "ties"), options, default if default in options else options[0]),
    )
    return url_state.parted(chosen)


def _board(key: BoardKey, records: Sequence[StoredRecord], view: View, metric: str) -> BoardView:
    newest, _ = board_rows.collapse(records)
    name, _, cutoff = metric.partition("@")
    standings = loading.standings_soon(newest, metric, view)
    if standings is None:
        common.await_standings(newest, metric, view)
        standings = BoardStandings(places={})
    frame = board_rows.leaderboard(newest, view=view, cutoff=int(cutoff), standings=standings)
    return overview_rows.board_view(key, records, frame, standings, name)


def _of_the_world(views: Sequence[BoardView]) -> list[BoardView]:
    """Leave the generated data set out, unless it is all there is."""
    return [view for view in views if view.key.dataset != GENERATED] or list(views)


def _show_datasets(views: Sequence[BoardView], titles: Mapping[str, str], metric: str) -> None:
    rows = []
    for view in views:
        key = view.key
        audits = stored_audits(results_dir(), key.dataset)
        audit = next((one for one in audits if one.fingerprint == key.fingerprint), None)
        href = url_state.href(page="leaderboard", data=key.dataset)
        rows.append(overview_cells.dataset_row(view, titles[key.dataset], href, navigation.run_href, audit))
    event = clickable(
        render_table(overview_cells.dataset_columns(metric_label(metric)), rows), key="datasets"
    )
    if event is not None and event.name == "board":
        navigation.open_page("leaderboard", data=event.value)
    if event is not None and event.name == "run":
        navigation.open_page("run", run=event.value)


def _show_matrix(views: Sequence[BoardView], titles: Mapping[str, str], metric: str) -> None:
    st.header("Models by data sets")
    default = [view.key.dataset for view in _of_the_world(views)]
    sets = st.multiselect(
        "Data sets compared",
        format_func=titles.__getitem__,
        **url_state.some_of("sets", list(titles), default),
    )
    compared = [view for view in views if view.key.dataset in (sets or default)]
    rows = overview_rows.matrix(compared)
    shown = pager(url_state.get("p"), len(rows))
    columns = overview_cells.matrix_columns(compared, titles, metric_label(metric))
    cells = overview_cells.matrix_rows(rows[shown.rows], compared, navigation.run_href)
    pages = pager_html(shown, lambda page: url_state.href(p=page))
    event = clickable(f'<div class="tall board">{render_table(columns, cells)}</div>{pages}', key="matrix")
    if event is not None and event.name == "run":
        navigation.open_page("run", run=event.value)
    if event is not None and event.name == "p":
        url_state.put("p", event.value, "1")
        st.rerun()
    ranked = sum(row.mean is not None for row in rows)
    st.caption(
        f"Mean rank: over these data sets, among the {ranked} models that were run on every one of them; in "
        "small figures the mean of the best and of the worst rank that their users allow. A model that was "
        "not run on one has no mean. Other ranks are those of each whole board."
    )
