"""Explore: one user's history and what each run lists; one item, who bought it and who is shown it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from bench.record import View
from bench.records.store import StoredRecord
from bench.schema import Split
from leaderboard import navigation
from leaderboard.cells.html_table import Event
from leaderboard.draw.components import clickable
from leaderboard.frames import board_rows, list_rows
from leaderboard.frames.list_rows import RunLists
from leaderboard.state import loading, url_state
from leaderboard.views import common


def render() -> None:
    """Draw the page."""
    st.title("Explore")
    loaded = loading.records()
    with common.control_row():
        chosen = common.choose_board(loaded)
        if chosen is not None:
            view, cutoff = common.choose_view(), common.choose_cutoff()
            subject = st.segmented_control(
                "Look up",
                format_func={"user": "a user", "item": "an item"}.__getitem__,
                required=True,
                **url_state.one_of("look", ["user", "item"], "user"),
            )
    if chosen is not None:
        key, records = chosen
        split = loading.split_of(key)
        if isinstance(split, str):
            common.need_data(split, key.dataset)
        else:
            show = _show_item if subject == "item" else _show_user
            show(split, _choose_runs(loading.with_upload(key, records), view), view, cutoff)
    common.show_problems(loaded)


def _choose_runs(records: Sequence[StoredRecord], view: View) -> list[StoredRecord]:
    with_lists = [one for one in records if one.record.lists_sha256 or loading.is_upload(one)]
    options = board_rows.strongest_first(with_lists, view)
    by_id = {stored.id: stored for stored in options}
    if not by_id:
        st.info("No run of this board has ranked lists.")
        return []
    chosen = st.multiselect(
        "Runs",
        format_func=lambda run: common.run_title(by_id[run]),
        max_selections=common.MAX_RUNS,
        **url_state.some_of("runs", list(by_id), list(by_id)[:2], most=common.MAX_RUNS),
    )
    return [by_id[run] for run in chosen]


def _read_lists(runs: Sequence[StoredRecord], split: Split, view: View) -> list[RunLists]:
    found = []
    for stored in runs:
        rankings = loading.lists_of(stored, split, view)
        if isinstance(rankings, str):
            st.warning("The lists of one run cannot be read:")
            st.text(rankings)
        else:
            found.append(RunLists(name=stored.record.model.display_name, rankings=rankings))
    return found


def _show_user(split: Split, runs: Sequence[StoredRecord], view: View, cutoff: int) -> None:
    user_id = _choose_user(split)
    if user_id is None:
        return
    user = split.user_ids.index(user_id)
    found = _read_lists(runs, split, view)
    st.header("History")
    _follow(clickable(list_rows.history_table(split, user), key="history"))
    if split.same_day[user]:
        st.caption("The last two purchases fell on one day: the order rule decided which is the target.")
    if found:
        st.header("What each run lists")
        st.text("The item bought next: " + "; ".join(list_rows.outcome(split, user, run) for run in found))
        _follow(clickable(list_rows.lists_table(split, user, found, cutoff), key="lists"))
        st.caption(f"What stands above the line counts at @{cutoff}.")
    for number, stored in enumerate(runs):
        html = list_rows.texts_table(split, loading.texts_of(stored), user_id)
        if html is not None:
            st.header("Texts it wrote, and what each one found")
            st.text(stored.record.model.display_name)
            _follow(clickable(html, key=f"texts-{number}"))


def _choose_user(split: Split) -> str | None:
    with common.control_row():
        text = st.text_input(
            "User id", placeholder="its beginning, or a part", width=260, **url_state.text("q_user")
        )
        matches = list_rows.find_users(split, text or "")
        wanted = url_state.get("user")
        if not text and wanted in split.user_ids and wanted not in matches:
            matches = [wanted, *matches]
        if not matches:
            st.info("No user id holds this text.")
            return None
        user_id: str = st.selectbox("User", width=260, **url_state.one_of("user", matches, matches[0]))
        if st.button("Another user at random", icon=":material/casino:"):
            pick = int(np.random.default_rng().integers(len(split.user_ids)))
            url_state.put_all({"user": split.user_ids[pick], "q_user": ""})
            st.rerun()
    return user_id


def _show_item(split: Split, runs: Sequence[StoredRecord], view: View, cutoff: int) -> None:
    item_id = _choose_item(split)
    if item_id is None:
        return
    item = split.catalogue.rows[item_id]
    had, wanted = list_rows.buyers(split, item)
    groups = {"Have it in their history": had, "Buy it next (it is their target)": wanted}
    for run in _read_lists(runs, split, view):
        groups[f"{run.name} lists it in the top {cutoff}"] = list_rows.listed_to(run.rankings, item, cutoff)
    clickable(list_rows.item_table(split, item), key="item")
    st.header("Who bought it, who is shown it")
    _follow(clickable(list_rows.users_table(split, groups, {}), key="item-users"))


def _choose_item(split: Split) -> str | None:
    catalogue = split.catalogue
    with common.control_row():
        text = st.text_input(
            "Title, brand or id", placeholder="some words of it", width=300, **url_state.text("q_item")
        )
        matches = list_rows.find_items(catalogue, text or "")
        wanted = url_state.get("item")
        if not text and wanted in catalogue.rows and wanted not in matches:
            matches = [wanted, *matches]
        if not matches:
            st.info("No title, brand or id holds these words.")
            return None
        item_id: str = st.selectbox(
            "Item",
            width=560,
            format_func=lambda match: f"{list_rows.shown_title(catalogue, catalogue.rows[match])} ({match})",
            **url_state.one_of("item", matches, matches[0]),
        )
    return item_id


def _follow(event: Event | None) -> None:
    """Look up the user or item that was clicked."""
    if event is not None and event.name in ("user", "item"):
        subject = {"look": event.name, event.name: event.value, f"q_{event.name}": ""}
        navigation.open_page("explore", **subject)
