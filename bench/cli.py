"""The `genrec-bench` command: collects the groups of commands that installed packages register."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points

import typer

from bench.errors import BenchError

ENTRY_POINT_GROUP = "genrec_bench.commands"


def build_app() -> typer.Typer:
    """Assemble the command line; each entry point is a function that adds its commands to the app."""
    app = typer.Typer(
        name="genrec-bench",
        help="Benchmark, results and leaderboard for LLM generative recommenders.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name):
        point.load()(app)
    return app


def main() -> None:
    """Run the command line; an error the user can mend is one message and exit code 1."""
    try:
        build_app()()
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
