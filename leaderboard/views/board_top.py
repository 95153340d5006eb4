"""The head of a board: what is predicted, what the rows say, and all of them in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import pandas as pd

from bench.comparison.board_standings import BoardStandings
from bench.comparison.strongest import UNTRAINED
from bench.errors import BenchError
from bench.labels import metric_label
from bench.record import View
from bench.records.store import StoredRecord
from bench.reported.rows import load_reported
from leaderboard import navigation
from leaderboard.draw import rank_chart
from leaderboard.draw.components import clickable
from leaderboard.frames import rank_points
from leaderboard.frames.board_rows import BoardKey
from leaderboard.frames.board_sentence import sentences
from leaderboard.views import common


def show(
    words: Any,
    key: BoardKey,
    records: Sequence[StoredRecord],
    frame: pd.DataFrame,
    standings: BoardStandings,
    view: View,
    metric: str,
) -> None:
    """Draw sentences, in the container `words`, and chart of a board's rows, `frame`; a click opens a run."""
    name, _, _ = metric.partition("@")
    label = metric_label(metric)
    said = sentences(
        frame,
        standings,
        records[0].record.dataset,
        title=common.dataset_title(key.dataset),
        metric=name,
        label=label,
    )
    try:
        reported = rank_points.printed(load_reported(key.dataset), key, view, metric)
    except BenchError:
        reported = []  # the table of reported numbers, below, says what is wrong with them
    points = rank_points.rank_points(frame, reported, name, navigation.run_href)
    with words:
        first, rest = escape(said[0]), escape(" ".join(said[1:]))
        clickable(f'<p class="sentence">{first}</p><p class="said">{rest}</p>', key="said")
    if not points:
        return
    rival = next((point for point in points if point.kind in UNTRAINED and not point.origin), None)
    event = clickable(rank_chart.figure(points, label, rival), key="all-rows")
    if event is not None and event.name == "run":
        navigation.open_page("run", run=event.value)
