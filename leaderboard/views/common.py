"""What several pages share: choosing a board, a view and runs, and the states in which nothing shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from bench.datasets.rules.split_rules import LEAVE_ONE_OUT
from bench.labels import DEFAULT_VIEW, HEADLINE_CUTOFF, RANKED_BY, VIEW_LABELS, VIEW_SHORT, metric_label
from bench.metrics.definitions import CUTOFFS, QUALITY
from bench.record import VIEWS, View
from bench.records.store import LoadedRecords, StoredRecord
from leaderboard.cells.html_table import Cell, Column, Row, render
from leaderboard.draw.components import clickable
from leaderboard.frames import formatting
from leaderboard.frames.board_rows import BoardKey, boards
from leaderboard.frames.titles import dataset_title as dataset_title
from leaderboard.frames.titles import split_title as split_title
from leaderboard.frames.titles import ties_title as ties_title
from leaderboard.state import loading, url_state
from leaderboard.state.folders import results_dir

MAX_RUNS = 6
"""Runs that can be ticked, compared and explored side by side."""


def control_row() -> Any:
    """Give a row for controls, which wraps on a narrow page."""
    return st.container(horizontal=True, vertical_alignment="bottom")


def choose_board(loaded: LoadedRecords) -> tuple[BoardKey, list[StoredRecord]] | None:
    """Let the user pick data set, tie rule and, of several, split and fingerprint; None where none is."""
    groups = boards(loaded.valid())
    if not groups:
        show_no_records()
        return None
    key = _pick_board(groups, _board_control)
    return key, groups[key]


def board_in_view(groups: Mapping[BoardKey, Sequence[StoredRecord]]) -> BoardKey:
    """Give the board that the URL names, without its controls; `groups` holds at least one."""
    return _pick_board(groups, url_state.known)


def _pick_board(
    groups: Mapping[BoardKey, Sequence[StoredRecord]], pick: Callable[[str, Sequence[str], str], str]
) -> BoardKey:
    """Narrow the boards down by one choice after the other; `pick` takes its name, options and default."""
    counts: Counter[str] = Counter()
    for key, rows in groups.items():
        counts[key.dataset] += len(rows)
    fullest = max(counts, key=lambda name: (name != "sample", counts[name]))
    dataset = pick("data", list(counts), fullest)
    keys = [key for key in groups if key.dataset == dataset]
    splits = list(dict.fromkeys(key.split for key in keys))
    split = splits[0]
    if len(splits) > 1:
        split = pick("split", splits, LEAVE_ONE_OUT if LEAVE_ONE_OUT in splits else splits[0])
    keys = [key for key in keys if key.split == split]
    ties = list(dict.fromkeys(key.ties for key in keys))
    rule = pick("ties", ties, "file" if "file" in ties else ties[0])
    by_print = {key.fingerprint: key for key in keys if key.ties == rule}
    newest = max(by_print, key=lambda text: groups[by_print[text]][0].record.created)
    if len(by_print) == 1:
        return by_print[newest]
    return by_print[pick("data_fingerprint", list(by_print), newest)]


def _board_control(name: str, options: Sequence[str], default: str) -> str:
    """Draw the control of one choice of the board."""
    controls: dict[str, tuple[str, int, Callable[[str], str], str | None]] = {
        "data": ("Data set", 270, dataset_title, None),
        "split": (
            "Split",
            200,
            split_title,
            "What is learned from and what is asked. Rows of different splits never share a table.",
        ),
        "ties": (
            "Same-day purchases",
            170,
            ties_title,
            "Nearly half of Beauty's users bought their last two items on one day, so the order within "
            "a day decides their target. Rows of different orders never share a table.",
        ),
        "data_fingerprint": ("Fingerprint of the data", 170, lambda text: text[:12], None),
    }
    label, width, show, explanation = controls[name]
    chosen: str = st.selectbox(
        label,
        format_func=show,
        width=width,
        help=explanation,
        **url_state.one_of(name, options, default),
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


def view_in_url() -> View:
    """Give the view that the URL names, without its control."""
    found = url_state.known("view", VIEWS, DEFAULT_VIEW)
    return next(view for view in VIEWS if view == found)


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


def view_title(view: View) -> str:
    """Name a view for people."""
    return VIEW_LABELS[view]


def run_title(stored: StoredRecord) -> str:
    """Name a run in a list to choose from."""
    record = stored.record
    mine = "your upload, " if loading.is_upload(stored) else ""
    made = f"{mine}{record.created:%Y-%m-%d %H:%M} ({record.model.name})"
    return f"{formatting.plain(record.model.display_name or record.model.name)}, {made}"


@st.fragment(run_every=1.0)
def await_standings(records: Sequence[StoredRecord], metric: str, view: View) -> None:
    """Draw the page anew once the standings of a large board are there."""
    if loading.standings_soon(records, metric, view) is not None:
        st.rerun()
    st.caption(f"Ranks follow: {len(records):,} models are being compared user by user …")


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
        rows += [(_place(problem.path), problem.message) for problem in loaded.problems]
        for stored in withdrawn:
            if stored.invalid is not None:
                reason = f"withdrawn on {stored.invalid.date:%Y-%m-%d}: {stored.invalid.reason}"
                rows.append((stored.id, reason))
        show_table(("File", "Why"), rows, key="problems")


def _place(path: Path) -> str:
    """Name a file by its place in the results folder, which says data set and model."""
    folder = results_dir()
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)


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
