"""`genrec-bench probe`: what a language model knows of a catalogue before it is told anything."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command `probe`."""
    app.command()(probe)


def probe(
    model: Annotated[str, typer.Argument(help="Name of a preset, or a YAML file.")],
    dataset: Annotated[str, typer.Option(help="Data set.")] = "sample",
    split: Annotated[str, typer.Option(help="Split: loo | loo2 | time:<cut> | time-loo.")] = "loo",
    ties: Annotated[str, typer.Option(help="Same-day order: file | shuffled:<seed>.")] = "file",
    count: Annotated[int, typer.Option(min=2, help="Titles, and validation users, at most.")] = 200,
    finetuned: Annotated[
        bool, typer.Option("--finetuned", help="Probe the fine-tuned model, and not its base.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the draws and of the model.")] = 0,
    settings: Annotated[list[str] | None, typer.Option("--set", help="Override a setting.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder that holds the data sets.")] = None,
    work_dir: Annotated[Path | None, typer.Option(help="Folder that holds the models.")] = None,
) -> None:
    """Ask for the rest of real titles and of made-up ones, and for the next item without a history.

    A base model that completes real titles more often than made-up ones has read them, and a good figure
    of its fine-tuned model may be memory. Test targets are not asked about.
    """
    from bench.datasets.splits import load_split
    from bench.progress import listening
    from bench.run.terminal import LiveLine
    from genrec import probe as probing
    from genrec.artefact import find_trained
    from genrec.artefact import work_dir as resolve_work_dir
    from genrec.availability import check_available
    from genrec.engines.opening import require_own_engine
    from genrec.preset_files import load_preset

    preset, name, work = load_preset(model, settings or []), Path(model).stem, resolve_work_dir(work_dir)
    require_own_engine(preset, "probing")
    data = load_split(dataset, ties=ties, split=split, data_dir=data_dir).training_data
    wanted = data.generative_fingerprint
    trained = find_trained(work, preset.weights_of or name, preset, seed=seed, fingerprint=wanted)
    check_available(preset, name, finetuned=trained is not None)
    with LiveLine(name, None) as line, listening(line.show):
        loaded, tokenizer, what = probing.load_probed(
            preset, name, data, seed=seed, work=work, finetuned=finetuned
        )
        found = probing.probe(loaded, tokenizer, preset, data, count=count, seed=seed)
    typer.echo(f"{what}, {dataset}")
    typer.echo(
        f"rest of the title written word for word: {found.completed:.3f} of {found.titles} real titles, "
        f"{found.completed_made_up:.3f} of as many made-up ones"
    )
    for beginning, rest in found.examples:
        typer.echo(f"  {beginning} | {rest}")
    chance = found.next_without_history
    typer.echo(
        f"next item likelier than another title, nothing told: {chance.value:.3f} "
        f"[{chance.low:.3f}, {chance.high:.3f}] of {found.users} validation users; 0.5 by chance"
    )
    typer.echo(f"badge: {found.badge}")
