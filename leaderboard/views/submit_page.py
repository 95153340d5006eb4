"""Submit: a file of ranked lists is checked, scored and shown beside the board, in this session only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from bench.errors import BenchError
from bench.record import View
from bench.records.store import StoredRecord
from bench.schema import Rankings, Split
from bench.submission import Choices, Entry, ModelCard, Report, parse_card
from bench.submission.score import KINDS
from leaderboard import navigation
from leaderboard.cells import board_cells, run_cells
from leaderboard.cells.html_table import render as render_table
from leaderboard.draw.components import clickable
from leaderboard.frames import board_rows
from leaderboard.frames.board_rows import BoardKey
from leaderboard.state import loading, session_submission
from leaderboard.state.session_submission import Scored, Upload
from leaderboard.views import common, run_parts

MAX_UPLOAD_MB = 200
_RESULT = "submission_result"
_KNOWN_RUNS = 30


def render() -> None:
    """Draw the page."""
    st.title("Submit")
    st.markdown(
        "Any framework will do: make ranked lists for the test users, and the harness scores them as it "
        "scores its own. Here you see how a file would stand on the board. It is checked and scored for "
        "this browser session; nothing is kept on the server."
    )
    loaded = loading.records()
    with common.control_row():
        chosen = common.choose_board(loaded)
        if chosen is not None:
            view, cutoff = common.choose_view(), common.choose_cutoff()
    if chosen is not None:
        key, records = chosen
        split = loading.split_of(key)
        if isinstance(split, str):
            common.need_data(split, key.dataset)
        else:
            _show(key, records, split, view, cutoff)
    common.show_problems(loaded)


@dataclass(frozen=True, kw_only=True)
class _Form:
    upload: Upload
    name: str
    kind: str
    card: bytes | None


def _show(key: BoardKey, records: Sequence[StoredRecord], split: Split, view: View, cutoff: int) -> None:
    form = _fill_in()
    if form is not None:
        scored = _score(form, records, split)
        st.session_state[_RESULT] = (key, form, scored)
        if isinstance(scored, Scored):
            loading.keep_upload(key, scored)
    kept = st.session_state.get(_RESULT)
    if kept is None or kept[0] != key:
        _explain(split)
        return
    _, form, result = kept
    if isinstance(result, str):
        st.error("This cannot be scored:")
        st.text(result)
        return
    report = result.report if isinstance(result, Scored) else result
    _show_report(report)
    if isinstance(result, Scored):
        _show_result(result, records, view, cutoff)
        _show_publishing(form, result, split)


def _fill_in() -> _Form | None:
    with st.form("submission"):
        file = st.file_uploader(
            "Ranked lists: parquet, CSV, TSV, JSON, JSON lines, TREC or ranx runs; also packed (gz, ...)",
            max_upload_size=MAX_UPLOAD_MB,
        )
        with common.control_row():
            name = st.text_input("Name of the model", value="my-model", max_chars=64, width=240)
            kind = st.selectbox("Kind", KINDS, index=KINDS.index("sequential"), width=200)
        with st.expander("More: columns, model card, generated texts, missing users"):
            with common.control_row():
                user = st.text_input("Column of users", placeholder="told by the file", width=200)
                item = st.text_input("Column of items", placeholder="told by the file", width=200)
                order = st.text_input("Order", placeholder="a column, score, rank or file", width=220)
            ascending = st.checkbox("Smallest is best: the order column holds distances or the like")
            card = st.file_uploader("Model card (YAML)", type=["yaml", "yml"], max_upload_size=1)
            texts = st.checkbox("The file holds generated texts (user, texts and, if known, log-likelihoods)")
            rule = st.selectbox(
                "How texts become a list", ["by_likelihood", "published", "calrec"], width=240
            )
            partial = st.checkbox("Accept lists for less than 99 % of users; the row is marked")
        sent = st.form_submit_button("Check and score", type="primary")
    if not sent:
        return None
    if file is None:
        st.warning("Choose a file first.")
        return None
    upload = Upload(
        file_name=file.name,
        content=file.getvalue(),
        texts=texts,
        list_rule=rule,
        allow_partial=partial,
        choices=Choices(user=user or None, item=item or None, order=order or None, ascending=ascending),
    )
    return _Form(upload=upload, name=name or "", kind=kind, card=card.getvalue() if card else None)


def _score(form: _Form, records: Sequence[StoredRecord], split: Split) -> Scored | Report | str:
    try:
        card = ModelCard() if form.card is None else parse_card(form.card, "card.yaml")
        entry = Entry(name=form.name, kind=form.kind, card=card)
        with st.spinner("Checking and scoring …"):
            known = _known_lists(records, split, leave_out=form.name)
            return session_submission.score(form.upload, entry, split, known, form.card is not None)
    except BenchError as error:
        return str(error)


def _known_lists(records: Sequence[StoredRecord], split: Split, leave_out: str) -> dict[str, Rankings]:
    newest, _ = board_rows.collapse([one for one in records if one.record.lists_sha256])
    known = {}
    for stored in newest[:_KNOWN_RUNS]:
        rankings = loading.lists_of(stored, split, "seen_kept")
        if not isinstance(rankings, str) and stored.record.model.name != leave_out:
            known[stored.record.model.name] = rankings
    return known


def _show_report(report: Report) -> None:
    if report.ok:
        st.success(f"The file is sound: lists for {report.users:,} users, {report.rows:,} items.")
    else:
        st.error("The file is refused. Nothing was scored; this is everything that was found:")
    st.code(str(report), language=None, wrap_lines=True)


def _show_result(result: Scored, records: Sequence[StoredRecord], view: View, cutoff: int) -> None:
    st.header("Beside the board")
    newest, _ = board_rows.collapse(records)
    rows = [*newest, result.stored]
    standings = loading.standings(newest, f"ndcg@{cutoff}", view, guest=result.compared)
    frame = board_rows.leaderboard(rows, view=view, cutoff=cutoff, standings=standings)
    frame = board_rows.by_rank(frame, "ndcg")
    columns = board_cells.board_columns(board_cells.DEFAULT_COLUMNS, cutoff, clicks=False)
    cells = board_cells.board_rows(frame, columns, links=None, marked={result.stored.id})
    clickable(render_table(columns, cells), key="submission-board")
    st.caption("The shaded row is yours; it is in this session only. Rank and groups by nDCG.")
    with common.control_row():
        if st.button("Compare it with …", icon=":material/balance:"):
            navigation.open_page("compare", runs=[result.stored.id])
        if st.button("Explore its lists", icon=":material/search:"):
            navigation.open_page("explore", runs=[result.stored.id])
    st.header("Audits")
    run_parts.show_audits(result.stored.record.audits, key="submission-audits")
    st.header("All metrics")
    clickable(run_cells.metrics_table(result.stored.record, view), key="submission-metrics")


def _show_publishing(form: _Form, result: Scored, split: Split) -> None:
    st.header("Publish it")
    record = result.stored.record
    card = " Put the model card beside the file as `card.yaml`." if form.card is not None else ""
    st.markdown(
        f"In a checkout of genrec-bench, with the file in the working directory.{card} The command checks "
        "and scores the file again and writes the record; a pull request puts it on the board."
    )
    st.code(
        f"{record.command} --pr\n\n"
        "# or, without --pr, by hand:\n"
        f"git checkout -b add-{record.model.name}\n"
        f"git add results/v1/{split.dataset}/{record.model.name}\n"
        f'git commit -m "Add {record.model.name} on {split.dataset}"\n'
        f"git push -u origin add-{record.model.name}   # then open a pull request",
        language="bash",
        wrap_lines=True,
    )


def _explain(split: Split) -> None:
    items = split.catalogue.item_ids
    lines = [
        json.dumps({"user_id": user, "item_ids": items[3 * row : 3 * row + 3]})
        for row, user in enumerate(split.user_ids[:2])
    ]
    st.markdown(
        f"One line or row a user, best item first, at most 50 items, for all {len(split.user_ids):,} test "
        "users. As JSON lines:"
    )
    st.code("\n".join(lines), language="json", wrap_lines=True)
    st.markdown("The histories, the catalogue and ready prompts, without the targets:")
    rules = f"--split {split.name} --ties {split.ties}"
    st.code(f"genrec-bench data export {split.dataset} {rules} --for-submission --to inputs", language="bash")
