"""A comparison of two runs as HTML tables: the verdict by metric, and the users who differ most."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bench.comparison.paired import Contender, largest_differences
from bench.labels import metric_label
from bench.record import Record, View
from bench.schema import Split
from bench.statistics.bootstrap import Interval
from bench.statistics.paired_tests import PairedDifference
from leaderboard.cells.html_table import Cell, Column, Event, Row, render
from leaderboard.frames import formatting
from leaderboard.frames.board_rows import estimate
from leaderboard.frames.list_rows import shown_title

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
_USERS = [
    Column(key="user", label="User", numeric=False),
    Column(key="title", label="Bought next", numeric=False),
    Column(key="history", label="History", note="items"),
    Column(key="a", label="A", note="place of it"),
    Column(key="b", label="B", note="place of it"),
]


def verdict_table(
    records: tuple[Record, Record], differences: Mapping[str, PairedDifference], view: View
) -> str:
    """Give one row a metric: both values, paired difference, p-value, users won and lost, verdict."""
    return render(_VERDICT, [_verdict(records, metric, found, view) for metric, found in differences.items()])


def users_table(
    pair: tuple[Contender, Contender],
    split: Split,
    metric: str,
    view: View,
    links: Callable[[str], str],
    shown: int = 20,
) -> str:
    """Give the users for whom the two runs differ most, with the place of the target in each list."""
    rows = []
    for user in largest_differences(*pair, metric=metric, view=view)[:shown].tolist():
        places = [int(one.ranks[0][view][user]) for one in pair]
        if places[0] == places[1]:
            break  # from here on the two agree
        rows.append(Row(cells=_user(split, user, places, links)))
    return render(_USERS, rows)


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


def _user(split: Split, user: int, places: Sequence[int], links: Callable[[str], str]) -> list[Cell]:
    user_id = split.user_ids[user]
    return [
        Cell(text=user_id, event=Event(name="user", value=user_id, href=links(user_id))),
        Cell(text=shown_title(split.catalogue, int(split.test.targets[user]))),
        Cell(text=f"{split.test.histories.lengths[user]:,}"),
        *(Cell(text=str(place) if place else formatting.MISSING) for place in places),
    ]
