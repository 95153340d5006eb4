"""Speed of the leaderboard over 1,000 records: first page, later pages, changed choices, and its memory.

Run it with `pytest bench --benchmark -k speed_leaderboard --dataset beauty2014`. The app is run without
a browser (Streamlit's AppTest) in a fresh process; what is measured is the time until a page's script
has ended, in wall and in processor seconds: on a busy machine only the latter say something. Each page is
looked at for a second, in which the app reads ahead; the ranks of so large a board are worked out meanwhile.
Every record is of another model, with ranks of its own for as many users as the data set has.
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
from bench.files.arrow import number_array, write_parquet
from bench.metrics.ranking import evaluate, mean_quality
from bench.record import VIEWS, ModelInfo, Record, dataset_info
from bench.record_parts import Cost
from bench.records import store
from bench.run.plugin import SESSION_KEY
from bench.schema import Split

RECORDS = 1000
APP = Path(__file__).parents[2] / "leaderboard" / "app.py"
_VISITS = """
import json, sys, time
from streamlit.testing.v1 import AppTest
app, figures = AppTest.from_file(sys.argv[1], default_timeout=300), {}
def visit(name, **choices):
    for choice, value in choices.items():
        app.query_params[choice] = value
    start, busy = time.perf_counter(), time.process_time()
    app.run()
    figures[name + "_seconds"] = time.perf_counter() - start
    figures[name + "_cpu_seconds"] = time.process_time() - busy
    assert not app.exception and app.title, (name, app.exception)
    with open("/proc/self/statm") as file:
        megabytes = int(file.read().split()[1]) * 4096 / 1e6
    figures["largest_rss_mb"] = max(megabytes, figures.get("largest_rss_mb", 0.0))
    time.sleep(float(sys.argv[2]))
visit("first", page="leaderboard")
visit("again")
visit("metric", by="recall")
visit("view", view="seen_kept")
visit("table_page", p="7")
for page in sys.argv[3:]:
    visit(page, page=page)
    visit(page + "_again", page=page)
for number in range(8):
    visit("last", page=("leaderboard", "cost")[number % 2], k=("1", "5", "10", "20")[number % 4])
print(json.dumps(figures))
"""
LOOK_SECONDS = 1.0
PAGES = ("overview", "cost", "run", "compare", "explore", "reported", "submit", "protocol")


def test_speed_leaderboard(benchmark: Any, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Visit every page: the first time with nothing read yet, then again."""
    session = request.config.stash[SESSION_KEY]
    split, _ = session.loaded
    _fill(tmp_path, split)
    environment = {**os.environ, "GENREC_BENCH_RESULTS": str(tmp_path)}
    if session.data_dir is not None:
        environment["GENREC_BENCH_DATA"] = str(session.data_dir)
    measured: list[dict[str, float]] = []

    def visit() -> None:
        command = [sys.executable, "-c", _VISITS, str(APP), str(LOOK_SECONDS), *PAGES]
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        measured.append(json.loads(done.stdout.splitlines()[-1]))

    benchmark.pedantic(visit, rounds=1, iterations=1)
    info = measured[-1]
    benchmark.extra_info.update(info)
    session.speeds.append((f"leaderboard, {RECORDS:,} records", info))


def _fill(folder: Path, split: Split) -> None:
    """Write RECORDS valid records, each of a model of its own; all share the lists of the one that is scored.

    Users differ in how easily their target is found, the same for all models, as on real boards.
    """
    source = _scored(folder / "source", split, 0)
    body = json.loads(source.read_text(encoding="utf-8"))
    rng = np.random.default_rng(0)
    hard, place = rng.random(len(split.test)), rng.geometric(0.15, size=len(split.test))
    for number in range(RECORDS):
        skill = 0.01 + 0.14 * (number / RECORDS) ** 2
        found = 0.8 * hard + 0.2 * rng.random(len(hard))
        ranks = np.where(found < np.quantile(found, skill), np.clip(place + rng.integers(4), 1, 50), 0)
        path = _placed(folder, body, number, ranks.astype(np.int32))
        os.link(source.with_suffix(".parquet"), path.with_suffix(".parquet"))
    shutil.rmtree(folder / "source")


def _placed(folder: Path, body: dict[str, Any], number: int, ranks: Any) -> Path:
    """Write the record of model `number` with these ranks, (users,), in both views; give its path."""
    import pyarrow as pa

    name = f"model-{number:04d}"
    body["created"] = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=number)).isoformat()
    body["model"] |= {"name": name, "display_name": name}
    body["model"]["kind"] = ("baseline", "untrained", "sequential", "generative", "hybrid")[number % 5]
    body["cost"]["wall_seconds"] |= {"fit": 1.0 + number % 97, "recommend": 2.0 + number % 31}
    for metric, value in mean_quality(ranks).items():
        half = 1.96 * (value * (1 - value) / len(ranks)) ** 0.5
        for view in VIEWS:
            low, high = max(value - half, 0.0), min(value + half, 1.0)
            body["metrics"][view][metric] = {"value": value, "low": low, "high": high}
    path = store.record_path(Record.model_validate(body), folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(body), encoding="utf-8")
    columns = {view: number_array(ranks) for view in VIEWS}
    write_parquet(pa.table(columns), path.with_suffix(".ranks.parquet"))
    return path


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
