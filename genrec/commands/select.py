"""`genrec-bench select`: try strategies on the validation users and keep the best with the model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from rich.table import Table

METRICS = ("recall@5", "ndcg@5", "mrr@5")
Metric = Literal["recall@5", "ndcg@5", "mrr@5"]
ChosenView = Literal["seen_removed", "seen_kept"]


def register(app: typer.Typer) -> None:
    """Add the command `select`."""
    app.command()(select)


def select(
    model: Annotated[str, typer.Argument(help="Name of a preset, or a YAML file.")],
    dataset: Annotated[str, typer.Option(help="Data set.")] = "sample",
    strategies: Annotated[
        str,
        typer.Option(
            help="Strategies to try, by comma; a number is the temperature, or the number of beams."
        ),
    ] = "beam,sample:0.5,sample:0.2,sample:0.1,calrec,constrained",
    by: Annotated[Metric, typer.Option(help="What decides.")] = "ndcg@5",
    view: Annotated[
        ChosenView, typer.Option(help="Seen items removed from the lists, or kept.")
    ] = "seen_removed",
    ties: Annotated[str, typer.Option(help="Same-day order: file | shuffled:<seed>.")] = "file",
    split: Annotated[str, typer.Option(help="loo, loo2, time:<date or quantile> or time-loo.")] = "loo",
    seed: Annotated[int, typer.Option(help="Seed of the model.")] = 0,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Override a setting, e.g. generate.num_beams=10.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder that holds the data sets.")] = None,
    work_dir: Annotated[Path | None, typer.Option(help="Folder that holds the models.")] = None,
) -> None:
    """Compare generation strategies on the validation users; later runs of the model use the best.

    The model is fine-tuned first if it is not there yet. Test users are not asked.
    """
    from rich.console import Console

    from bench.datasets.splits import load_split
    from bench.progress import listening
    from bench.run.terminal import LiveLine
    from genrec.artefact import work_dir as resolve_work_dir
    from genrec.preset_files import load_preset
    from genrec.selection import parse_candidates, select_strategy

    preset = load_preset(model, settings or [])
    candidates = parse_candidates(strategies, preset)
    data = load_split(dataset, ties=ties, split=split, data_dir=data_dir).training_data
    name = Path(model).stem
    with LiveLine(name, None) as line, listening(line.show):
        selection = select_strategy(
            data,
            preset,
            name,
            candidates,
            seed=seed,
            work=resolve_work_dir(work_dir),
            metric=by,
            view=view,
        )
    console = Console()
    console.print(
        f"{name} on {dataset}: {len(data.validation):,} validation users, test users not asked",
        highlight=False,
    )
    console.print(_table(selection.rows, selection.chosen, view))
    console.print(
        f"chosen by {by}, {view.replace('_', ' ')}: {selection.chosen}; runs of {name} on this data use it\n"
        f"table: {selection.path}",
        highlight=False,
        soft_wrap=True,
    )


def _table(rows: Sequence[dict[str, Any]], chosen: str, view: ChosenView) -> Table:
    """Quality in the view that decides; the other one is in the table that is kept."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("strategy", no_wrap=True)
    for heading in ("R@5", "nDCG@5", "MRR@5", "exact\ntexts", "wall, s", "users/s", "VRAM,\nGB"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        exact = row["generation_health"]["exact_texts"]
        table.add_row(
            row["strategy"],
            *(f"{row[view][metric]:.4f}" for metric in METRICS),
            "-" if exact is None else f"{exact:.0%}",
            f"{row['wall_seconds']:.1f}",
            f"{row['users_per_second']:.1f}",
            _gigabytes(row["peak_vram_bytes"]),
            style="bold" if row["strategy"] == chosen else "",
        )
    return table


def _gigabytes(peak: dict[str, int | None] | None) -> str:
    """Memory of the process as the driver counts it, else what torch reserved; '-' without a GPU."""
    if peak is None:
        return "-"
    held = peak.get("process") or peak.get("reserved")
    return f"{held / 1e9:.2f}" if held else "-"
