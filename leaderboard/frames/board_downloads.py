"""A board in the forms in which people take it away: CSV, Markdown, LaTeX, BibTeX. Pure."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from bench.labels import COSTS, VIEW_LABELS, metric_label
from bench.metrics.definitions import QUALITY
from bench.record import View
from leaderboard.frames import formatting
from leaderboard.frames.board_rows import BoardKey, rows_of
from leaderboard.frames.downloads import latex_text
from leaderboard.frames.titles import board_title

_CSV = (
    "id", "name", "model", "kind", "authors", "best", "worst", "letters",
    *(f"{name}{part}" for name in QUALITY for part in ("", "_low", "_high")),
    "lift", *COSTS, "parameters", "hardware", "date", "commit", "seed",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters at which a spreadsheet takes a text for a formula."""


def board_csv(frame: pd.DataFrame, cutoff: int) -> str:
    """Give every figure of the rows in full, a row a model; times in seconds, memory in bytes."""
    table = frame.assign(letters=[letters(row["groups"]) for row in rows_of(frame)])[list(_CSV)]
    for column in ("name", "model", "authors", "hardware"):
        table[column] = [f"'{text}" if text.startswith(_FORMULA) else text for text in table[column]]
    parts = {f"{name}{part}": f"{name}@{cutoff}{part}" for name in QUALITY for part in ("", "_low", "_high")}
    named = table.rename(columns={**parts, "best": "best_rank", "worst": "worst_rank"})
    text: str = named.to_csv(index=False)
    return text


def board_markdown(frame: pd.DataFrame, key: BoardKey, view: View, cutoff: int, ranked_by: str) -> str:
    """Give rank, tie letters, quality with half intervals, lift and time as a Markdown table."""
    heads = [
        "Rank",
        "Model",
        *(metric_label(f"{name}@{cutoff}") for name in QUALITY),
        "Lift",
        "Fit and lists",
    ]
    lines = [
        f"**{board_title(key)}**; {_below(key, view, cutoff, ranked_by)}",
        "",
        f"| {' | '.join(heads)} |",
        f"|---|---|{'--:|' * (len(heads) - 2)}",
    ]
    for row in rows_of(frame):
        rank = _rank(row)
        marked = f"{rank} {letters(row['groups'])}".strip()
        values = (_plus_minus(row, name, "±") for name in QUALITY)
        cells = [marked, _cell(row["model"]), *values, formatting.percent(row["lift"])]
        lines.append(f"| {' | '.join([*cells, formatting.seconds(row['total_seconds'])])} |")
    return "\n".join(lines) + "\n"


def board_latex(frame: pd.DataFrame, key: BoardKey, view: View, cutoff: int, ranked_by: str) -> str:
    """Give quality as a table (package booktabs), with the tie letters above the metric ranked by."""
    heads = " & ".join(metric_label(f"{name}@{cutoff}") for name in QUALITY)
    lines = [
        f"% {latex_text(board_title(key))}",
        f"% {latex_text(_below(key, view, cutoff, ranked_by))}",
        f"\\begin{{tabular}}{{l{'r' * len(QUALITY)}r}}",
        "\\toprule",
        f"Model & {heads} & Lift \\\\",
        "\\midrule",
    ]
    for row in rows_of(frame):
        values = []
        for name in QUALITY:
            text = _plus_minus(row, name, "$\\pm$")
            mark = letters(row["groups"]) if name == ranked_by else ""
            values.append(f"{text}\\textsuperscript{{{mark}}}" if mark else text)
        lift = "--" if math.isnan(row["lift"]) else f"{100 * row['lift']:+.0f}\\,\\%"
        lines.append(f"{latex_text(row['model'])} & {' & '.join(values)} & {lift} \\\\")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}"]) + "\n"


def board_bibtex(key: BoardKey, view: View, cutoff: int, link: str) -> str:
    """Give an entry to cite a board by, as it is seen."""
    title = f"genrec-bench leaderboard, {board_title(key)}"
    note = f"{metric_label(f'ndcg@{cutoff}')}, {VIEW_LABELS[view]}, data fingerprint {key.fingerprint[:12]}"
    address = f"  howpublished = {{\\url{{{link}}}}},\n" if link else ""
    return (
        f"@misc{{genrec-bench-{key.dataset},\n  title = {{{latex_text(title)}}},\n"
        f"  author = {{{{The genrec-bench authors}}}},\n{address}  note = {{{latex_text(note)}}}\n}}\n"
    )


def letters(groups: tuple[int, ...]) -> str:
    """Give tie groups as letters, after z as numbers in brackets."""
    return "".join(chr(ord("a") + group) if group < 26 else f"({group + 1})" for group in groups)


def _below(key: BoardKey, view: View, cutoff: int, ranked_by: str) -> str:
    return (
        f"{VIEW_LABELS[view]}; fingerprint {key.fingerprint[:12]}; models that share a letter do not differ "
        f"significantly in {metric_label(f'{ranked_by}@{cutoff}')}"
    )


def _rank(row: dict[str, Any]) -> str:
    if math.isnan(row["best"]):
        return formatting.MISSING
    best, worst = int(row["best"]), int(row["worst"])
    return str(best) if best == worst else f"{best}–{worst}"


def _plus_minus(row: dict[str, Any], name: str, sign: str) -> str:
    value, half = row[name], (row[f"{name}_high"] - row[f"{name}_low"]) / 2
    if math.isnan(value):
        return "--"
    decimals = formatting.decimals_for([half])
    text = f"{value:.{decimals}f}"
    return text if math.isnan(half) else f"{text} {sign} {half:.{decimals}f}"


def _cell(text: str) -> str:
    """Give text from outside as one cell of Markdown, in which nothing is markup."""
    plain = formatting.plain(text)
    return "".join(
        f"\\{character}" if character in "\\`*_{}[]<>()#+!|&" else character for character in plain
    )
