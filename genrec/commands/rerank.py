"""`genrec-bench rerank`: an instruct model orders a cheap row's candidates, tried on validation users."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer


def register(app: typer.Typer) -> None:
    """Add the command `rerank`."""
    app.command()(rerank)


def rerank(
    row: Annotated[str, typer.Argument(help="Model whose lists hold the candidates, e.g. text-co-visit.")],
    model: Annotated[str, typer.Option(help="Preset with a section `rerank`.")] = "smollm2-135m-rerank",
    dataset: Annotated[str, typer.Option(help="Data set.")] = "sample",
    split: Annotated[str, typer.Option(help="Split: loo | loo2 | time:<cut> | time-loo.")] = "loo",
    ties: Annotated[str, typer.Option(help="Same-day order: file | shuffled:<seed>.")] = "file",
    top: Annotated[int, typer.Option(min=2, max=50, help="Candidates a user.")] = 20,
    users: Annotated[int | None, typer.Option(min=1, help="At most so many validation users.")] = None,
    seed: Annotated[int, typer.Option(help="Seed that shuffles the candidates.")] = 0,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Override a setting, e.g. engine=openai.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder that holds the data sets.")] = None,
    work_dir: Annotated[Path | None, typer.Option(help="Folder that holds the answers.")] = None,
) -> None:
    """Ask for an order of each validation user's candidates and print what it makes of the row.

    Candidates are shown in an order that the seed shuffles; whether their place in it sways the model, and
    what it invents, is printed. Test users are not asked; the last line is the command that does.
    """
    from bench.datasets.splits import load_split
    from bench.progress import listening
    from bench.run.terminal import LiveLine
    from genrec.prompted.trial import try_rerank

    data = load_split(dataset, ties=ties, split=split, data_dir=data_dir).training_data
    own = [*(settings or []), f"rerank.row={row}", f"rerank.top={top}"]
    with LiveLine(model, None) as line, listening(line.show):
        trial = try_rerank(data, model, own, seed=seed, work=work_dir, users=users)
    typer.echo(
        f"{dataset}, {trial.users} validation users, seen items removed; {row}, first {top} of its list"
    )
    typer.echo(f"{'':>12}{'recall@5':>10}{'ndcg@5':>10}{'recall@10':>11}{'ndcg@10':>10}")
    for name, quality in (("the row", trial.row), ("reranked", trial.reranked)):
        cells = f"{quality['recall@5']:>10.4f}{quality['ndcg@5']:>10.4f}{quality['recall@10']:>11.4f}"
        typer.echo(f"{name:>12}{cells}{quality['ndcg@10']:>10.4f}")
    for told in described(trial.facts["rerank"]):
        typer.echo(told)
    words = ["pytest", "bench", "--benchmark", "--dataset", dataset, "--models", model]
    words += ["--split", split] if split != "loo" else []
    words += ["--ties", ties] if ties != "file" else []
    words += ["--seed", str(seed)] if seed else []
    words += [word for setting in own for word in ("--set", setting)]
    typer.echo("to measure it on the test users: " + shlex.join(words))


def described(facts: Mapping[str, Any]) -> list[str]:
    """Say in lines how the answers were."""
    named = facts["candidates_named"]
    share = "no candidates" if named is None else f"{named:.0%} of the candidates named"
    lines = [
        f"{facts['users_asked']} users asked, {share}; {facts['users_without_an_order']} answers without an "
        f"order, {facts['cut_answers']} cut; items invented {facts['invented_items']} (by "
        f"{facts['users_with_invented_items']} users), named again {facts['repeated_items']}"
    ]
    bias = facts["position_bias"]
    meanings = {
        "first_choice": "place in the prompt of the first choice (0 first, 1 last)",
        "order_kept": "neighbours that stand as in the prompt (1: a copy)",
    }
    for name, meaning in meanings.items():
        if (found := bias[name]) is not None:
            interval = f"[{found['low']:.3f}, {found['high']:.3f}]"
            lines.append(f"{meaning}: {found['value']:.3f} {interval}; 0.5 without position bias")
    return lines
