"""How time and memory grow with the shop: generated shops of 1 and 10 times Beauty, whole runs.

Run it with `pytest bench --benchmark -k scale`; `--scale 1,10,100` chooses the sizes, `--models` the rows.
Each run is measured as every run is, in a process of its own; its record is not kept.
"""

from __future__ import annotations

import resource
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from bench.datasets.own.shops import Shop, make_shop
from bench.datasets.splits import leave_one_out
from bench.models import find_model
from bench.progress import listening
from bench.run.plugin import SESSION_KEY
from bench.run.runner import Request, run
from bench.run.terminal import LiveLine
from bench.schema import Split

USERS, ITEMS = 22_363, 12_101
"""Of Beauty 2014."""
MODELS = "most-popular,last-item-text,co-visit"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one case of each size and model, the small sizes first."""
    option = metafunc.config.getoption
    names = (option("genrec_models") or MODELS).split(",")
    cases = [
        pytest.param(size, name, id=f"{size}x-{name}") for size in option("genrec_scale") for name in names
    ]
    metafunc.parametrize(("size", "model_name"), cases)


def test_scale(
    size: int, model_name: str, benchmark: Any, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Fit, recommend, score and record one row on a generated shop."""
    session = request.config.stash[SESSION_KEY]
    shop_split(size)  # made before the clock starts
    asked = Request(
        entry=find_model(model_name),
        load=lambda: (shop_split(size), 0.0),
        results_dir=tmp_path,
        command=f"pytest bench --benchmark -k scale --scale {size} --models {model_name}",
    )
    cpu_seconds = _cpu_seconds()
    with LiveLine(f"{model_name}, {size}x", session.capture) as line, listening(line.show):
        outcome = benchmark.pedantic(run, args=(asked,), rounds=1, iterations=1)
    record = outcome.record
    seconds = record.cost.wall_seconds
    info = {
        "users": record.dataset.users,
        "items": record.dataset.items,
        "purchases": record.dataset.interactions,
        **{f"{stage}_seconds": seconds[stage] for stage in ("start", "fit", "recommend", "score")},
        "cpu_seconds": _cpu_seconds() - cpu_seconds,
        "model_gb": record.cost.peak_rss_bytes / 1e9,
        "harness_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
    }
    benchmark.extra_info.update(info)
    session.speeds.append((f"{size}x: {model_name}", info))
    assert outcome.path.is_file()
    assert record.dataset.users > 0.99 * size * USERS


@lru_cache(maxsize=1)  # a large shop takes gigabytes
def shop_split(size: int) -> Split:
    """Generate a shop `size` times as large as Beauty and split it."""
    return leave_one_out(make_shop(Shop(users=size * USERS, items=size * ITEMS)), dataset=f"shop-{size}x")


def _cpu_seconds() -> float:
    """Seconds of all cores that this process and those it waited for have taken."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
