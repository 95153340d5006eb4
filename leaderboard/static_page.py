"""The main table and the Pareto chart as one HTML file that needs no network and no script."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from bench.comparison.board_standings import BoardStandings, stand
from bench.datasets.registry import display_name
from bench.errors import ConfigError, RecordError
from bench.files.atomic import replace_text
from bench.labels import RANKED_BY, VIEW_LABELS, data_note, metric_label
from bench.record import View
from bench.records.store import StoredRecord, load_records
from leaderboard.cells import board_cells
from leaderboard.cells.html_table import asset, render
from leaderboard.draw import cost_chart
from leaderboard.frames import board_rows, cost_points
from leaderboard.frames.board_rows import BoardKey

FILE_NAME = "index.html"
_COLUMNS = board_cells.DEFAULT_COLUMNS
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_PAGE = """
:root { color-scheme: light dark; --ink: light-dark(#2f2d2b, #edebe8); --page: light-dark(#ffffff, #171614);
  --link: light-dark(#0067a3, #7cc4f0); }
body { margin: 0 auto; padding: 1.2rem clamp(0.8rem, 2.5vw, 2.5rem) 3rem; max-width: 84rem; color: var(--ink);
  background: var(--page); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: clamp(1.5rem, 4vw, 2rem); line-height: 1.2; } h2 { margin-top: 2.5rem; }
table { font-size: 0.8rem; } .sentence { margin-top: 2rem; }
p.note { color: var(--soft); font-size: 0.9rem; }
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
    newest = max(stored.record.created for records in boards.values() for stored in records)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>genrec-bench leaderboard</title><style>{styles}{_PAGE}</style></head><body>"
        f"<h1>Generative recommenders, measured</h1>{sections}"
        '<p class="note">Rank: the places that the data allow; models that share a letter do not differ '
        "significantly (paired test over users, Holm-corrected, 5 %). Bars: value and 95 % bootstrap "
        "interval on an axis from 0. Lift: nDCG against the strongest row that trains nothing. "
        f"Made by genrec-bench; newest record: {newest:%Y-%m-%d}.</p></body></html>\n"
    )


def _section(key: BoardKey, records: Sequence[StoredRecord], view: View, cutoff: int) -> str:
    newest, _ = board_rows.collapse(records)
    standings = stand(newest, metric=f"{RANKED_BY}@{cutoff}", view=view)
    frame = board_rows.leaderboard(newest, view=view, cutoff=cutoff, standings=standings)
    frame = board_rows.by_rank(frame, RANKED_BY)
    columns = board_cells.board_columns(_COLUMNS, cutoff, clicks=False)
    table = render(columns, board_cells.board_rows(frame, columns, links=None), sort="rank")
    info = records[0].record.dataset
    note = (
        f"{info.users:,} test users, {info.items:,} items, {info.interactions:,} purchases; {info.split}; "
        f"same-day purchases: {info.ties}; {VIEW_LABELS[view]}; fingerprint {key.fingerprint[:12]}."
        f"{data_note(info)}"
    )
    axis = cost_points.AXES["time"]
    points = cost_points.points_of(frame, RANKED_BY, axis, links=None)
    label = metric_label(f"{RANKED_BY}@{cutoff}")
    chart = cost_chart.figure(points, axis, label) if points else ""
    title = display_name(key.dataset)
    return f'<h2>{escape(title)}</h2><p class="note">{escape(note)}</p>{table}{_problems(standings)}{chart}'


def _problems(standings: BoardStandings) -> str:
    """List the rows that are not ranked, and why."""
    return "".join(
        f'<p class="note">Not ranked: {escape(row)}: {escape(why)}</p>'
        for row, why in standings.unreadable.items()
    )
