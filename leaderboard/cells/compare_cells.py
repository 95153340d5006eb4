"""A comparison as HTML tables: all pairs of several runs, the verdict on one pair, settings and cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.comparison.paired import Comparison, Pair
from bench.labels import metric_label
from bench.record import Record, View
from bench.statistics.bootstrap import Interval
from bench.statistics.paired_tests import PairedDifference
from leaderboard.cells.html_table import Cell, Column, Event, Row, render
from leaderboard.frames import formatting
from leaderboard.frames.board_rows import estimate

_VERDICT = [
    Column(key="metric", label="Metric", numeric=False),
    Column(key="a", label="A", note="95 % interval"),
    Column(key="b", label="B", note="95 % interval"),
    Column(key="difference", label="A − B", note="95 % interval"),
    Column(key="p", label="p", note="corrected"),
    Column(key="won", label="Won", note="users"),
    Column(key="lost", label="Lost", note="users"),
    Column(key="tied", label="Tied", note="users"),
    Column(key="detectable", label="Detectable", note="difference"),
    Column(key="wide", label="Verdict", numeric=False),
]


def verdict_table(
    records: tuple[Record, Record], differences: Mapping[str, PairedDifference], view: View
) -> str:
    """Give one row a metric: both values, paired difference, p-value, users won and lost, verdict."""
    return render(_VERDICT, [_verdict(records, metric, found, view) for metric, found in differences.items()])


def matrix_table(found: Comparison, names: Mapping[str, str]) -> str:
    """Give wins and losses of all pairs: one row and one column a run, row minus column in each cell.

    `names` are the runs' names by label. A click on a cell reports ('pair', '<row> <column>'): their places
    in `found.rows`, best first.
    """
    labels = [row.label for row in found.rows]
    pairs = {(pair.first, pair.second): pair for pair in found.pairs}
    columns = [
        Column(key="model", label="Best first", note="row minus column", numeric=False),
        Column(key="rank", label="Rank", note="group"),
        Column(key="mean", label=metric_label(found.metric), note="95 % interval"),
        *(Column(key=f"pair{place}", label=str(place + 1)) for place in range(len(labels))),
    ]
    half_widths = [(row.mean.high - row.mean.low) / 2 for row in found.rows]
    decimals = formatting.decimals_for(half_widths)
    rows = []
    for place, row in enumerate(found.rows):
        span = formatting.span(row.mean.low, row.mean.high, decimals)
        cells = [
            Cell(text=f"{place + 1}  {names[row.label]}"),
            Cell(text=row.rank, note=row.letters),
            Cell(text=formatting.number(row.mean.value, decimals), note=span),
        ]
        for other, label in enumerate(labels):
            pair = pairs.get((row.label, label)) or pairs.get((label, row.label))
            cells.append(_pair_cell(pair, place, other, decimals))
        rows.append(Row(cells=cells))
    return render(columns, rows)


def differences_table(names: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], head: str) -> str:
    """Give one row a setting or a cost, one column a run."""
    columns = [Column(key="setting", label=head, numeric=False)]
    columns += [Column(key=f"run{place}", label=name, numeric=False) for place, name in enumerate(names)]
    return render(
        columns, [Row(cells=[Cell(text=text) for text in (name, *values)]) for name, values in rows]
    )


def _pair_cell(pair: Pair | None, place: int, other: int, decimals: int) -> Cell:
    if pair is None:
        return Cell(text="")
    sign = 1 if place < other else -1  # a pair has the better mean first, and so have the rows
    paired = pair.paired
    won, lost = (paired.won, paired.lost)[::sign]
    tone = ("good" if sign > 0 else "bad") if pair.significant else ""
    same = paired.won == paired.lost == 0
    return Cell(
        text="identical" if same else formatting.signed(sign * paired.difference.value, decimals),
        note="for every user" if same else f"{won:,} won, {lost:,} lost",
        title="" if pair.significant or same else "The users cannot tell the two apart",
        tone=tone,
        event=Event(name="pair", value=f"{place} {other}"),
    )


def _verdict(records: tuple[Record, Record], metric: str, found: PairedDifference, view: View) -> Row:
    decimals = formatting.decimals_for([(found.difference.high - found.difference.low) / 2])
    values = [estimate(record, view, metric) for record in records]
    p_note = f"uncorrected {formatting.p_value(found.p_value)}"
    return Row(
        cells=[
            Cell(text=metric_label(metric)),
            *(
                Cell(
                    text=formatting.number(one.value, decimals),
                    note=formatting.span(one.low, one.high, decimals),
                )
                for one in values
            ),
            _difference(found.difference, decimals),
            Cell(text=formatting.p_value(found.adjusted_p), note=p_note),
            *(Cell(text=f"{count:,}") for count in (found.won, found.lost, found.tied)),
            Cell(text=formatting.number(found.detectable, decimals)),
            Cell(text=found.verdict("A", "B")),
        ]
    )


def _difference(interval: Interval, decimals: int) -> Cell:
    low, high = (formatting.signed(bound, decimals) for bound in (interval.low, interval.high))
    return Cell(text=formatting.signed(interval.value, decimals), note=f"{low} to {high}")
