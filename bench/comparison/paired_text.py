"""A comparison as plain text, Markdown, LaTeX or JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.comparison.paired import Comparison, Pair
from bench.labels import PAIRED_TEST, VIEW_LABELS, metric_label, p_value_text
from bench.statistics.bootstrap import Interval
from bench.text_table import new_table, render

_LATEX = str.maketrans(
    {char: f"\\{char}" for char in "&%$#_{}"}
    | {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "<": "$<$",
        ">": "$>$",
        "^": r"\textasciicircum{}",
    }
)

WIDTH = 160
"""Characters of a line; the table of pairs has nine columns."""


@dataclass(frozen=True, kw_only=True)
class _Table:
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def as_text(comparison: Comparison) -> str:
    """Two aligned tables - models, pairs - between a title and what the columns mean."""
    parts = [_title(comparison), *(_aligned(table) for table in _tables(comparison)), _notes(comparison)]
    return "\n\n".join(parts)


def as_markdown(comparison: Comparison) -> str:
    """Give the same tables in Markdown."""
    parts = [f"**{_title(comparison)}**"]
    for table in _tables(comparison):
        rows = [table.header, ["---"] + ["--:"] * (len(table.header) - 1), *table.rows]
        cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
        parts.append("\n".join(f"| {' | '.join(row)} |" for row in cells))
    return "\n\n".join([*parts, _notes(comparison)])


def as_latex(comparison: Comparison) -> str:
    """Give the same tables in LaTeX (package booktabs)."""
    parts = [f"% {_title(comparison)}"]
    for table in _tables(comparison):
        lines = [f"\\begin{{tabular}}{{l{'r' * (len(table.header) - 1)}}}", "\\toprule"]
        lines += [f"{' & '.join(cell.translate(_LATEX) for cell in table.header)} \\\\", "\\midrule"]
        lines += [f"{' & '.join(cell.translate(_LATEX) for cell in row)} \\\\" for row in table.rows]
        parts.append("\n".join([*lines, "\\bottomrule", "\\end{tabular}"]))
    return "\n\n".join([*parts, *(f"% {line}" for line in _notes(comparison).splitlines())])


def as_json(comparison: Comparison) -> str:
    """Give everything, unrounded; what is not finite becomes null."""
    content = asdict(comparison) | {"dataset": comparison.dataset.model_dump(mode="json")}
    return json.dumps(_finite(content), indent=1, allow_nan=False)


def _title(comparison: Comparison) -> str:
    data = comparison.dataset
    return (
        f"{metric_label(comparison.metric)}, {VIEW_LABELS[comparison.view]}: {data.name}, ties {data.ties}, "
        f"{data.users:,} users, fingerprint {data.fingerprint[:12]}"
    )


def _tables(comparison: Comparison) -> list[_Table]:
    level = f"{100 * comparison.confidence:g} % interval"
    seeds = any(len(row.seeds) > 1 for row in comparison.rows)
    models = _Table(
        header=["model", "rank", "tie group", "mean", level, *(["seeds"] if seeds else [])],
        rows=[
            [
                row.label,
                row.rank,
                row.letters,
                f"{row.mean.value:.4f}",
                _interval(row.mean),
                *([str(len(row.seeds))] if seeds else []),
            ]
            for row in comparison.rows
        ],
    )
    pairs = _Table(
        header=["pair", "difference", level, "p", "won", "lost", "tied", "detectable", "verdict"],
        rows=[_pair(pair, comparison.alpha) for pair in comparison.pairs],
    )
    return [models, pairs]


def _pair(pair: Pair, alpha: float) -> list[str]:
    paired = pair.paired
    return [
        f"{pair.first} - {pair.second}",
        f"{paired.difference.value:+.4f}",
        _interval(paired.difference, "+"),
        p_value_text(paired.adjusted_p),
        f"{paired.won:,}",
        f"{paired.lost:,}",
        f"{paired.tied:,}",
        f"{paired.detectable:.4f}",
        paired.verdict(pair.first, pair.second, alpha),
    ]


def _notes(comparison: Comparison) -> str:
    several = any(len(row.seeds) > 1 for row in comparison.rows)
    test = PAIRED_TEST
    if several:
        test += (
            f"; two-level bootstrap over users and seeds, {comparison.resamples:,} draws, where a model has "
            "several seeds"
        )
    return "\n".join(
        [
            f"p: {test}; Holm-corrected over {len(comparison.pairs)} pair(s); a verdict needs "
            f"p < {comparison.alpha:g}. Intervals: bootstrap over users, {comparison.resamples:,} draws.",
            "rank: from 1 + the models that are significantly better, to all but those significantly worse; "
            "models that share a tie group do not differ significantly.",
            "won, lost, tied: users for whom the first model did better, worse, the same.",
            "detectable: the smallest true difference that this many users show with power 0.8 at 0.05, "
            "uncorrected.",
            *comparison.notes,
        ]
    )


def _interval(interval: Interval, sign: str = "") -> str:
    return f"[{interval.low:{sign}.4f}, {interval.high:{sign}.4f}]"


def _aligned(table: _Table) -> str:
    laid_out = new_table(table.header, left=(0, -1))
    for row in table.rows:
        laid_out.add_row(*row)
    return render(laid_out, WIDTH)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
