"""Speed of the leaderboard over 200 records: the first page, and each later page, in a fresh process.

Run it with `pytest bench --benchmark -k speed_leaderboard --dataset beauty2014`. The app is run without
a browser (Streamlit's AppTest); what is measured is the time until a page's script has ended. Each page
is looked at for a second, in which the app reads ahead. Lists are as long and as many as those of the
data set.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.cost.environment import describe_environment
from bench.metrics.ranking import evaluate
from bench.record import ModelInfo, Record, dataset_info
from bench.record_parts import Cost
from bench.records import store
from bench.run.plugin import SESSION_KEY
from bench.schema import Split

RECORDS, MODELS, SCORED = 200, 60, 4
APP = Path(__file__).parents[2] / "leaderboard" / "app.py"
_VISITS = """
import json, sys, time
from streamlit.testing.v1 import AppTest
app, seconds = AppTest.from_file(sys.argv[1], default_timeout=120), {}
for page in sys.argv[3:]:
    app.query_params["page"] = page
    visits = []
    for visit in range(3):
        start = time.perf_counter()
        app.run()
        visits.append(time.perf_counter() - start)
        assert not app.exception and app.title, (page, app.exception)
    seconds[page] = [visits[0], min(visits[1:])]
    time.sleep(float(sys.argv[2]))
print(json.dumps(seconds))
"""
LOOK_SECONDS = 1.0
PAGES = ("leaderboard", "cost", "run", "compare", "explore", "submit", "protocol")


def test_speed_leaderboard(benchmark: Any, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Visit every page: the first time with nothing read yet, then again."""
    session = request.config.stash[SESSION_KEY]
    split, _ = session.loaded
    _fill(tmp_path, split)
    environment = {**os.environ, "GENREC_BENCH_RESULTS": str(tmp_path)}
    if session.data_dir is not None:
        environment["GENREC_BENCH_DATA"] = str(session.data_dir)
    measured: list[dict[str, list[float]]] = []

    def visit() -> None:
        command = [sys.executable, "-c", _VISITS, str(APP), str(LOOK_SECONDS), *PAGES]
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        measured.append(json.loads(done.stdout.splitlines()[-1]))

    benchmark.pedantic(visit, rounds=1, iterations=1)
    pages = measured[-1]
    info = {f"{page}_{which}_seconds": seconds for page, both in pages.items()
            for which, seconds in zip(("first", "again"), both, strict=True)}  # fmt: skip
    benchmark.extra_info.update(info)
    session.speeds.append((f"leaderboard, {RECORDS} records", info))


def _fill(folder: Path, split: Split) -> None:
    """Write RECORDS valid records of MODELS models; SCORED of them are made, the rest copied from those."""
    sources = [_scored(folder / "sources", split, number) for number in range(SCORED)]
    for number in range(RECORDS):
        source, model = sources[number % SCORED], f"model-{number % MODELS:02d}"
        body = json.loads(source.read_text(encoding="utf-8"))
        created = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=number)
        body["created"] = created.isoformat()
        body["model"] |= {"name": model, "display_name": model}
        record = Record.model_validate(body)
        path = store.record_path(record, folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(body), encoding="utf-8")
        for suffix in (".parquet", ".ranks.parquet"):
            shutil.copyfile(source.with_suffix(suffix), path.with_suffix(suffix))
    shutil.rmtree(folder / "sources")


def _scored(folder: Path, split: Split, number: int) -> Path:
    """Write one record of random lists that find some users' targets."""
    rng = np.random.default_rng(number)
    depth = min(50, len(split.catalogue) - 1)
    offsets = rng.integers(len(split.catalogue), size=(len(split.test), 1))
    rankings = ((offsets + np.arange(depth)) % len(split.catalogue)).astype(np.int32)
    hits = np.flatnonzero(rng.random(len(split.test)) < 0.03 * (number + 1))
    known = (rankings[hits] == split.test.targets[hits, None]).any(axis=1)
    hits = hits[~known]
    rankings[hits, rng.integers(10, size=len(hits)) % depth] = split.test.targets[hits]
    record = Record(
        status="complete",
        source="harness",
        created=datetime(2026, 1, 1, tzinfo=UTC),
        command="pytest bench --benchmark",
        seed=number,
        depth=depth,
        dataset=dataset_info(split),
        model=ModelInfo(name=f"source-{number}", kind="baseline", display_name=f"source-{number}"),
        metrics=evaluate(split, rankings, resamples=200),
        cost=Cost(wall_seconds={"fit": 1.0, "recommend": 2.0 + number}, users_per_second=100.0),
        environment=describe_environment(),
    )
    return store.write(record, split, rankings, None, folder)
