"""The pytest option `--benchmark` and its fellows; loaded in every pytest run, so it imports little.

Cases below `bench/` run only with `--benchmark`. pytest-benchmark owns the fixture `benchmark` and
the options `--benchmark-*`; this plugin owns the plain `--benchmark`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from bench.run.session import BenchSession

CASES = Path(__file__).resolve().parents[1] / "cases"
SHORTHANDS = {
    "--engine": ("engine", "NAME", "who writes the texts: own | vllm | openai"),
    "--base-url": ("endpoint.base_url", "URL", "server of the engine openai, e.g. http://localhost:8000/v1"),
    "--model": ("endpoint.model", "NAME", "the model as that server calls it"),
    "--price-in": ("endpoint.price_in", "PRICE", "of a million tokens read"),
    "--price-out": ("endpoint.price_out", "PRICE", "of a million tokens written"),
    "--spend-limit": ("endpoint.spend_limit", "SUM", "that all requests for a row may cost"),
}
"""Option -> the setting that it stands for, what it is given, what it is."""
SESSION_KEY: pytest.StashKey[BenchSession] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of `pytest bench`."""
    group = parser.getgroup("genrec-bench")
    add = group.addoption
    add(
        "--benchmark",
        action="store_true",
        dest="genrec_benchmark",
        help="run the model cases of `pytest bench`",
    )
    add("--dataset", dest="genrec_dataset", metavar="NAME", help="data set (default: the embedded 'sample')")
    add(
        "--models",
        dest="genrec_models",
        metavar="A,B",
        help="models to run, by name (default: those that run anywhere)",
    )
    add(
        "--model-file",
        dest="genrec_model_files",
        metavar="PATH.py:CLASS",
        action="append",
        default=[],
        help="run a model of your own (repeatable); without --models, only these run",
    )
    add(
        "--split",
        dest="genrec_split",
        default="loo",
        metavar="RULE",
        help="loo | loo2 | time:<date or quantile> | time-loo (default: loo)",
    )
    add(
        "--ties",
        dest="genrec_ties",
        default="file",
        metavar="RULE",
        help="order of purchases of one time: file | shuffled:<seed> | shuffled-day:<seed>",
    )
    add("--seed", dest="genrec_seed", default="0", metavar="N", help="seed of the models (default: 0)")
    add(
        "--seeds",
        dest="genrec_seeds",
        default="1",
        metavar="N",
        help="run each model with N seeds, a record each, and say mean, deviation and interval (default: 1)",
    )
    add(
        "--depth",
        dest="genrec_depth",
        default="50",
        metavar="N",
        help="length of the ranked lists (default: 50)",
    )
    add(
        "--workers",
        dest="genrec_workers",
        metavar="N",
        help="share the users of a run among N workers of a Ray cluster on this machine (extra `ray`)",
    )
    add("--ray", dest="genrec_ray", metavar="ADDRESS", help="with --workers: of a Ray cluster to join")
    add(
        "--scale",
        dest="genrec_scale",
        default="1,10",
        type=_sizes,
        metavar="A,B",
        help="sizes of the shops of `-k scale`, in times Beauty (default: 1,10)",
    )
    add("--results", dest="genrec_results", metavar="DIR", help="folder of the records (default: ./results)")
    add("--data-dir", dest="genrec_data_dir", metavar="DIR", help="folder that holds the data sets' folders")
    add(
        "--set",
        dest="genrec_settings",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="override a setting of the generative models, e.g. finetune.lora_r=32 (repeatable)",
    )
    for option, (setting, metavar, what) in SHORTHANDS.items():
        add(
            option,
            dest="genrec_settings",
            metavar=metavar,
            action="append",
            type=f"{setting}={{}}".format,
            help=f"{what}; short for --set {setting}={metavar}",
        )


def _sizes(given: str) -> tuple[int, ...]:
    """Read the sizes of --scale: whole numbers from 1 to 1,000 with commas between."""
    sizes = [int(part) if part.isascii() and part.isdigit() else 0 for part in given.split(",")]
    if not all(1 <= size <= 1000 for size in sizes):
        raise argparse.ArgumentTypeError(f"takes whole numbers from 1 to 1000, as in 1,10, got '{given}'")
    return tuple(sorted(set(sizes)))


def pytest_configure(config: pytest.Config) -> None:
    """Read the options once; a wrong one ends the run before it starts."""
    if not config.getoption("genrec_benchmark"):
        return
    from bench.errors import BenchError
    from bench.run.session import open_session

    # one table of our own says more than timings of single rounds; --benchmark-verbose brings it back
    if not config.getoption("benchmark_verbose", False):
        config.option.benchmark_quiet = True
    try:
        config.stash[SESSION_KEY] = open_session(config)
    except BenchError as error:
        raise pytest.UsageError(str(error)) from None


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what runs on which data, and how to get the real data."""
    session = config.stash.get(SESSION_KEY, None)
    return session.header() if session else []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip the cases of `bench/` without --benchmark; leave speed cases out unless they are named."""
    ours = [item for item in items if item.path.parent == CASES]
    if not config.getoption("genrec_benchmark"):
        reason = "a benchmark case: run it with `pytest bench --benchmark`"
        for item in ours:
            item.add_marker(pytest.mark.skip(reason=reason))
        return
    if _speed_cases_named(config):
        return
    speed = {item for item in ours if item.path.name.startswith("test_speed")}
    if speed:
        config.hook.pytest_deselected(items=list(speed))
        items[:] = [item for item in items if item not in speed]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the closing tables."""
    session = config.stash.get(SESSION_KEY, None)
    if session is not None:
        session.write_summary(terminalreporter)


def _speed_cases_named(config: pytest.Config) -> bool:
    chosen = config.getoption("keyword") or config.getoption("markexpr")
    return bool(chosen) or any("test_speed" in argument for argument in config.args)
