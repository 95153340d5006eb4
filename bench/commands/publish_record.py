"""What `genrec-bench submit --pr` and `--hub` do with the record that was just written."""

from __future__ import annotations

from pathlib import Path

import typer


def publish_record(path: Path, results: Path, *, pr: bool, hub: str | None) -> None:
    """Open a pull request for a record and put its result in a model card, as asked; say what was done."""
    from bench.comparison.review import review_comment
    from bench.records.store import load_record, load_records
    from bench.submission.hub_card import push_card
    from bench.submission.pull_request import publish

    stored = load_record(path.resolve())
    if pr:
        found = publish(stored, review_comment([stored], load_records(results).valid()))
        typer.echo(f"branch {found.branch}: one commit with the new files" + (", pushed" * found.pushed))
        if found.url is not None:
            typer.echo(f"pull request: {found.url}")
        for step in found.steps:
            typer.echo(f"to do: {step}")
    if hub is not None:
        typer.echo(f"model card of {hub}: {push_card(stored, hub)}")
    if not pr:
        typer.echo(
            "to put it on the board: commit the new files below results/ and open a pull request (--pr)"
        )
