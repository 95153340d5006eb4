"""A record in the forms in which people take it away: CSV, LaTeX, BibTeX. Pure."""

from __future__ import annotations

import math
import re
from typing import Any

from bench.labels import VIEW_LABELS, metric_label
from bench.metrics.definitions import QUALITY
from bench.record import VIEWS, Record
from leaderboard.frames import formatting
from leaderboard.frames.board_rows import rows_of
from leaderboard.frames.run_rows import cutoffs, metrics_frame

_LATEX = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}"}
)


def metrics_csv(record: Record) -> str:
    """Give every metric with its interval, one a line."""
    text: str = metrics_frame(record).to_csv(index=False)
    return text


def metrics_latex(record: Record) -> str:
    """Give recall, nDCG and MRR in both views as a table (package booktabs)."""
    columns = [(metric, cutoff) for cutoff in cutoffs(record) if cutoff > 1 for metric in QUALITY]
    values = {(row["view"], row["metric"], row["cutoff"]): row for row in rows_of(metrics_frame(record))}
    shown = [row for (_, metric, cutoff), row in values.items() if (metric, cutoff) in columns]
    decimals = formatting.decimals_for((row["high"] - row["low"]) / 2 for row in shown)
    head = " & ".join(metric_label(f"{metric}@{cutoff}") for metric, cutoff in columns)
    lines = [
        f"% {latex_text(record.model.name)}, {latex_text(record.dataset.name)}, ties {record.dataset.ties}, "
        f"fingerprint {record.dataset.fingerprint[:12]}",
        f"\\begin{{tabular}}{{l{'r' * len(columns)}}}",
        "\\toprule",
        f"{latex_text(record.model.display_name)} & {head} \\\\",
        "\\midrule",
    ]
    for view in VIEWS:
        cells = (_latex_cell(values.get((view, *column)), decimals) for column in columns)
        lines.append(f"{VIEW_LABELS[view]} & {' & '.join(cells)} \\\\")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}"]) + "\n"


def bibtex(record: Record, record_id: str) -> str:
    """Give an entry to cite a run by."""
    key = re.sub(r"[^a-z0-9]+", "-", f"{record.model.name}-{record.created:%Y%m%d}")
    title = f"{latex_text(record.model.display_name)} on {latex_text(record.dataset.name)}"
    note = f"record {latex_text(record_id)}, data fingerprint {record.dataset.fingerprint[:12]}"
    fields = {
        "title": f"{title}: a genrec-bench record",
        "author": latex_text(record.model.authors or "genrec-bench"),
        "year": f"{record.created:%Y}",
        "note": note,
    }
    body = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    return f"@misc{{{key},\n{body}\n}}\n"


def _latex_cell(row: dict[str, Any] | None, decimals: int) -> str:
    if row is None or math.isnan(row["value"]):
        return "--"
    value = f"{row['value']:.{decimals}f}"
    half = (row["high"] - row["low"]) / 2
    return value if math.isnan(half) else f"{value} $\\pm$ {half:.{decimals}f}"


def latex_text(text: str) -> str:
    """Make text from a record safe in a LaTeX file: one line, special characters escaped."""
    return " ".join(text.split()).translate(_LATEX)
