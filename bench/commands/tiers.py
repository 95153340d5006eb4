"""`genrec-bench tiers`: a cheap row for all, a costly one where it is expected to pay."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.commands.fuse import ChosenView, Lists, Results, Texts, command_again, given_answers


def register(app: typer.Typer) -> None:
    """Add the command `tiers`."""
    app.command()(tiers)


def tiers(
    cheap: Annotated[str, typer.Argument(help="The row that can serve everybody, by name.")],
    costly: Annotated[str, typer.Argument(help="The row that is asked for some users only.")],
    name: Annotated[str | None, typer.Option(help="Name of the tiered row.")] = None,
    dataset: Annotated[str, typer.Option(help="Data set.")] = "sample",
    split: Annotated[str, typer.Option(help="Split: loo | loo2 | time:<cut> | time-loo.")] = "loo",
    ties: Annotated[str, typer.Option(help="Same-day order: file | shuffled:<seed>.")] = "file",
    lists: Lists = None,
    texts: Texts = None,
    by: Annotated[str, typer.Option(help="What a user gains.")] = "ndcg@10",
    view: Annotated[ChosenView, typer.Option(help="Seen items removed, or kept.")] = "seen_removed",
    seed: Annotated[int, typer.Option(min=0, help="Of the rows that are fitted here.")] = 0,
    results: Results = Path("results"),
    data_dir: Annotated[Path | None, typer.Option(help="Folder that holds the data sets.")] = None,
) -> None:
    """Serve in two tiers by a rule from validation users; print quality and time by share; write a row."""
    import numpy as np

    from bench.errors import ConfigError
    from bench.fusion import members, tiers
    from bench.fusion.fused_record import write_tiered
    from bench.metrics.ranking import parse_metric, ranks_in_view, user_outcomes
    from bench.submission.score import Entry

    if cheap == costly:
        raise ConfigError("tiers take two different rows")
    parse_metric(by)
    entry = Entry(name=name or f"{cheap}-then-{costly}", kind="hybrid")
    answers = given_answers(lists, texts, [cheap, costly])
    whole = members.load(dataset, split, ties, data_dir)
    stored = members.newest_records([cheap, costly], whole, results)
    popularity = np.bincount(whole.train.items, minlength=len(whole.catalogue))
    asked = [members.validation_lists(row, whole, answers, seed=seed) for row in (cheap, costly)]
    known = [user_outcomes(ranks_in_view(found, whole.validation, view), by) for found in asked]
    seen = tiers.groups(whole.validation.histories, popularity)
    rule = tiers.fit(seen, *known)
    share = tiers.best_share(tiers.curve(rule.order(seen), *known))
    order = rule.order(tiers.groups(whole.test.histories, popularity))
    options = {"name": entry.name, "dataset": dataset, "split": split, "ties": ties, "by": by, "view": view}
    options["seed"] = str(seed)
    path, record = write_tiered(
        entry,
        stored,
        order,
        share,
        whole,
        metric=by,
        view=view,
        command=command_again("tiers", [cheap, costly], options, lists, texts),
        results_dir=results,
        seed=seed,
    )
    typer.echo(f"share of users served by {costly}, {by} on test ({view.replace('_', ' ')}), seconds:")
    for point in record.details["tiers"]["curve"]:
        mark = "  <- chosen on validation users" if point["share"] == share else ""
        typer.echo(f"  {point['share']:.0%}  {point[by]:.4f}  {point['seconds']:.1f}{mark}")
    typer.echo(f"record: {path}")
