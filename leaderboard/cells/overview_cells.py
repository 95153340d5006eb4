"""The overview as cells: a row a data set, and the matrix of models by data sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bench.datasets.audit.data_audit import DataAudit
from leaderboard.cells.html_table import Badge, Bar, Cell, Column, Event, Row
from leaderboard.frames import formatting
from leaderboard.frames.model_sizes import size_text
from leaderboard.frames.overview_rows import BoardView, MatrixRow
from leaderboard.frames.overview_rows import Row as BoardRow

_WORDS = {"leak": "bad", "warning": "warn"}


def dataset_columns(label: str) -> list[Column]:
    """Give the columns of the table of data sets."""
    return [
        Column(key="title", label="Data set", numeric=False),
        Column(key="best", label="Best row", note=label, numeric=False),
        Column(key="generative", label="Best generative row", note=label, numeric=False),
        Column(key="users", label="Test users"),
        Column(key="items", label="Items", note="all ranked"),
        Column(key="rows", label="Models"),
        Column(key="notes", label="What to know of the data", numeric=False),
    ]


def dataset_row(
    view: BoardView, title: str, href: str, links: Callable[[str], str], audit: DataAudit | None
) -> Row:
    """Give a data set's row: its size, its best rows, and what the audit of its split warns of."""
    best, written = view.best, view.generative
    return Row(
        cells=[
            Cell(text=title, event=Event(name="board", value=view.key.dataset, href=href)),
            _best_cell(view, best, links),
            _best_cell(view, written, links),
            Cell(text=f"{view.info.users:,}"),
            Cell(text=f"{view.info.items:,}"),
            Cell(text=f"{len(view.rows):,}"),
            _audit_cell(view, audit),
        ]
    )


def _best_cell(view: BoardView, row: BoardRow | None, links: Callable[[str], str]) -> Cell:
    if row is None:
        return Cell(text=formatting.MISSING, note="none measured yet")
    value, low, high = (row[view.metric + suffix] for suffix in ("", "_low", "_high"))
    decimals = formatting.decimals_for([(high - low) / 2])
    size = (Badge(text=size_text(row["parameters"])),) if row["parameters"] > 0 else ()
    cheap = view.untrained
    against = ""
    if cheap is not None and cheap["id"] != row["id"] and cheap[view.metric] > 0:
        change = formatting.percent(value / cheap[view.metric] - 1)
        against = f"; {change} vs best untrained"
    return Cell(
        text=row["model"],
        kind=row["kind"],
        badges=size,
        note=f"{formatting.number(value, decimals)}{against}",
        event=Event(name="run", value=row["id"], href=links(row["id"])),
    )


def _audit_cell(view: BoardView, audit: DataAudit | None) -> Cell:
    if audit is None:
        return Cell(
            text="not audited under this protocol", note=f"genrec-bench data audit {view.key.dataset}"
        )
    found = [one for one in audit.findings if one.verdict in _WORDS]
    badges = tuple(Badge(text=one.name, tone=_WORDS[one.verdict], title=one.means) for one in found)
    fine = len(audit.findings) - len(found)
    return Cell(
        text=f"{fine} of {len(audit.findings)} checks without a warning",
        badges=badges,
        note=" ".join(one.what for one in found),
    )


def matrix_columns(views: Sequence[BoardView], titles: Mapping[str, str], label: str) -> list[Column]:
    """Give the columns of the matrix."""
    return [
        Column(key="model", label="Model", numeric=False),
        Column(key="mean", label="Mean rank", note="best to worst"),
        *(Column(key=f"d{n}", label=titles[v.key.dataset], note=label) for n, v in enumerate(views)),
    ]


def matrix_rows(
    rows: Sequence[MatrixRow], views: Sequence[BoardView], links: Callable[[str], str]
) -> list[Row]:
    """Give a row a model; a cell holds value, interval and the places that the users allow."""
    tops = [max((row[f"{v.metric}_high"] for row in v.rows), default=1.0) for v in views]
    return [
        Row(
            cells=[
                Cell(text=row.title, kind=row.kind, note=f"{row.kind} · {row.name}"),
                _mean_cell(row),
                *(
                    _value_cell(one, view, top, links)
                    for one, view, top in zip(row.rows, views, tops, strict=True)
                ),
            ]
        )
        for row in rows
    ]


def _mean_cell(row: MatrixRow) -> Cell:
    if row.mean is None:
        run = sum(one is not None for one in row.rows)
        return Cell(text=formatting.MISSING, note=f"run on {run} of {len(row.rows)}")
    return Cell(text=f"{row.mean.mean:.1f}", note=f"{row.mean.best:.1f}–{row.mean.worst:.1f}")


def _value_cell(row: BoardRow | None, view: BoardView, top: float, links: Callable[[str], str]) -> Cell:
    if row is None:
        return Cell(text=formatting.MISSING, note="not run")
    value, low, high = (row[view.metric + suffix] for suffix in ("", "_low", "_high"))
    decimals = formatting.decimals_for([(high - low) / 2])
    place = view.standings.places.get(row["id"])
    rank = ""
    if place is not None:
        one = place.best_rank == place.worst_rank
        rank = f"; rank {place.best_rank}" + ("" if one else f"–{place.worst_rank}")
    bar = Bar(low=low / top, value=value / top, high=high / top) if high == high and top > 0 else None
    return Cell(
        text=formatting.number(value, decimals),
        note=f"{formatting.span(low, high, decimals)}{rank}".removeprefix("; "),
        bar=bar,
        event=Event(name="run", value=row["id"], href=links(row["id"])),
    )
