"""`genrec-bench gpu-report`: what only a GPU can show, in parts that resume."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from bench.errors import ConfigError, Unavailable, unknown_name

if TYPE_CHECKING:
    from genrec.gpu_report.setting import Scale, Setting
    from genrec.gpu_report.steps import Part, Row

PART_NAMES = ("ceilings", "cost", "generation-speed", "finetune-speed")
UNFINISHED = 75
"""Exit code when a part's minutes were over: the same command goes on (sysexits' EX_TEMPFAIL)."""


def register(app: typer.Typer) -> None:
    """Add the command `gpu-report`."""
    app.command("gpu-report")(gpu_report)


def gpu_report(
    parts: Annotated[str, typer.Option(help="Parts to measure, with commas.")] = ",".join(PART_NAMES),
    dataset: Annotated[str, typer.Option(help="Data set.")] = "beauty2014",
    results: Annotated[
        Path, typer.Option("--results", envvar="GENREC_BENCH_RESULTS", help="Folder of the records.")
    ] = Path("results"),
    work_dir: Annotated[
        Path | None, typer.Option(help="Where models and finished measurements are kept.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder that holds the data sets.")] = None,
    sizes: Annotated[str, typer.Option(help="LLaMA sizes; the speed parts use the first.")] = "1b,3b,8b",
    minutes: Annotated[
        float, typer.Option(min=0, help="Stop a part after this time; run again to go on.")
    ] = 10.0,
    afresh: Annotated[bool, typer.Option("--afresh", help="Measure again what was measured.")] = False,
    shape: Annotated[str, typer.Option(help="'true' sizes, or 'tiny' ones to try every part.")] = "true",
    device: Annotated[str, typer.Option(help="'cuda', or 'cpu' for tiny shapes.")] = "cuda",
) -> None:
    """Measure on a GPU: cost at true size with random weights, speed against the published loops."""
    chosen = _listed("part", parts, PART_NAMES)
    _check_device(device, shape, chosen)
    from bench.datasets.splits import load_split
    from genrec.artefact import work_dir as resolve_work_dir
    from genrec.gpu_report.setting import SCALES, Setting

    if shape not in SCALES:
        raise unknown_name("shape", shape, SCALES)
    scale: Scale = SCALES[shape]
    chosen_sizes = _listed("size", sizes, scale.shapes)
    setting = Setting(
        dataset=dataset,
        split=load_split(dataset, data_dir=data_dir),
        results_dir=results,
        work=resolve_work_dir(work_dir),
        scale=scale,
        sizes=chosen_sizes,
    )
    from genrec.gpu_report.parts import PARTS

    ends = {name: measure(setting, PARTS[name], minutes=minutes, afresh=afresh) for name in chosen}
    unfinished = [name for name, end in ends.items() if end == "unfinished"]
    failed = [name for name, end in ends.items() if end == "failed"]
    if failed:
        typer.echo(f"with steps that failed: {', '.join(failed)}; the same command tries those again")
    if unfinished:
        typer.echo(f"not finished: {', '.join(unfinished)}; the same command (without --afresh) goes on")
        raise typer.Exit(UNFINISHED)
    if failed:
        raise typer.Exit(1)


def measure(
    setting: Setting, part: Part, *, minutes: float, afresh: bool
) -> Literal["whole", "failed", "unfinished"]:
    """Run one part, print its table and give how it ended."""
    from bench.run.terminal import LiveLine
    from genrec.gpu_report.steps import FAILED, TimeIsUp, forget, kept_rows, run_part

    if afresh:
        forget(setting, part.name)
    try:
        with LiveLine(part.name, None) as line:
            rows: Sequence[Row] = run_part(part, setting, minutes=minutes, show=line.show)
        end: Literal["whole", "failed", "unfinished"] = (
            "failed" if any(FAILED in row for row in rows) else "whole"
        )
    except TimeIsUp as stop:
        end = "unfinished"
        rows = [row for row in kept_rows(setting, part.name).values() if row]
        typer.echo(f"{part.name}: {stop}; {len(rows)} steps are kept")
    _print_table(part, rows)
    return end


def _check_device(device: str, shape: str, parts: Sequence[str]) -> None:
    """Refuse, in one line, what cannot run here."""
    if device not in ("cuda", "cpu"):
        raise unknown_name("device", device, ("cuda", "cpu"))
    if importlib.util.find_spec("torch") is None:
        raise Unavailable("gpu-report needs torch; get it with: pip install 'genrec-bench[llm]'")
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise Unavailable(
            f"gpu-report needs a CUDA GPU and there is none here; on one it would run {', '.join(parts)}; "
            "to try it at tiny size: genrec-bench gpu-report --device cpu --shape tiny --dataset sample"
        )
    if device == "cpu" and shape != "tiny":
        raise ConfigError("true sizes would take days on a CPU; add --shape tiny")
    if device == "cpu" and torch.cuda.is_available():
        raise ConfigError("models go to the GPU where there is one; hide it: CUDA_VISIBLE_DEVICES= ...")


def _listed(what: str, given: str, allowed: Any) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in given.split(",") if name.strip()))
    if not names:
        raise ConfigError(f"give at least one {what}: {', '.join(allowed)}")
    for name in names:
        if name not in allowed:
            raise unknown_name(what, name, allowed)
    return names


def _print_table(part: Part, rows: Sequence[Row]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    columns = list(dict.fromkeys(name for row in rows for name, value in row.items() if value is not None))
    table = Table(box=box.SIMPLE_HEAD)
    for column in columns:
        heading = column.replace("_per_second", "/s").replace("_", "\n").replace(" ", "\n")
        table.add_column(heading, no_wrap=column not in ("note", "failed"))
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    typer.echo(f"{part.name}: {part.title}")
    Console(markup=False, width=max(230, Console().width)).print(table)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    large = isinstance(value, int) and abs(value) >= 1_000_000
    return f"{value:.4g}" if isinstance(value, float) or large else str(value)
