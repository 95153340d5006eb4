"""`genrec-bench submit`: score a file of ranked lists or generated texts and keep it as a record."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bench.errors import ConfigError

if TYPE_CHECKING:
    from bench.record import Audit, Record
    from bench.schema import Rankings, Split
    from bench.submission import ModelCard
    from bench.submission.protocol import Protocol


def register(app: typer.Typer) -> None:
    """Add the command `submit`."""
    app.command()(submit)


def submit(
    file: Annotated[Path, typer.Argument(help="Parquet, CSV, TSV, JSON, JSON lines, a TREC or ranx run.")],
    name: Annotated[str, typer.Option(help="Name of the model: letters, digits, '.', '_', '-'.")],
    kind: Annotated[str, typer.Option(help="baseline, untrained, sequential, generative or hybrid.")],
    dataset: Annotated[
        str | None, typer.Option(help="Data set of the lists; else as the file states, else beauty2014.")
    ] = None,
    ties: Annotated[
        str | None,
        typer.Option(help="Order of same-day purchases: file or shuffled:<seed>; else as stated, else file."),
    ] = None,
    split_name: Annotated[
        str | None,
        typer.Option("--split", help="loo, loo2, time:<date or quantile> or time-loo; else as stated."),
    ] = None,
    card: Annotated[Path | None, typer.Option(help="Model card, a YAML file.")] = None,
    format_name: Annotated[
        str | None,
        typer.Option("--format", help="parquet, csv, jsonl, json or ranx-lz4, if not told by content."),
    ] = None,
    user: Annotated[str | None, typer.Option(help="Column of the users, if not clear.")] = None,
    item: Annotated[str | None, typer.Option(help="Column of the items or lists, if not clear.")] = None,
    order: Annotated[
        str | None, typer.Option(help="What orders the items: a column, score, rank, or file.")
    ] = None,
    ascending: Annotated[
        bool, typer.Option("--ascending", help="The smallest value of the order column is the best.")
    ] = False,
    texts: Annotated[bool, typer.Option("--texts", help="The file holds generated texts.")] = False,
    list_rule: Annotated[
        str, typer.Option(help="With --texts: published, by_likelihood or calrec.")
    ] = "by_likelihood",
    no_texts: Annotated[
        bool,
        typer.Option("--no-texts", help="With --texts: keep lists and ranks, and not the texts themselves."),
    ] = False,
    on: Annotated[
        Literal["test", "validation"],
        typer.Option(help="Users that the file is for; validation users are scored, and not recorded."),
    ] = "test",
    outcomes: Annotated[
        bool, typer.Option("--outcomes", help="The file holds published ranks: user_id, rank (0: a miss).")
    ] = False,
    k: Annotated[int | None, typer.Option(help="With --outcomes: length of the lists.")] = None,
    seen_items: Annotated[
        str | None, typer.Option(help="With --outcomes: kept or removed in the lists; else as the card says.")
    ] = None,
    allow_partial: Annotated[
        bool, typer.Option(help="Take lists for less than 99 % of users, marked.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and score, write nothing.")] = False,
    pr: Annotated[
        bool, typer.Option("--pr", help="Commit the new files on a branch, push, open a pull request (gh).")
    ] = False,
    hub: Annotated[
        str | None, typer.Option(help="Hugging Face model whose card gets the result: owner/name.")
    ] = None,
    declared_fit_seconds: Annotated[float | None, typer.Option(help="Cost you declare.")] = None,
    declared_recommend_seconds: Annotated[float | None, typer.Option(help="Cost you declare.")] = None,
    declared_peak_vram_gb: Annotated[float | None, typer.Option(help="Cost you declare.")] = None,
    results: Annotated[
        Path, typer.Option(envvar="GENREC_BENCH_RESULTS", help="Folder of the records.")
    ] = Path("results"),
    data_dir: Annotated[Path | None, typer.Option(help="Folder that holds the data sets.")] = None,
) -> None:
    """Check a file made elsewhere, score it, and write a record that the board shows."""
    from bench.commands.publish_record import publish_record
    from bench.commands.submit_outcomes import score_outcomes
    from bench.datasets.rules.validation_users import on_validation
    from bench.datasets.splits import load_split
    from bench.records import store
    from bench.submission import (
        Choices,
        Entry,
        ModelCard,
        build_record,
        known_lists,
        read_card,
        read_submission,
    )
    from bench.submission.controls import option_words
    from bench.submission.protocol import check_stated, settle_protocol

    declared = {
        "fit_seconds": declared_fit_seconds,
        "recommend_seconds": declared_recommend_seconds,
        "peak_vram_gb": declared_peak_vram_gb,
    }
    model_card = _with_cost(ModelCard() if card is None else read_card(card), declared)
    entry = Entry(name=name, kind=kind, card=model_card)
    if outcomes and (texts or format_name):
        raise ConfigError("--outcomes is a file of ranks; leave out --texts and --format")
    if not outcomes and (k is not None or seen_items is not None):
        raise ConfigError("--k and --seen-items belong to --outcomes, a file of published ranks")
    if (pr or hub is not None) and (dry_run or on == "validation"):
        raise ConfigError("--pr and --hub publish a record, and --dry-run and --on validation write none")
    if no_texts and not texts:
        raise ConfigError("--no-texts belongs to --texts, a file of generated texts")
    protocol = settle_protocol(file, model_card, dataset=dataset, ties=ties, split=split_name)
    split = load_split(protocol.dataset, ties=protocol.ties, split=protocol.split, data_dir=data_dir)
    check_stated(protocol, split.fingerprint)
    typer.echo(protocol.line)
    if on == "validation":
        split, dry_run = on_validation(split), True
    if outcomes:
        record, report, path = score_outcomes(
            file,
            entry,
            split,
            results,
            k=k,
            seen_items=seen_items,
            allow_partial=allow_partial,
            card=card,
            dry_run=dry_run,
        )
        _say(record, report, path)
        if path is not None:
            publish_record(path, results, pr=pr, hub=hub)
        return
    choices = Choices(user=user, item=item, order=order, ascending=ascending)
    submission = read_submission(
        file,
        split,
        format_name=format_name,
        allow_partial=allow_partial,
        texts=texts,
        list_rule=list_rule,
        choices=choices,
    )
    words = ["genrec-bench", "submit", file.name, "--dataset", split.dataset, "--name", name, "--kind", kind]
    words += ["--split", protocol.split, "--ties", split.ties] + (["--card", card.name] if card else [])
    words += (["--format", format_name] if format_name else []) + (
        ["--allow-partial"] if allow_partial else []
    )
    words += option_words(choices)
    words += ["--texts", "--list-rule", list_rule] if texts else []
    words += ["--no-texts"] if no_texts else []
    for field, value in declared.items():
        words += [f"--declared-{field.replace('_', '-')}", f"{value:g}"] if value is not None else []
    comparable = submission.report.ok and on == "test"
    known = known_lists(split, results, leave_out=name) if comparable else {}
    audits = _upload_audits(split, submission.rankings, protocol, results, data_dir) if comparable else []
    record = build_record(
        submission, entry, split, command=shlex.join(words), known=known, audits=audits, quote=not no_texts
    )
    path = None
    if not dry_run:
        kept = None if no_texts else submission.generations
        path = store.write(record, split, submission.rankings, kept, results)
    _say(record, str(submission.report), path)
    if path is not None:
        publish_record(path, results, pr=pr, hub=hub)
    if on == "validation":
        typer.echo("validation users choose settings; a result is what the test users give")


def _upload_audits(
    split: Split, rankings: Rankings | None, protocol: Protocol, results: Path, data_dir: Path | None
) -> list[Audit]:
    """Check what only lists handed in need; where nobody states the protocol, against other tie rules too."""
    from bench.records.store import load_records
    from bench.records.upload_audits import audit_upload
    from bench.submission.protocol import other_rules

    if rankings is None:
        return []
    others: dict[str, Split] = {}
    if protocol.stated_by is None:
        recorded = [stored.record.dataset for stored in load_records(results).valid()]
        others = other_rules(split, data_dir, [data.ties for data in recorded if data.name == split.dataset])
    return audit_upload(split, rankings, protocol.stated_by, others)


def _say(record: Record, report: str, path: Path | None) -> None:
    from bench.records.notes import holding_flags

    typer.echo(report)
    typer.echo(_summary(record))
    if path is None:
        typer.echo("dry run: nothing was written")
        return
    typer.echo(f"record: {path}")
    if flags := holding_flags(record, None):
        names = ", ".join(flag.name for flag in flags)
        typer.echo(f"flagged ({names}): it has no rank until somebody has looked at it and clears it:")
        typer.echo(f"  genrec-bench results clear {path.stem} --reason '...'")


def _with_cost(card: ModelCard, declared: dict[str, float | None]) -> ModelCard:
    from pydantic import ValidationError

    from bench.submission.card import DeclaredCost

    given = {name: value for name, value in declared.items() if value is not None}
    try:
        cost = DeclaredCost.model_validate(card.cost.model_dump() | given)
    except ValidationError as error:
        fault = error.errors()[0]
        raise ConfigError(f"--declared-{fault['loc'][0]}: {fault['msg']}".replace("_", "-")) from None
    return card.model_copy(update={"cost": cost})


def _summary(record: Record) -> str:
    from bench.labels import HEADLINE, VIEW_LABELS, metric_label

    assert record.metrics is not None
    lines = []
    for view, title in VIEW_LABELS.items():
        if record.shown_view(view) != view:
            continue
        metrics = getattr(record.metrics, view)
        cells = [
            f"{metric_label(name)} {cell.value:.4f} [{cell.low:.4f}, {cell.high:.4f}]"
            for name in (*HEADLINE, "recall@10", "ndcg@10")
            if (cell := metrics[name]).value is not None
        ]
        lines.append(f"{title}: " + "  ".join(cells))
    health = record.details.get("generation_health")
    if health:
        known = (f"{name} {value:g}" for name, value in health.items() if value is not None)
        lines.append("generation health: " + ", ".join(known))
    lines += [f"{audit.verdict:>5}  {audit.name}: {audit.message}" for audit in record.audits]
    return "\n".join(lines)
