"""`genrec-bench tune`: choose a model's constants on validation users and keep them with their ledger."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Literal

import typer

ChosenView = Literal["seen_removed", "seen_kept"]
ChosenSampler = Literal["tpe", "local"]


def register(app: typer.Typer) -> None:
    """Add the command `tune`."""
    app.command()(tune)


def tune(
    model: Annotated[str, typer.Argument(help="Name of a model that declares a search space.")],
    dataset: Annotated[str, typer.Option(help="Data set.")] = "sample",
    split: Annotated[str, typer.Option(help="Split: loo | loo2 | time:<cut> | time-loo.")] = "loo",
    ties: Annotated[str, typer.Option(help="Same-day order: file | shuffled:<seed>.")] = "file",
    validation: Annotated[
        str,
        typer.Option(
            help="Who decides: 'split' (the split's validation users), or a share of all users such as 20%, "
            "drawn from the training sequences, whose last purchase is then not learned from."
        ),
    ] = "split",
    trials: Annotated[int, typer.Option(min=1, max=100_000, help="Sets of constants to try.")] = 100,
    seconds: Annotated[float | None, typer.Option(min=0, help="Stop after so many seconds.")] = None,
    by: Annotated[str, typer.Option(help="What decides, e.g. ndcg@10 or recall@5.")] = "ndcg@10",
    view: Annotated[ChosenView, typer.Option(help="Seen items removed, or kept.")] = "seen_removed",
    seed: Annotated[int, typer.Option(min=0, help="Of draws, drawn users and model.")] = 0,
    sampler: Annotated[
        ChosenSampler,
        typer.Option(help="tpe: over the whole space; local: small steps from the best point so far."),
    ] = "tpe",
    start: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="A point to try after the defaults; what it leaves open is as in the ledger, else drawn.",
        ),
    ] = None,
    model_file: Annotated[
        str | None, typer.Option(help="PATH.py:CLASS of a model of your own, named as MODEL.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option(help="Folder of the ledgers (default: `tuned` beside the model's code).")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder that holds the data sets.")] = None,
    work_dir: Annotated[
        Path | None,
        typer.Option(envvar="GENREC_BENCH_WORK", help="Folder of the studies, which can be taken up again."),
    ] = None,
) -> None:
    """Search constants on validation users; later runs of the model on this data use the best.

    Test users are not asked. A search that was stopped goes on when the same command is given again.
    """
    from datetime import UTC, datetime

    from bench.cost.environment import describe_environment
    from bench.datasets.splits import load_split
    from bench.errors import ConfigError
    from bench.metrics.ranking import parse_metric
    from bench.models import find_model, model_from_file, tuned_folder
    from bench.progress import listening
    from bench.run.terminal import LiveLine
    from bench.tuning import study
    from bench.tuning.ledger import Ledger, ledger_path, read_ledger, write_ledger
    from bench.tuning.space import check_inside, read_constants
    from bench.tuning.validation import validation_share, with_validation

    share = validation_share(validation)
    parse_metric(by)
    own = model_from_file(model_file) if model_file else None
    if own and own.name != model:
        raise ConfigError(f"--model-file gives a model '{own.name}', not '{model}'")
    entry = find_model(model, {own.name: own} if own else None)
    given = read_constants("--start", start or [])
    check_inside(study.space_of(entry), given)
    whole = load_split(dataset, ties=ties, split=split, data_dir=data_dir).training_data
    data = with_validation(whole, share, seed)
    if not len(data.validation):
        raise ConfigError(f"{dataset}, split {split}, has no validation users; give --validation 20%")
    path = ledger_path(to or tuned_folder(entry), model, dataset, whole.split, ties)
    known = read_ledger(path)
    journal = (work_dir or _cache()) / "tuning" / f"{model}-{data.fingerprint[:12]}.journal"
    with LiveLine(model, None) as line, listening(line.show):
        found = study.search(
            entry,
            data,
            trials=trials,
            seconds=seconds,
            metric=by,
            view=view,
            seed=seed,
            journal=journal,
            sampler=sampler,
            start={**(known.chosen if known else {}), **given},
        )
    options = {"dataset": dataset, "split": split, "ties": ties, "validation": validation, "trials": trials}
    options |= {"by": by, "view": view, "seed": seed}
    options |= {} if sampler == "tpe" else {"sampler": sampler}
    words = ["genrec-bench", "tune", model]
    words += [word for name, value in options.items() for word in (f"--{name}", str(value))]
    words += [word for point in start or [] for word in ("--start", point)]
    words += ["--model-file", model_file] if model_file else []
    ledger = Ledger(
        model=model,
        dataset=dataset,
        split=whole.split,
        ties=ties,
        fingerprint=data.fingerprint,
        command=shlex.join(words),
        created=datetime.now(UTC),
        commit=describe_environment().commit,
        validation="validation users of the split" if share is None else f"{validation} of the users",
        users=len(data.validation),
        metric=by,
        view=view,
        sampler=study.SAMPLERS[sampler],
        seed=seed,
        space=found.space,
        trials=found.trials,
        seconds=found.seconds,
        default_value=found.default_value,
        value=found.value,
        chosen=found.chosen,
    )
    write_ledger(path, ledger)
    before = "-" if found.default_value is None else f"{found.default_value:.4f}"
    typer.echo(
        f"{model} on {dataset}, split {split}, ties {ties}: {by} {found.value:.4f} on {ledger.users:,} "
        f"validation users (defaults: {before}) after {found.trials} trials, {found.seconds:.0f} s; "
        "test users not asked"
    )
    typer.echo(", ".join(f"{name} {_short(value)}" for name, value in found.chosen.items()))
    typer.echo(f"kept in {path}; `pytest bench --benchmark --models {model}` uses it on this data")


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _cache() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("genrec-bench"))
