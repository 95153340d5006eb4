"""`genrec-bench leaderboard`: run the app here, or write the static page."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.errors import ConfigError, unknown_name
from leaderboard.state.folders import DATA_VARIABLE, RESULTS_VARIABLE, results_dir

ResultsOption = Annotated[
    Path | None,
    typer.Option(
        "--results", envvar="GENREC_BENCH_RESULTS", help="Folder of the records (default: results)."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    app.add_typer(group, name="leaderboard")


group = typer.Typer(help="Explore the records in a browser, or write them as a static page.")


@group.callback(invoke_without_command=True)
def serve(
    context: typer.Context,
    results: ResultsOption = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder that holds the data sets.")] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on this machine.")] = 8501,
    address: Annotated[str, typer.Option(help="Address to listen on; 127.0.0.1 is this machine only.")] = (
        "127.0.0.1"
    ),
    browser: Annotated[bool, typer.Option(help="Open a browser window.")] = False,
) -> None:
    """Run the app on this machine until it is stopped with Ctrl-C; no telemetry, no network."""
    if context.invoked_subcommand is not None:
        return
    if results is not None and not results.is_dir():
        raise ConfigError(f"there is no results folder '{results}'; give one with --results")
    if data_dir is not None and not data_dir.is_dir():
        raise ConfigError(f"there is no data folder '{data_dir}'; give one with --data-dir")
    environment = dict(os.environ)
    for variable, folder in ((RESULTS_VARIABLE, results), (DATA_VARIABLE, data_dir)):
        if folder is not None:
            environment[variable] = str(folder.resolve())
    flags = {
        "server.address": address,
        "server.port": str(port),
        "server.headless": "false" if browser else "true",
        "browser.gatherUsageStats": "false",
    }
    words = [word for name, value in flags.items() for word in (f"--{name}", value)]
    script = str(Path(__file__).with_name("app.py"))
    typer.echo(f"leaderboard: http://{address}:{port} (Ctrl-C stops it)")
    sys.stdout.flush()
    # the server takes this process's place, so that a signal to it reaches the server
    os.execve(sys.executable, [sys.executable, "-m", "streamlit", "run", script, *words], environment)


@group.command()
def export(
    to: Annotated[Path, typer.Option("--to", help="Folder for index.html; it is made if it is missing.")],
    results: ResultsOption = None,
    view: Annotated[str, typer.Option(help="seen_removed or seen_kept.")] = "seen_removed",
    cutoff: Annotated[int, typer.Option(help="1, 5, 10 or 20.")] = 5,
) -> None:
    """Write the main table and the Pareto chart as one HTML file that needs no network."""
    from bench.metrics.definitions import CUTOFFS
    from bench.record import VIEWS
    from leaderboard.static_page import export as write

    if view not in VIEWS:
        raise unknown_name("view", view, VIEWS)
    if cutoff not in CUTOFFS:
        raise unknown_name("cut-off", str(cutoff), map(str, CUTOFFS))
    chosen = next(name for name in VIEWS if name == view)
    path = write(results_dir(results), to, view=chosen, cutoff=cutoff)
    typer.echo(f"wrote {path} ({path.stat().st_size / 1000:.0f} kB)")
