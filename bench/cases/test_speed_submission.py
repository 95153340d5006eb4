"""Speed and memory of scoring a submitted file of two million rows, as a whole process.

Run it with `pytest bench --benchmark -k speed_submission --dataset beauty2014`. A data set too small for
two million rows gets lists of its whole catalogue.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.run.plugin import SESSION_KEY
from bench.schema import Split

ROWS = 2_000_000
MEMORY_LIMIT_BYTES = 10**9
CODE = """
import atexit, sys
from pathlib import Path
from bench.cli import main
status = lambda: Path("/proc/self/status").read_text().splitlines()
atexit.register(lambda: print(*(line for line in status() if line.startswith("VmHWM")), file=sys.stderr))
main()
"""
"""Says its own peak at the end: what the parent is told of a child counts the parent's memory too."""
FORMATS = ("csv", "trec", "jsonl", "json", "parquet")


@pytest.mark.parametrize("suffix", FORMATS)
def test_submission(suffix: str, benchmark: Any, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Start the command, read, check and score the file; nothing is written."""
    session = request.config.stash[SESSION_KEY]
    split, _ = session.loaded
    file = tmp_path / f"lists.{suffix}"
    rows = _write(file, split)
    command = [sys.executable, "-c", CODE, "submit", str(file), "--dry-run"]
    command += ["--dataset", session.dataset, "--name", "speed", "--kind", "baseline"]
    command += ["--results", str(tmp_path / "results")]
    if session.data_dir is not None:
        command += ["--data-dir", str(session.data_dir)]
    measured: list[tuple[float, int]] = []

    def submit() -> None:
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        seconds = time.perf_counter() - start
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("VmHWM:")]
        measured.append((seconds, int(line.split()[1]) * 1024))

    benchmark.pedantic(submit, rounds=1, iterations=1)
    seconds, peak = measured[-1]
    info = {
        "rows": rows,
        "file_bytes": file.stat().st_size,
        "whole_process_seconds": seconds,
        "rows_per_second": rows / seconds,
        "peak_rss_bytes": peak,
    }
    benchmark.extra_info.update(info)
    session.speeds.append((f"submission, {suffix}", info))
    assert peak < MEMORY_LIMIT_BYTES


def _write(path: Path, split: Split) -> int:
    """Write random lists, equally long, of about two million items in all; give their number."""
    users, items = len(split.user_ids), len(split.catalogue)
    depth = min(math.ceil(ROWS / users), items)
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        owners, lists = zip(*_lists(split, depth), strict=True)
        pq.write_table(pa.table({"user_id": list(owners), "item_ids": list(lists)}), path)
        return users * depth
    with path.open("w", encoding="utf-8") as file:
        if path.suffix == ".csv":
            file.write("user_id,item_id,rank,score\n")
        for number, (user, row) in enumerate(_lists(split, depth)):
            file.write(_text(path.suffix, user, row, first=number == 0))
        if path.suffix == ".json":
            file.write("}\n")
    return users * depth


def _lists(split: Split, depth: int) -> Iterator[tuple[str, list[str]]]:
    rng = np.random.default_rng(0)
    ids = np.array(split.catalogue.item_ids, dtype=object)
    for user in split.user_ids:
        yield user, ids[rng.choice(len(ids), size=depth, replace=False)].tolist()


def _text(suffix: str, user: str, items: list[str], *, first: bool) -> str:
    scores = [1 - place / 2**20 for place in range(len(items))]
    if suffix == ".jsonl":
        return json.dumps({"user_id": user, "item_ids": items, "scores": scores}) + "\n"
    if suffix == ".json":
        return (
            "{" if first else ", "
        ) + f"{json.dumps(user)}: {json.dumps(dict(zip(items, scores, strict=True)))}"
    line = "{0},{1},{2},{3:.6f}\n" if suffix == ".csv" else "{0} Q0 {1} {2} {3:.6f} speed\n"
    return "".join(
        line.format(user, item, place, score)
        for place, (item, score) in enumerate(zip(items, scores, strict=True), 1)
    )
