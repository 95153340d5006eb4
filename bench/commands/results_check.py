"""`genrec-bench results check` and `results invalidate`: the results folder as a public record."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.commands.results import DEFAULT_RESULTS, ResultsOption, group
from bench.errors import RecordError


def register(app: typer.Typer) -> None:
    """Add the commands to the group `results`, which is registered on its own."""
    group.command()(check)
    group.command()(invalidate)
    group.command()(clear)
    group.command()(comment)


def check(
    results: ResultsOption = DEFAULT_RESULTS,
    base: Annotated[
        str | None, typer.Option(help="Commit or branch since which nothing may be edited or removed.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder that holds the data sets.")] = None,
    all_data: Annotated[
        bool, typer.Option("--all-data", help="Fail if a record's data set is not at hand to re-score it.")
    ] = False,
) -> None:
    """Check layout, schema and hashes, re-score every record, and compare with an earlier commit."""
    from bench.records.check import check_results

    if not results.is_dir():
        raise RecordError(f"there is no results folder '{results}'; give one with --results")
    outcome = check_results(results, base=base, data_dir=data_dir)
    for problem in outcome.problems:
        typer.echo(f"{_shown(problem.path, results)}: {problem.message}")
    for gap in (*outcome.other_copy, *outcome.not_rescored):
        typer.echo(f"not re-scored: {gap}")
    gaps = f"{len(outcome.not_rescored)} not for want of data"
    if outcome.cost_only:
        gaps += f", {outcome.cost_only} of cost alone"
    if outcome.other_copy:
        gaps += f", {len(outcome.other_copy)} made on another copy"
    counts = f"{outcome.records} records, {outcome.rescored} re-scored, {gaps}"
    typer.echo(f"{counts}, {len(outcome.problems)} problems")
    if outcome.problems or (all_data and outcome.not_rescored):
        raise typer.Exit(1)


def invalidate(
    record: Annotated[
        str, typer.Argument(help="Id as `results list` prints it, or the start of its file name.")
    ],
    reason: Annotated[str, typer.Option(help="Why the record is withdrawn; it is shown beside it.")],
    results: ResultsOption = DEFAULT_RESULTS,
) -> None:
    """Withdraw a record: it stays in the folder, marked with reason and date."""
    from bench.records.store import find_record
    from bench.records.store import invalidate as mark

    path = mark(find_record(results, record), reason)
    typer.echo(f"marked as invalid: {path}")


def clear(
    record: Annotated[
        str, typer.Argument(help="Id as `results list` prints it, or the start of its file name.")
    ],
    reason: Annotated[str, typer.Option(help="What was looked at, and why the row may be ranked.")],
    results: ResultsOption = DEFAULT_RESULTS,
) -> None:
    """Let a submitted row that a check flagged be ranked; the flag stays, with the reason beside it."""
    from bench.records.store import clear as mark
    from bench.records.store import find_record

    stored = find_record(results, record)
    for audit in stored.held_back:
        typer.echo(f"{audit.name}: {audit.message}")
    typer.echo(f"cleared: {mark(stored, reason)}")


def comment(
    base: Annotated[str, typer.Option(help="Commit or branch since which the records are new.")],
    results: ResultsOption = DEFAULT_RESULTS,
) -> None:
    """Print what a reviewer wants to know of the new records, as Markdown for a pull request."""
    from bench.comparison.review import review_comment
    from bench.records.append_only import added_since
    from bench.records.store import load_record, load_records

    if not results.is_dir():
        raise RecordError(f"there is no results folder '{results}'; give one with --results")
    folder = results.resolve()
    added = [load_record(path, folder) for path in added_since(base, folder)]
    typer.echo(review_comment(added, load_records(folder).valid()))


def _shown(path: Path, results: Path) -> str:
    try:
        return str(path.resolve().relative_to(results.resolve()))
    except ValueError:
        return str(path)
