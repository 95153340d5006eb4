"""Protocol: the reproduction report, the split, the metrics, the traps, how to read intervals and to cite."""

from __future__ import annotations

from importlib.resources import files

import streamlit as st

from bench.comparison import tuning_budgets
from bench.datasets.audit.data_audit import DataAudit, stored_audits
from bench.errors import RecordError
from bench.records.newest import newest
from bench.reproduction.kept_report import OWN_SOURCE, ReproducedRow, Reproduction, load
from leaderboard.cells.html_table import Badge, Cell, Column, Row
from leaderboard.cells.html_table import render as render_table
from leaderboard.draw.components import clickable
from leaderboard.frames import formatting
from leaderboard.state import loading, url_state
from leaderboard.state.folders import results_dir
from leaderboard.views import common

_COLUMNS = [
    Column(key="wide", label="What was run", numeric=False),
    Column(key="metric", label="Figure", numeric=False),
    Column(key="published", label="Published"),
    Column(key="ours", label="Ours"),
    Column(key="difference", label="Difference"),
    Column(key="notes", label="Why", numeric=False),
]
_AUDIT_COLUMNS = [
    Column(key="wide", label="Property", numeric=False),
    Column(key="notes", label="What was found", numeric=False),
    Column(key="why", label="What it means", numeric=False),
]
_TONES = {"fine": "good", "note": "", "warning": "warn", "leak": "bad"}
_CITATION = """@software{genrec_bench,
  title = {genrec-bench: a benchmark harness and leaderboard for LLM generative recommenders},
  author = {{The genrec-bench authors}},
  year = {2026},
  note = {cite the data fingerprint, the tie rule and the view with every number}
}"""


def render() -> None:
    """Draw the page."""
    st.title("Protocol")
    _show_reproduction()
    _show_audits()
    _show_budgets()
    st.markdown(_protocol())
    st.header("How to cite")
    st.markdown("Name the data set, its fingerprint, the tie rule and the view with every number.")
    st.code(_CITATION, language=None)


def _protocol() -> str:
    """Give the protocol as the harness's own README tells it."""
    text = (files("bench") / "README.md").read_text(encoding="utf-8")
    return text.partition("<!-- protocol -->")[2].partition("<!-- end of the protocol -->")[0]


def _show_reproduction() -> None:
    st.header("Do published numbers come out?")
    datasets = sorted({stored.record.dataset.name for stored in loading.records().records})
    with_report = [name for name in datasets if _report_of(name) is not None]
    if not with_report:
        st.info("No reproduction report has been saved in this results folder yet. To make it:")
        st.code("genrec-bench reproduce --dataset beauty2014", language="bash")
        return
    dataset = with_report[0]
    if len(with_report) > 1:
        options = url_state.one_of("data", with_report, dataset)
        dataset = st.selectbox("Data set", format_func=common.dataset_title, width=290, **options)
    report = _report_of(dataset)
    if isinstance(report, str):
        st.error("The reproduction report cannot be read:")
        st.text(report)
    elif report is not None:
        _show_report(dataset, report)


def _show_audits() -> None:
    datasets = sorted({stored.record.dataset.name for stored in loading.records().records})
    audits = [audit for name in datasets for audit in stored_audits(results_dir(), name)]
    st.header("What is in the data?")
    if not audits:
        st.info("No data audit has been kept in this results folder yet. To make one:")
        st.code("genrec-bench data audit beauty2014", language="bash")
        return
    titles = {_audit_title(audit): audit for audit in audits}
    options = url_state.one_of("audit", list(titles), next(iter(titles)))
    audit = titles[st.selectbox("Data set and split", width=420, **options)]
    rows = [
        Row(
            cells=[
                Cell(text=finding.name, badges=(Badge(text=finding.verdict, tone=_TONES[finding.verdict]),)),
                Cell(text=finding.what),
                Cell(text=finding.means),
            ]
        )
        for finding in audit.findings
    ]
    clickable(render_table(_AUDIT_COLUMNS, rows), key="data-audit")


def _show_budgets() -> None:
    """Show what the choice of constants took, row beside row."""
    rows = tuning_budgets.budgets(newest(loading.records().valid()))
    if rows:
        st.header("What did tuning take?")
        st.markdown(
            "Constants are chosen on validation users. *Looks at test* counts the records of the model on "
            "these data when the row was made, its own included. Rows not listed run with their defaults."
        )
        common.show_table(tuning_budgets.HEAD, rows, key="budgets", numeric=tuning_budgets.NUMERIC)


def _audit_title(audit: DataAudit) -> str:
    rules = f"{common.split_title(audit.split)}, ties {common.ties_title(audit.ties)}"
    return f"{common.dataset_title(audit.dataset)}: {rules}"


def _report_of(dataset: str) -> Reproduction | str | None:
    try:
        return load(dataset, results_dir())
    except RecordError as error:
        return str(error)


def _show_report(dataset: str, report: Reproduction) -> None:
    st.caption(
        f"{common.dataset_title(dataset)}, run on {report.created:%Y-%m-%d}. {_counts(report)} Where a "
        "figure differs, its row says why."
    )
    st.text(f"Fingerprint {report.fingerprint[:12]}, commit {report.commit[:8]}")
    rows, shown = [], ""
    for row in report.rows:
        rows.append(Row(cells=_cells(row, repeat=row.what == shown)))
        shown = row.what
    clickable(render_table(_COLUMNS, rows), key="reproduction")


def _counts(report: Reproduction) -> str:
    """Count the figures that come out, each once: those of others and those of this project apart."""
    words = []
    for own, whose in ((False, "figures that others published"), (True, "figures that we computed before")):
        agrees: dict[tuple[object, ...], bool] = {}
        for row in report.rows:
            if row.agrees is not None and (row.source == OWN_SOURCE) == own:
                agrees[row.metric, row.published, row.ours, row.source] = bool(row.agrees)
        if agrees:
            words.append(
                f"{sum(agrees.values())} of {len(agrees)} {whose} come out to the last printed digit."
            )
    return " ".join(words)


def _cells(row: ReproducedRow, *, repeat: bool) -> list[Cell]:
    badges: tuple[Badge, ...] = ()
    if row.agrees is not None:
        badges = (Badge(text="agrees", tone="good") if row.agrees else Badge(text="differs", tone="warn"),)
    return [
        Cell(text="") if repeat else Cell(text=row.what, note=row.section),
        Cell(text=row.metric),
        Cell(text=_figure(row.published), note=row.source),
        Cell(text=_figure(row.ours, all_digits=True)),
        Cell(text=_difference(row), badges=badges),
        Cell(text="" if repeat and row.agrees is not False else row.why),
    ]


def _figure(value: float | None, *, all_digits: bool = False) -> str:
    if value is None:
        return formatting.MISSING
    if value >= 1:
        return f"{value:,.0f}"
    text = f"{value:.8f}"
    return text if all_digits else text.rstrip("0").ljust(6, "0")


def _difference(row: ReproducedRow) -> str:
    if row.difference is None or row.ours is None:
        return formatting.MISSING
    whole = float(row.ours).is_integer() and row.ours >= 1
    return formatting.signed(row.difference, 0 if whole else 6)
