"""What `pytest bench --benchmark` runs: one case per data set and model."""

from typing import Any

import pytest

from bench.errors import BenchError, Unavailable
from bench.record import VIEWS
from bench.run.plugin import SESSION_KEY


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one case of each model that the options choose; without --benchmark, one that is skipped."""
    session = metafunc.config.stash.get(SESSION_KEY, None)
    names = [entry.name for entry in session.entries] if session else ["model"]
    dataset = session.dataset if session else "dataset"
    metafunc.parametrize("model_name", names, ids=[f"{dataset}-{name}" for name in names])


def test_model(model_name: str, benchmark: Any, request: pytest.FixtureRequest) -> None:
    """Fit, recommend, score and record one model; its metrics go into pytest-benchmark's extra_info."""
    session = request.config.stash[SESSION_KEY]
    try:
        outcome = benchmark.pedantic(session.run_model, args=(model_name,), rounds=1, iterations=1)
    except Unavailable as reason:
        pytest.skip(str(reason))
    except BenchError as error:
        pytest.fail(
            str(error), pytrace=False
        )  # the message says all; a traceback of the harness adds nothing
    record = outcome.record
    benchmark.extra_info.update(
        {
            "dataset": record.dataset.name,
            "ties": record.dataset.ties,
            "fingerprint": record.dataset.fingerprint,
            "model": record.model.name,
            "record": str(outcome.path),
            **{
                f"{view}/{name}": e.value
                for view in VIEWS
                for name, e in getattr(record.metrics, view).items()
            },
            **{f"seconds/{stage}": seconds for stage, seconds in record.cost.wall_seconds.items()},
            "users_per_second": record.cost.users_per_second,
            "peak_rss_bytes": record.cost.peak_rss_bytes,
        }
    )
    assert outcome.path.is_file()
    assert record.model.name == model_name
