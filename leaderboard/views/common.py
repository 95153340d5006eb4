"""What several pages share: choosing a board, a view and runs, and the states in which nothing shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from bench.datasets.registry import display_name
from bench.datasets.rules.split_rules import LEAVE_ONE_OUT, LOO2, TIME, TIME_LOO
from bench.labels import DEFAULT_VIEW, HEADLINE_CUTOFF, RANKED_BY, VIEW_LABELS, VIEW_SHORT, metric_label
from bench.metrics.definitions import CUTOFFS, QUALITY
from bench.record import VIEWS, View
from bench.records.store import LoadedRecords, StoredRecord
from leaderboard.cells.html_table import Cell, Column, Row, render
from leaderboard.draw.components import clickable
from leaderboard.frames.board_rows import BoardKey, boards
from leaderboard.state import url_state
from leaderboard.state.folders import results_dir


def control_row() -> Any:
    """Give a row for controls, which wraps on a narrow page."""
    return st.container(horizontal=True, vertical_alignment="bottom")


def choose_board(loaded: LoadedRecords) -> tuple[BoardKey, list[StoredRecord]] | None:
    """Let the user pick data set, tie rule and, where there are several, fingerprint; None if none."""
    groups = boards(loaded.valid())
    if not groups:
        show_no_records()
        return None
    counts = {
        name: sum(len(rows) for key, rows in groups.items() if key.dataset == name) for name in _names(groups)
    }
    fullest = max(counts, key=lambda name: (name != "sample", counts[name]))
    dataset = st.selectbox(
        "Data set", format_func=dataset_title, width=270, **url_state.one_of("data", list(counts), fullest)
    )
    split = _choose_split([key.split for key in groups if key.dataset == dataset])
    keys = [key for key in groups if (key.dataset, key.split) == (dataset, split)]
    ties = list(dict.fromkeys(key.ties for key in keys))
    rule = st.selectbox(
        "Same-day purchases",
        format_func=ties_title,
        width=170,
        help="Nearly half of Beauty's users bought their last two items on one day, so the order within "
        "a day decides their target. Rows of different orders never share a table.",
        **url_state.one_of("ties", ties, "file" if "file" in ties else ties[0]),
    )
    by_print = {key.fingerprint: key for key in keys if key.ties == rule}
    prints = list(by_print)
    newest = max(prints, key=lambda text: groups[by_print[text]][0].record.created)
    fingerprint = newest
    if len(prints) > 1:
        fingerprint = st.selectbox(
            "Fingerprint of the data",
            format_func=lambda text: text[:12],
            width=170,
            **url_state.one_of("data_fingerprint", prints, newest),
        )
    key = by_print[fingerprint]
    return key, groups[key]


def _choose_split(found: Sequence[str]) -> str:
    """Let the user pick the split, where a data set has rows of several."""
    splits = list(dict.fromkeys(found))
    if len(splits) == 1:
        return splits[0]
    chosen: str = st.selectbox(
        "Split",
        format_func=split_title,
        width=200,
        help="What is learned from and what is asked. Rows of different splits never share a table.",
        **url_state.one_of("split", splits, LEAVE_ONE_OUT if LEAVE_ONE_OUT in splits else splits[0]),
    )
    return chosen


def choose_view() -> View:
    """Let the user pick whether items of the own history count."""
    view: View = st.segmented_control(
        "Items the user already has",
        format_func=VIEW_SHORT.__getitem__,
        required=True,
        help="Removed: items of the user's own history are dropped from the list before it is scored. "
        "No user of Beauty buys an item twice, so removing never drops the right answer.",
        **url_state.one_of("view", list(VIEWS[::-1]), DEFAULT_VIEW),
    )
    return view


def choose_cutoff() -> int:
    """Let the user pick the cut-off."""
    chosen = st.segmented_control(
        "Cut-off",
        format_func=lambda k: f"@{k}",
        required=True,
        **url_state.one_of("k", [str(cutoff) for cutoff in CUTOFFS], str(HEADLINE_CUTOFF)),
    )
    return int(chosen)


def choose_metric(label: str) -> str:
    """Let the user pick recall, nDCG or MRR."""
    chosen: str = st.segmented_control(
        label,
        format_func=metric_label,
        required=True,
        **url_state.one_of("by", list(QUALITY), RANKED_BY),
    )
    return chosen


def dataset_title(name: str) -> str:
    """Name a data set for people."""
    return display_name(name)


def split_title(name: str) -> str:
    """Name a split for people."""
    kind, _, cut = name.partition(":")
    at = f"the first {float(cut):.0%}" if cut.startswith("0.") else cut
    titles = {
        LEAVE_ONE_OUT: "last item, 5 % validate",
        LOO2: "last item, the one before validates",
        TIME: f"next item after {at}",
        TIME_LOO: f"last item, learned up to {at}",
    }
    return titles.get(kind, name)


def ties_title(rule: str) -> str:
    """Name a tie rule for people."""
    kind, _, seed = rule.partition(":")
    titles = {"file": "as in the file", "shuffled": f"shuffled (seed {seed})"}
    return titles.get(kind, f"shuffled by day (seed {seed})")


def view_title(view: View) -> str:
    """Name a view for people."""
    return VIEW_LABELS[view]


def run_title(stored: StoredRecord) -> str:
    """Name a run in a list to choose from."""
    record = stored.record
    name = record.model.display_name or record.model.name
    return f"{name}, {record.created:%Y-%m-%d %H:%M} ({record.model.name})"


def show_no_records() -> None:
    """Say what to do when the results folder holds nothing to show."""
    st.info(f"There are no records to show in `{results_dir()}` yet. To make some:")
    st.code("pytest bench --benchmark\ngenrec-bench leaderboard --results results", language="bash")


def show_problems(loaded: LoadedRecords, unreadable: Mapping[str, str] | None = None) -> None:
    """List the files that are not shown, and the rows whose ranks are `unreadable`, and why."""
    not_ranked = list((unreadable or {}).items())
    withdrawn = [stored for stored in loaded.records if stored.invalid is not None]
    if not loaded.problems and not withdrawn and not not_ranked:
        return
    total = len(loaded.problems) + len(withdrawn) + len(not_ranked)
    title = "Not shown or not ranked" if not_ranked else "Not shown"
    with st.expander(f"{title}, because … ({total})"):
        rows = [(row, f"not ranked: {why}") for row, why in not_ranked]
        rows += [(problem.path.name, problem.message) for problem in loaded.problems]
        for stored in withdrawn:
            if stored.invalid is not None:
                reason = f"withdrawn on {stored.invalid.date:%Y-%m-%d}: {stored.invalid.reason}"
                rows.append((stored.id, reason))
        show_table(("File", "Why"), rows, key="problems")


def show_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, key: str, numeric: Sequence[int] = ()
) -> None:
    """Show a plain table of texts; nothing in it is read as HTML or Markdown."""
    columns = [Column(key=f"c{n}", label=name, numeric=n in numeric) for n, name in enumerate(header)]
    clickable(render(columns, [Row(cells=[Cell(text=text) for text in row]) for row in rows]), key=key)


def need_data(reason: str, dataset: str) -> None:
    """Say that a part of the page needs the data set, and how to get it."""
    st.info("This part needs the data set itself (titles, histories and targets).")
    st.text(reason)
    st.code(f"genrec-bench data download {dataset}", language="bash")


def _names(groups: dict[BoardKey, list[StoredRecord]]) -> list[str]:
    return list(dict.fromkeys(key.dataset for key in groups))
