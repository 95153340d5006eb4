"""Data sets, splits and tie rules as people read them, for the app and the static page."""

from __future__ import annotations

from bench.datasets.registry import display_name
from bench.datasets.rules.split_rules import LEAVE_ONE_OUT, LOO2, TIME, TIME_LOO
from leaderboard.frames.board_rows import BoardKey


def dataset_title(name: str) -> str:
    """Name a data set for people."""
    return display_name(name)


def split_title(name: str) -> str:
    """Name a split for people."""
    kind, _, cut = name.partition(":")
    at = f"the first {float(cut):.0%}" if cut.startswith("0.") else cut
    titles = {
        LEAVE_ONE_OUT: "last item, 5 % validate",
        LOO2: "last item, the one before validates",
        TIME: f"next item after {at}",
        TIME_LOO: f"last item, learned up to {at}",
    }
    return titles.get(kind, name)


def ties_title(rule: str) -> str:
    """Name a tie rule for people."""
    kind, _, seed = rule.partition(":")
    titles = {"file": "as in the file", "shuffled": f"shuffled (seed {seed})"}
    return titles.get(kind, f"shuffled by day (seed {seed})")


def board_title(key: BoardKey) -> str:
    """Name a board by all that its rows share."""
    return (
        f"{dataset_title(key.dataset)}: {split_title(key.split)}; same-day purchases {ties_title(key.ties)}"
    )
