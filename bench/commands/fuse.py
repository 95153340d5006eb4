"""`genrec-bench fuse` and `complement`: what rows reach together, by weights from validation users."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from bench.fusion.members import Answers
    from bench.fusion.rrf import Fusion
    from bench.schema import Split

ChosenView = Literal["seen_removed", "seen_kept"]
Lists = Annotated[
    list[str] | None, typer.Option(help="NAME=FILE of a row's lists for the validation users (repeatable).")
]
Texts = Annotated[
    list[str] | None,
    typer.Option(help="NAME=FILE of a row's generated texts for the validation users (repeatable)."),
]
Results = Annotated[Path, typer.Option(envvar="GENREC_BENCH_RESULTS", help="Folder of the records.")]


def register(app: typer.Typer) -> None:
    """Add the commands `fuse` and `complement`."""
    app.command()(fuse)
    app.command()(complement)


def fuse(
    models: Annotated[list[str], typer.Argument(help="Two or more rows, by name.")],
    name: Annotated[str | None, typer.Option(help="Name of the fused row.")] = None,
    dataset: Annotated[str, typer.Option(help="Data set.")] = "sample",
    split: Annotated[str, typer.Option(help="Split: loo | loo2 | time:<cut> | time-loo.")] = "loo",
    ties: Annotated[str, typer.Option(help="Same-day order: file | shuffled:<seed>.")] = "file",
    lists: Lists = None,
    texts: Texts = None,
    by: Annotated[str, typer.Option(help="What decides the weights.")] = "ndcg@10",
    view: Annotated[ChosenView, typer.Option(help="Seen items removed, or kept.")] = "seen_removed",
    seed: Annotated[int, typer.Option(min=0, help="Of the rows that are fitted here.")] = 0,
    validation_only: Annotated[
        bool, typer.Option("--validation-only", help="Print what validation says; no record, no test.")
    ] = False,
    equal_weights: Annotated[
        bool,
        typer.Option(
            "--equal-weights", help="As published (equal weights, k = 60): needs no validation lists."
        ),
    ] = False,
    results: Results = Path("results"),
    data_dir: Annotated[Path | None, typer.Option(help="Folder that holds the data sets.")] = None,
) -> None:
    """Fuse rows by reciprocal ranks into a row of kind hybrid; weights come from the validation users.

    --equal-weights is for rows whose answers for the validation users are not at hand.
    """
    from bench.errors import ConfigError
    from bench.fusion import fused_record, members, rrf
    from bench.metrics.ranking import parse_metric
    from bench.submission.score import Entry

    if len(set(models)) < 2 or len(set(models)) < len(models):
        raise ConfigError(f"fusing takes two or more different rows, got: {', '.join(models)}")
    parse_metric(by)
    if equal_weights and (lists or texts or validation_only):
        raise ConfigError(
            "--equal-weights asks no validation users: leave --lists, --texts and --validation-only out"
        )
    entry = Entry(name=name or "-and-".join(models), kind="hybrid")
    answers = given_answers(lists, texts, models)
    whole = members.load(dataset, split, ties, data_dir)
    stored = [] if validation_only else members.newest_records(models, whole, results)
    chosen = (
        rrf.equal(len(models))
        if equal_weights
        else _chosen(models, whole, answers, metric=by, view=view, seed=seed)
    )
    if validation_only:
        return
    options: dict[str, str | None] = {"name": entry.name, "dataset": dataset, "split": split, "ties": ties}
    options |= {"equal-weights": None} if equal_weights else {"by": by, "view": view, "seed": str(seed)}
    path, fused = fused_record.write_fused(
        entry,
        models,
        stored,
        chosen,
        whole,
        metric=by,
        view=view,
        command=command_again("fuse", models, options, lists, texts),
        results_dir=results,
        seed=seed,
    )
    assert fused.metrics is not None
    for metric in ("recall@5", "ndcg@5", "recall@10", "ndcg@10"):
        typer.echo(f"{metric} {fused.metrics.seen_removed[metric].value:.4f} (test, seen items removed)")
    typer.echo(f"record: {path}")


def _chosen(
    models: list[str],
    whole: Split,
    answers: Mapping[str, Answers],
    *,
    metric: str,
    view: ChosenView,
    seed: int,
) -> Fusion:
    """Choose weights and constant on the validation users, and say what was found."""
    from bench.fusion import members, rrf
    from bench.record import DEPTH

    asked = [members.validation_lists(model, whole, answers, seed=seed) for model in models]
    items = len(whole.catalogue)
    chosen = rrf.choose(asked, whole.validation, items, metric=metric, view=view, depth=DEPTH)
    typer.echo(f"{len(whole.validation):,} validation users, {metric}, {view.replace('_', ' ')}:")
    for model, value, weight in zip(models, chosen.alone, chosen.weights, strict=True):
        typer.echo(f"  {model} {value:.4f} alone, weight {weight:g}")
    typer.echo(f"  fused {chosen.value:.4f} with k = {chosen.constant}, best of {chosen.trials} settings")
    return chosen


def complement(
    first: Annotated[str, typer.Argument(help="A row, by name.")],
    second: Annotated[str, typer.Argument(help="Another.")],
    dataset: Annotated[str, typer.Option(help="Data set.")] = "sample",
    split: Annotated[str, typer.Option(help="Split: loo | loo2 | time:<cut> | time-loo.")] = "loo",
    ties: Annotated[str, typer.Option(help="Same-day order: file | shuffled:<seed>.")] = "file",
    k: Annotated[int, typer.Option(min=1, max=50, help="Cut-off of a hit.")] = 10,
    view: Annotated[ChosenView, typer.Option(help="Seen items removed, or kept.")] = "seen_removed",
    validation: Annotated[
        bool, typer.Option("--validation", help="Ask about the validation users, not the test users.")
    ] = False,
    lists: Lists = None,
    texts: Texts = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the rows that are fitted here.")] = 0,
    results: Results = Path("results"),
    data_dir: Annotated[Path | None, typer.Option(help="Folder that holds the data sets.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what two rows find together: both, one alone, neither, and the most that a fusion could reach."""
    from dataclasses import asdict

    from bench.errors import ConfigError
    from bench.fusion import members
    from bench.fusion.complement import overlap
    from bench.metrics.ranking import ranks_in_view
    from bench.records.target_ranks import read_ranks

    if first == second:
        raise ConfigError("comparing takes two different rows")
    answers = given_answers(lists, texts, [first, second])
    whole = members.load(dataset, split, ties, data_dir)
    if validation:
        asked = [members.validation_lists(name, whole, answers, seed=seed) for name in (first, second)]
        ranks = [ranks_in_view(ranking, whole.validation, view) for ranking in asked]
    elif answers:
        raise ConfigError("--lists and --texts are answers for the validation users: add --validation")
    else:
        ranks = [read_ranks(one)[view] for one in members.newest_records([first, second], whole, results)]
    found = overlap(ranks[0], ranks[1], k)
    if as_json:
        typer.echo(json.dumps({"first": first, "second": second, **asdict(found)}))
        return
    who = "validation" if validation else "test"
    typer.echo(f"{found.users:,} {who} users of {dataset}, ties {ties}, target in the first {k} places:")
    for label, count in (
        (f"both {first} and {second}", found.both),
        (f"{first} alone", found.first_only),
        (f"{second} alone", found.second_only),
        ("neither", found.neither),
    ):
        typer.echo(f"  {label}: {count:,} ({count / found.users:.2%})")
    typer.echo(
        f"a perfect choice between the two lists reaches recall@{k} {found.either / found.users:.4f}; no "
        f"fusion of them exceeds {found.reachable / found.users:.4f}, the share listed anywhere in either"
    )


def given_answers(lists: list[str] | None, texts: list[str] | None, rows: list[str]) -> dict[str, Answers]:
    """Read --lists and --texts; ConfigError for a row that the command does not use."""
    from bench.errors import unknown_name
    from bench.fusion.members import parse_answers

    answers = parse_answers(lists or [], texts=False) | parse_answers(texts or [], texts=True)
    for name in answers:
        if name not in rows:
            raise unknown_name("row with answers in --lists or --texts", name, rows)
    return answers


def command_again(
    command: str,
    rows: list[str],
    options: Mapping[str, str | None],
    lists: list[str] | None,
    texts: list[str] | None,
) -> str:
    """Give the command line that makes the same record, with every option; one without a value is a flag."""
    words = ["genrec-bench", command, *rows]
    for option, value in options.items():
        words += [f"--{option}", *([] if value is None else [value])]
    for option, given in (("--lists", lists), ("--texts", texts)):
        words += [word for one in given or [] for word in (option, one)]
    return shlex.join(words)
