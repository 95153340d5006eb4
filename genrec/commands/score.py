"""`genrec-bench score`: a language model orders a cheap row's candidates; constants chosen on validation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command `score`."""
    app.command()(score)


def score(
    row: Annotated[str, typer.Argument(help="Model whose lists hold the candidates, e.g. text-co-visit.")],
    model: Annotated[str, typer.Option(help="Preset with a section `score`.")] = "smollm2-135m-score",
    dataset: Annotated[str, typer.Option(help="Data set.")] = "sample",
    split: Annotated[str, typer.Option(help="Split: loo | loo2 | time:<cut> | time-loo.")] = "loo",
    ties: Annotated[str, typer.Option(help="Same-day order: file | shuffled:<seed>.")] = "file",
    top: Annotated[int, typer.Option(min=1, max=50, help="Candidates a user.")] = 50,
    users: Annotated[int | None, typer.Option(min=1, help="At most so many validation users.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the model.")] = 0,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Override a setting, e.g. generate.precision=bf16.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder that holds the data sets.")] = None,
    work_dir: Annotated[Path | None, typer.Option(help="Folder that holds the models.")] = None,
) -> None:
    """Score the candidates of the validation users and print what each set of constants makes of them.

    The prompt runs once, the candidates behind it in one pass. Test users are not asked; the last line is
    the command that measures the best constants on them.
    """
    from bench.datasets.splits import load_split
    from bench.progress import listening
    from bench.run.terminal import LiveLine
    from genrec.candidate_trial import try_constants

    data = load_split(dataset, ties=ties, split=split, data_dir=data_dir).training_data
    own = [*(settings or []), f"score.row={row}", f"score.top={top}"]
    with LiveLine(model, None) as line, listening(line.show):
        trial = try_constants(data, model, own, seed=seed, work=work_dir, users=users)
    typer.echo(
        f"{dataset}, {trial.users} validation users, seen items removed; {row}, first {top} of its list"
    )
    typer.echo(f"{'without_history':>16}{'row_weight':>12}{'recall@5':>10}{'ndcg@5':>10}{'recall@10':>11}")
    for name, quality in trial.rows.items():
        first = f"{name[0]:>16g}{name[1]:>12g}" if isinstance(name, tuple) else f"{name:>28}"
        cells = f"{quality['recall@5']:>10.4f}{quality['ndcg@5']:>10.4f}{quality['recall@10']:>11.4f}"
        typer.echo(first + cells)
    chosen = (f"score.without_history={trial.best[0]:g}", f"score.row_weight={trial.best[1]:g}")
    words = [f"pytest bench --benchmark --dataset {dataset} --models {model}"]
    words += [f"--split {split}"] if split != "loo" else []
    words += [f"--ties {ties}"] if ties != "file" else []
    words += [f"--set {setting}" for setting in (*own, *chosen)]
    typer.echo("to measure the best on the test users: " + " ".join(words))
