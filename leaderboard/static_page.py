"""Every board, its Pareto chart and what others reported as one HTML file: no network, no script."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from html import escape
from pathlib import Path

from bench.comparison.board_standings import BoardStandings, stand
from bench.datasets.rules.split_rules import LEAVE_ONE_OUT
from bench.datasets.rules.tie_rules import FILE
from bench.errors import ConfigError, RecordError
from bench.files.atomic import replace_text
from bench.labels import RANKED_BY, VIEW_LABELS, data_note, metric_label
from bench.metrics.definitions import QUALITY
from bench.record import View
from bench.records.store import StoredRecord, load_records
from bench.reported.rows import load_reported
from leaderboard.cells import board_cells, reported_cells
from leaderboard.cells.html_table import asset, render
from leaderboard.draw import cost_chart
from leaderboard.frames import board_rows, cost_points, reported_rows
from leaderboard.frames.board_rows import BoardKey
from leaderboard.frames.titles import board_title

FILE_NAME = "index.html"
_COLUMNS = board_cells.DEFAULT_COLUMNS
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_PAGE = """
:root { color-scheme: light dark; --ink: light-dark(#2f2d2b, #edebe8); --page: light-dark(#ffffff, #171614);
  --link: light-dark(#0067a3, #7cc4f0); }
body { margin: 0 auto; padding: 1.2rem clamp(0.8rem, 2.5vw, 2.5rem) 3rem; max-width: 96rem; color: var(--ink);
  background: var(--page); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: clamp(1.5rem, 4vw, 2rem); line-height: 1.2; } h2 { margin-top: 2.5rem; }
a { color: var(--link); } table { font-size: 0.8rem; } .sentence { margin-top: 2rem; }
p.note, ul.note { color: var(--soft); font-size: 0.9rem; }
"""


def export(results_dir: Path, folder: Path, *, view: View, cutoff: int) -> Path:
    """Write `<folder>/index.html` with every board of the results folder; give its path.

    Raises RecordError if there is nothing to show or the folder cannot be written.
    """
    if not results_dir.is_dir():
        raise RecordError(f"there is no results folder '{results_dir}'; give one with --results")
    boards = board_rows.boards(load_records(results_dir).valid())
    if not boards:
        raise RecordError(f"there are no records to show in '{results_dir}'")
    html = page(boards, view=view, cutoff=cutoff)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace_text(folder / FILE_NAME, html)
    except OSError as error:
        raise ConfigError(f"cannot write to '{folder}': {error.strerror or error}") from None
    return folder / FILE_NAME


def page(boards: dict[BoardKey, list[StoredRecord]], *, view: View, cutoff: int) -> str:
    """Give the whole page."""
    styles = "".join(asset(name) for name in ("colours.css", "table.css", "chart.css"))
    sections = "".join(_section(key, records, view, cutoff) for key, records in boards.items())
    contents = "".join(f'<li><a href="#{_anchor(key)}">{escape(board_title(key))}</a></li>' for key in boards)
    newest = max(stored.record.created for records in boards.values() for stored in records)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>genrec-bench leaderboard</title><style>{styles}{_PAGE}</style></head><body>"
        f"<h1>Generative recommenders, measured</h1><ul>{contents}</ul>{sections}"
        '<p class="note">Rank: the places that the data allow; models that share a letter do not differ '
        "significantly (paired test over users, Holm-corrected, 5 %). Bars: value and 95 % bootstrap "
        "interval on an axis from 0. Lift: nDCG against the strongest row that trains nothing. "
        f"Made by genrec-bench; newest record: {newest:%Y-%m-%d}.</p></body></html>\n"
    )


def _anchor(key: BoardKey) -> str:
    """Name a board in the page's own links; a data set's or rule's name may hold anything."""
    words = (key.dataset, key.split, key.ties, key.fingerprint[:12])
    return "-".join(re.sub(r"[^a-z0-9]+", "-", word.lower()) for word in words)


def _section(key: BoardKey, records: Sequence[StoredRecord], view: View, cutoff: int) -> str:
    newest, _ = board_rows.collapse(records)
    standings = stand(newest, metric=f"{RANKED_BY}@{cutoff}", view=view)
    frame = board_rows.leaderboard(newest, view=view, cutoff=cutoff, standings=standings)
    frame = board_rows.by_rank(frame, RANKED_BY)
    columns = board_cells.board_columns(_COLUMNS, cutoff, clicks=False)
    table = render(columns, board_cells.board_rows(frame, columns, links=None))
    info = records[0].record.dataset
    note = (
        f"{info.users:,} test users, {info.items:,} items, {info.interactions:,} purchases; "
        f"{VIEW_LABELS[view]}; ranked by {metric_label(f'{RANKED_BY}@{cutoff}')}; "
        f"fingerprint {key.fingerprint[:12]}.{data_note(info)}"
    )
    axis = cost_points.AXES["time"]
    points = cost_points.points_of(frame, RANKED_BY, axis, links=None)
    label = metric_label(f"{RANKED_BY}@{cutoff}")
    chart = cost_chart.figure(points, axis, label) if points else ""
    return (
        f'<h2 id="{_anchor(key)}">{escape(board_title(key))}</h2><p class="note">{escape(note)}</p>{table}'
        f"{_problems(standings)}{chart}{_reported(key, newest, view, cutoff)}"
    )


def _reported(key: BoardKey, newest: Sequence[StoredRecord], view: View, cutoff: int) -> str:
    """Give what others published, below the board of a data set whose rules are the common ones."""
    if (key.split, key.ties) != (LEAVE_ONE_OUT, FILE):
        return ""
    rows = [row for row in load_reported(key.dataset) if row.read != "own"]
    if not rows:
        return ""
    frame = reported_rows.reported_rows(rows, key, newest, view=view, cutoff=cutoff)
    frame = frame[frame[list(QUALITY)].notna().any(axis=1)]
    letters = reported_cells.protocol_letters(frame)
    columns = [replace(column, sort="") for column in reported_cells.reported_columns(cutoff)]
    table = render(columns, reported_cells.reported_cells(frame, letters))
    ways = "".join(f"<li>{letter}: {escape(way)}</li>" for way, letter in letters.items())
    return (
        '<h3>Reported elsewhere</h3><p class="note">What others published, with its source; never ranked '
        f"with the rows above. Where the same model was measured here, ours and the gap are shown.</p>{table}"
        f'<p class="note">Protocols:</p><ul class="note">{ways}</ul>'
    )


def _problems(standings: BoardStandings) -> str:
    """List the rows that are not ranked, and why."""
    return "".join(
        f'<p class="note">Not ranked: {escape(row)}: {escape(why)}</p>'
        for row, why in standings.unreadable.items()
    )
