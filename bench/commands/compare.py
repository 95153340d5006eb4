"""`genrec-bench compare`: which of these models is better, as far as the data can tell."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command `compare`."""
    app.command()(compare)


def compare(
    models: Annotated[
        list[str],
        typer.Argument(
            help="Two or more: a model's name (its newest valid record), a record's id or its file; "
            "with --reported, one or more names."
        ),
    ],
    dataset: Annotated[
        str | None, typer.Option(help="Data set, if the names were measured on several.")
    ] = None,
    ties: Annotated[
        str | None, typer.Option(help="Tie rule of the split: file (default) or shuffled:<seed>.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Split: loo (default), loo2, time:<date or quantile>, time-loo.")
    ] = None,
    metric: Annotated[str, typer.Option(help="recall, ndcg or mrr at a cut-off, e.g. recall@10.")] = "ndcg@5",
    view: Annotated[str, typer.Option(help="seen_removed or seen_kept.")] = "seen_removed",
    seeds: Annotated[bool, typer.Option("--seeds", help="Combine all seeds of a named model.")] = False,
    resamples: Annotated[int, typer.Option(min=100, max=1_000_000, help="Draws of each test.")] = 10_000,
    reported: Annotated[
        str | None,
        typer.Option(help="Show the models beside this reported row or source instead, e.g. gpt4rec."),
    ] = None,
    results: Annotated[
        Path, typer.Option("--results", envvar="GENREC_BENCH_RESULTS", help="Folder of the records.")
    ] = Path("results"),
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    latex: Annotated[bool, typer.Option("--latex", help="Print LaTeX (booktabs).")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, unrounded.")] = False,
) -> None:
    """Compare models user by user: paired differences, verdicts, tie groups."""
    from bench.comparison import paired, paired_text
    from bench.comparison.compared_models import find_compared
    from bench.errors import ConfigError, RecordError, unknown_name
    from bench.record import VIEWS

    if markdown + latex + as_json > 1:
        raise ConfigError("choose one of --markdown, --latex and --json")
    if view not in VIEWS:
        raise unknown_name("view", view, VIEWS)
    if not results.is_dir():
        raise RecordError(f"there is no results folder '{results}'; give one with --results")
    if reported is not None:
        typer.echo(
            _beside_reported(models, reported, results, dataset, ties, split, markdown or latex, as_json)
        )
        return
    compared = find_compared(models, results, dataset=dataset, ties=ties, split=split, all_seeds=seeds)
    found = paired.compare(compared, metric=metric, view=view, resamples=resamples)
    formats = {
        paired_text.as_markdown: markdown,
        paired_text.as_latex: latex,
        paired_text.as_json: as_json,
    }
    render = next((render for render, chosen in formats.items() if chosen), paired_text.as_text)
    typer.echo(render(found))


def _beside_reported(
    models: list[str],
    key: str,
    results: Path,
    dataset: str | None,
    ties: str | None,
    split: str | None,
    typeset: bool,
    as_json: bool,
) -> str:
    from bench.errors import ConfigError
    from bench.records import beside_reported

    if typeset:
        raise ConfigError("--reported prints text or --json")
    found = beside_reported.compare_with_reported(
        models, key, results, dataset=dataset, ties=ties, split=split
    )
    return beside_reported.as_json(found) if as_json else beside_reported.as_text(found)
