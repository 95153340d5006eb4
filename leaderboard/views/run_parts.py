"""The parts of a run's page, one a tab: quality, groups of users, cost, generation, settings, files."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from bench.labels import AUDIT_LABELS, RANKED_BY, metric_label, with_metric_labels
from bench.record import VIEWS, Audit, Record, View
from bench.records.store import StoredRecord
from leaderboard.cells import run_cells
from leaderboard.draw import charts
from leaderboard.draw.components import clickable
from leaderboard.frames import downloads, formatting, run_rows
from leaderboard.state import url_state
from leaderboard.views import common

_SLICED_BY = f"{RANKED_BY}@10"
_VERDICTS = {"pass": "passed", "flag": "look at this", "fail": "failed", "info": "could not judge"}


def show_quality(record: Record) -> None:
    """Show every metric at all cut-offs, in both views."""
    if record.metrics is None:
        st.info("This is a cost-only record: quality was not measured.")
        return
    views = [view for view in VIEWS[::-1] if record.shown_view(view) == view]
    for column, view in zip(st.columns(len(views)), views, strict=True):
        with column:
            clickable(run_cells.metrics_table(record, view), key=f"metrics-{view}")
    st.caption("Small figures: 95 % bootstrap interval over users. The Protocol page gives the formulas.")


def show_groups(record: Record, view: View) -> None:
    """Show quality by group of users."""
    metrics = run_rows.slice_metrics(record)
    if not metrics:
        st.info("Quality by group of users was not measured.")
        return
    metric = st.selectbox(
        "Metric",
        format_func=metric_label,
        width=160,
        **url_state.one_of("slice_metric", metrics, _SLICED_BY if _SLICED_BY in metrics else metrics[0]),
    )
    frame = run_rows.slices_frame(record, view, metric)
    frame = frame[(frame["users"] > 0) & frame["value"].notna()]
    if frame.empty:
        st.info("No group has users.")
        return
    panels = charts.slice_charts(frame, metric_label(metric))
    left, right = st.columns(2)
    for number, panel in enumerate(panels):
        with (left, right)[number % 2]:
            st.vega_lite_chart(spec=panel, width="stretch")
    st.caption("Dots: mean of the group. Bars: 95 % bootstrap interval. Few users make wide bars.")


def show_cost(record: Record) -> None:
    """Show what the run took, by stage and over time."""
    cost = record.cost
    if record.published_view is not None:
        st.info("Published outcomes were not re-run: nothing was measured.")
        return
    if cost.source == "declared":
        st.warning("The submitter declared these figures; the harness did not measure them.")
    vram = cost.peak_vram_bytes
    rows = [
        ("Users per second (recommend)", formatting.count(cost.users_per_second)),
        ("Latency of one user's request, p50", _latency(cost.latency_ms.p50 if cost.latency_ms else None)),
        ("Latency of one user's request, p95", _latency(cost.latency_ms.p95 if cost.latency_ms else None)),
        ("RAM when fit began: interpreter, libraries, data", formatting.size(cost.start_rss_bytes)),
        ("Peak RAM", formatting.size(cost.peak_rss_bytes)),
        ("Peak VRAM, allocated by tensors", formatting.size(vram.allocated if vram else None)),
        ("Peak VRAM, reserved by the allocator", formatting.size(vram.reserved if vram else None)),
        ("Peak VRAM, whole process", formatting.size(vram.process if vram else None)),
        ("GPU energy", formatting.energy(cost.energy_joules)),
    ]
    left, right = st.columns(2)
    with left:
        common.show_table(("Figure", "Value"), rows, key="cost", numeric=(1,))
    with right:
        stages = run_rows.stage_frame(record)
        if len(stages):
            st.markdown("**Wall time by stage**")
            st.vega_lite_chart(spec=charts.stage_chart(stages), width="stretch")
    served, metric = run_rows.tiers_frame(record)
    if len(served):
        st.markdown("**What the costly row brings, by the share of users whom it serves**")
        st.vega_lite_chart(spec=charts.tiers_chart(served, metric_label(metric)), width="stretch")
    _show_memory("Memory over the run", run_rows.memory_frame(record))
    _show_memory("Memory while fine-tuning", run_rows.finetuning_memory_frame(record))


def _show_memory(title: str, memory: pd.DataFrame) -> None:
    moments = memory["seconds"].drop_duplicates()
    if len(moments) > 1:
        apart = formatting.seconds((moments.max() - moments.min()) / (len(moments) - 1))
        st.markdown(f"**{title}**, at {len(moments)} moments, {apart} apart on average")
        st.vega_lite_chart(spec=charts.memory_chart(memory), width="stretch")


def _latency(milliseconds: float | None) -> str:
    return formatting.seconds(None if milliseconds is None else milliseconds / 1000)


def show_generation(record: Record, view: View) -> None:
    """Show the health of the generated texts, decodings that were tried and the loss, where reported."""
    metric = f"{RANKED_BY}@5"
    tried = run_rows.decoding_frame(record, view, metric)
    health, loss = run_rows.health_rows(record), run_rows.loss_frame(record)
    if health:
        st.subheader("Generation health")
        common.show_table(("Figure", "Value"), health, key="health", numeric=(1,))
    if len(tried):
        st.subheader("Decoding budget")
        st.vega_lite_chart(spec=charts.decoding_chart(tried, metric_label(metric)), width="stretch")
        st.caption("Each was tried on the validation users; test users were not asked.")
    if len(loss):
        st.subheader("Loss")
        st.vega_lite_chart(spec=charts.loss_chart(loss), width="stretch")


def show_audits(audits: Sequence[Audit], *, key: str) -> None:
    """Show the checks of a set of lists in words."""
    rows = [
        (
            _VERDICTS[audit.verdict],
            AUDIT_LABELS.get(audit.name, audit.name.replace("_", " ")),
            with_metric_labels(audit.message),
        )
        for audit in audits
    ]
    common.show_table(("Verdict", "Passes where", "What was found"), rows, key=key)


def show_settings(record: Record) -> None:
    """Show how the run was made: command, checks, settings, machine."""
    st.markdown("**The command that makes this record again**")
    st.code(record.command, language=None, wrap_lines=True)
    if record.audits:
        st.markdown("**Audits**")
        show_audits(record.audits, key="audits")
    if record.tuning is not None:
        with st.expander("How the constants were chosen: the tuning ledger"):
            st.json(record.tuning.model_dump(mode="json"), expanded=1)
    left, right = st.columns(2)
    with left:
        st.markdown("**Settings of the model**")
        st.json(record.model.parameters or {}, expanded=1)
        if record.card:
            st.markdown("**Model card**")
            st.json(record.card, expanded=1)
    with right:
        st.markdown("**Environment**")
        st.json(record.environment.model_dump(mode="json"), expanded=1)
    if record.details:
        with st.expander("All details that the model reported"):
            st.json(record.details, expanded=1)


def show_files(stored: StoredRecord) -> None:
    """Offer the record, its lists and its figures as files."""
    record, stem = stored.record, f"{stored.record.model.name}-{stored.path.stem}"
    with common.control_row():
        _download("Record (JSON)", record.model_dump_json(indent=1), f"{stem}.json", "application/json")
        if stored.lists_path.is_file():
            st.download_button(
                "Ranked lists (parquet)",
                stored.lists_path.read_bytes,
                file_name=f"{stem}.parquet",
                mime="application/vnd.apache.parquet",
                on_click="ignore",
            )
        if record.outcomes_sha256 and stored.ranks_path.is_file():
            st.download_button(
                "Published ranks (parquet)",
                stored.ranks_path.read_bytes,
                file_name=f"{stem}.ranks.parquet",
                mime="application/vnd.apache.parquet",
                on_click="ignore",
            )
        if record.metrics is not None:
            _download("Metrics (CSV)", downloads.metrics_csv(record), f"{stem}.csv", "text/csv")
            _download("Table (LaTeX)", downloads.metrics_latex(record), f"{stem}.tex", "text/x-tex")
        _download("Citation (BibTeX)", downloads.bibtex(record, stored.id), f"{stem}.bib", "text/x-bibtex")


def _download(label: str, content: str, name: str, mime: str) -> None:
    st.download_button(label, content, file_name=name, mime=mime, on_click="ignore")
