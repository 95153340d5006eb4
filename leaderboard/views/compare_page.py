"""Compare runs: who wins against whom, what they differ in, and any two of them user by user."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from bench.comparison.strongest import strongest_untrained
from bench.errors import BenchError
from bench.labels import DEFAULT_VIEW, HEADLINE_CUTOFF, RANKED_BY, metric_label, with_metric_labels
from bench.marks import marks
from bench.record import View
from bench.records.store import StoredRecord
from leaderboard.cells import compare_cells
from leaderboard.draw.components import clickable
from leaderboard.frames import board_rows, run_differences
from leaderboard.frames.board_rows import BoardKey
from leaderboard.frames.run_verdict import shown_name
from leaderboard.state import loading, url_state
from leaderboard.views import common, pair_parts


def render() -> None:
    """Draw the page."""
    st.title("Compare runs")
    loaded = loading.records()
    with common.control_row():
        chosen = common.choose_board(loaded)
        if chosen is not None:
            view, cutoff = common.choose_view(), common.choose_cutoff()
            metric = common.choose_metric("Metric")
    if chosen is not None:
        key, records = chosen
        _show(key, loading.with_upload(key, records), view, f"{metric}@{cutoff}")
    common.show_problems(loaded)


def _show(key: BoardKey, records: Sequence[StoredRecord], view: View, metric: str) -> None:
    options = board_rows.strongest_first([one for one in records if one.record.metrics is not None], view)
    if len(options) < 2:
        st.info("Comparing takes two runs with measured quality on the same data; there is one at most.")
        return
    runs = _readable(_choose(options), int(metric.partition("@")[2]))
    if len(runs) < 2:
        return
    for one in runs:
        for mark in marks(one.record):
            st.text(f"{common.run_title(one)}: {with_metric_labels(mark.sentence)}.")
    pair = _choose_pair(runs, view, metric)
    if pair is not None:
        pair_parts.show(key, *pair, view, metric)
    _show_differences(runs)


def _choose(options: Sequence[StoredRecord]) -> list[StoredRecord]:
    """Let the user pick runs; two at least: one alone gets the strongest cheap row beside it."""
    by_id = {stored.id: stored for stored in options}
    records = [one.record for one in options]
    untrained = strongest_untrained(records, DEFAULT_VIEW, f"{RANKED_BY}@{HEADLINE_CUTOFF}")
    cheap = [one.id for one in options if one.record is untrained]
    best = options[0].id
    chosen = st.multiselect(
        f"Runs, two to {common.MAX_RUNS}",
        format_func=lambda run: common.run_title(by_id[run]),
        max_selections=common.MAX_RUNS,
        **url_state.some_of(
            "runs",
            list(by_id),
            [*dict.fromkeys([best, *cheap, *by_id])] if not url_state.get("runs") else [*cheap, *by_id],
            fewest=2,
            most=common.MAX_RUNS,
        ),
    )
    return [by_id[run] for run in chosen]


def _readable(runs: Sequence[StoredRecord], cutoff: int) -> list[StoredRecord]:
    """Leave out, and name, the runs that cannot be compared at this cut-off."""
    kept = []
    for one in runs:
        found = loading.compared_model(one)
        if isinstance(found, str):
            st.error("One of the runs cannot be compared user by user:")
            st.text(f"{one.id}: {found}")
        elif one.record.depth < cutoff:
            st.info(f"Choose a smaller cut-off: these lists are shorter than {cutoff} items.")
            st.text(f"{one.id}: lists of {one.record.depth}")
        else:
            kept.append(one)
    return kept


def _choose_pair(
    runs: Sequence[StoredRecord], view: View, metric: str
) -> tuple[StoredRecord, StoredRecord] | None:
    """Show all pairs of more than two runs and let the user pick one; None where that fails."""
    if len(runs) == 2:
        return runs[0], runs[1]
    st.header("Who wins against whom")
    try:
        found = loading.all_differences(runs, metric, view)
    except BenchError as error:
        st.error("These runs cannot be compared:")
        st.text(str(error))
        return None
    by_id = {one.id: one for one in runs}
    order = [row.label for row in found.rows]
    names = {one.id: shown_name(one.record) for one in runs}
    event = clickable(compare_cells.matrix_table(found, names), key="matrix")
    if event is not None and event.name == "pair":
        places = [int(place) for place in event.value.split() if place.isdigit() and int(place) < len(order)]
        url_state.put("pair", [order[place] for place in places])
        st.rerun()
    st.caption(
        f"Row minus column in {metric_label(metric)}; coloured where the difference is significant (paired "
        "test over users, Holm-corrected over all pairs, 5 %). Click a cell to look at its two runs below."
    )
    chosen = []
    with common.control_row():
        for place, label in enumerate(("A", "B")):
            options = url_state.place_in("pair", place, order, order[place])
            chosen.append(
                st.selectbox(
                    label, format_func=lambda run: common.run_title(by_id[run]), width=420, **options
                )
            )
    if chosen[0] == chosen[1]:
        st.info("Pick two different runs.")
        return None
    return by_id[chosen[0]], by_id[chosen[1]]


def _show_differences(runs: Sequence[StoredRecord]) -> None:
    st.header("Cost and settings")
    records = [one.record for one in runs]
    names = [shown_name(record) for record in records]
    costs = run_differences.cost_rows(records)
    clickable(compare_cells.differences_table(names, costs, "Cost"), key="costs")
    settings = run_differences.setting_rows(records)
    if not settings:
        st.caption("The runs have the same settings, seed and commit.")
        return
    shown = settings[: run_differences.MAX_SETTINGS]
    clickable(compare_cells.differences_table(names, shown, "Setting"), key="settings")
    more = len(settings) - len(shown)
    st.caption(
        "Only settings in which the runs differ; a dash stands where a run has no such setting."
        + (f" {more} more are in the records." if more else "")
    )
