"""Speed of reading and splitting against the plain ways, on the same files in one run.

Run it with `pytest bench --benchmark -k data_speed --dataset beauty2014`. For the embedded data set
raw files with its content are written first.
"""

from __future__ import annotations

import ast
import gzip
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.datasets.amazon.category_entries import AMAZON_2014
from bench.datasets.amazon.files import read_amazon
from bench.datasets.registry import find_dataset, load, raw_files
from bench.datasets.splits import leave_one_out
from bench.run.plugin import SESSION_KEY
from bench.schema import Interactions, Split

ROUNDS = 5


def test_data_speed_reading(benchmark: Any, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Our reader against `json.loads` and `ast.literal_eval` line by line; both must read the same."""
    session = request.config.stash[SESSION_KEY]
    entry = find_dataset(session.dataset, session.data_dir)
    if entry.family == AMAZON_2014:
        reviews, metadata = raw_files(entry, session.data_dir)
    else:
        reviews, metadata = _write_raw(load(entry.name, session.data_dir), tmp_path)
    paths = reviews, metadata
    data = benchmark.pedantic(read_amazon, args=paths, rounds=ROUNDS, iterations=1)

    start = time.perf_counter()
    rows, titles = _plain_read(*paths)
    plain_seconds = time.perf_counter() - start
    assert len(rows) == len(data) + data.untitled_interactions + data.duplicates_dropped
    assert set(data.catalogue.item_ids) <= {item for item, title in titles.items() if title is not None}
    _note(session, benchmark, "reading raw files", plain_seconds, interactions=len(data))


def test_data_speed_splitting(benchmark: Any, request: pytest.FixtureRequest) -> None:
    """Our split with its fingerprint against one made of dictionaries and lists; the same targets."""
    session = request.config.stash[SESSION_KEY]
    data = load(session.dataset, session.data_dir)
    split: Split = benchmark.pedantic(
        leave_one_out, args=(data,), kwargs={"dataset": session.dataset}, rounds=ROUNDS, iterations=1
    )
    start = time.perf_counter()
    targets = _plain_targets(data)
    plain_seconds = time.perf_counter() - start
    assert targets == split.test.targets.tolist()
    _note(session, benchmark, "splitting", plain_seconds, users=len(split.user_ids))


def _note(session: Any, benchmark: Any, name: str, plain_seconds: float, **size: int) -> None:
    our_seconds = benchmark.stats.stats.median
    info = {
        **size,
        "our_seconds": our_seconds,
        "plain_seconds": plain_seconds,
        "ratio": plain_seconds / our_seconds,
    }
    benchmark.extra_info.update(info)
    session.speeds.append((f"data: {name}", info))


def _write_raw(data: Interactions, folder: Path) -> tuple[Path, Path]:
    """Write a data set in the published layout."""
    reviews, metadata = folder / "reviews.json.gz", folder / "meta.json.gz"
    ids = data.catalogue.item_ids
    columns = zip(data.users.tolist(), data.items.tolist(), data.timestamps.tolist(), strict=True)
    with gzip.open(reviews, "wt", encoding="utf-8") as stream:
        for user, item, seconds in columns:
            row = {"reviewerID": data.user_ids[user], "asin": ids[item], "unixReviewTime": seconds}
            stream.write(json.dumps(row) + "\n")
    with gzip.open(metadata, "wt", encoding="utf-8") as stream:
        for item_id, title in zip(ids, data.catalogue.titles, strict=True):
            stream.write(repr({"asin": item_id, "title": title}) + "\n")
    return reviews, metadata


def _plain_read(reviews: Path, metadata: Path) -> tuple[list[Any], dict[str, str | None]]:
    with gzip.open(reviews, "rt", encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    with gzip.open(metadata, "rt", encoding="utf-8") as stream:
        items = [ast.literal_eval(line) for line in stream]
    return rows, {item["asin"]: item.get("title") for item in items}


def _plain_targets(data: Interactions) -> list[int]:
    """Give each user's last item, users in order; what a loop over users takes for the split."""
    by_user: dict[int, list[tuple[int, int, int]]] = {}
    columns = zip(data.users.tolist(), data.timestamps.tolist(), data.items.tolist(), strict=True)
    for place, (user, seconds, item) in enumerate(columns):
        by_user.setdefault(user, []).append((seconds, place, item))
    sequences = [[item for _, _, item in sorted(by_user[user])] for user in sorted(by_user)]
    training = [np.array(sequence[:-1]) for sequence in sequences if len(sequence) >= 3]
    assert sum(map(len, training)) + len(training) <= len(data)
    return [sequence[-1] for sequence in sequences if len(sequence) >= 3]
