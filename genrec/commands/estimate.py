"""`genrec-bench estimate`: memory, operations and hours of a model, before it is started."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

    from genrec.config import Preset
    from genrec.forecast.estimate import Forecast, Workload
    from genrec.forecast.gpus import Gpu
    from genrec.forecast.memory import Memory
    from genrec.weights.shapes import Shape

GIB = 2**30


def register(app: typer.Typer) -> None:
    """Add the command `estimate`."""
    app.command()(estimate)


def estimate(
    model: Annotated[str, typer.Argument(help="Name of a preset, or a YAML file.")],
    dataset: Annotated[str, typer.Option(help="Data set whose texts are counted.")] = "beauty2014",
    split: Annotated[str, typer.Option(help="loo, loo2, time:<date or quantile> or time-loo.")] = "loo",
    gpu: Annotated[str, typer.Option(help="A card (rtx-a5000, h200, ...) or a memory size (24GB).")] = "24GB",
    mfu: Annotated[float, typer.Option(help="Share of the card's peak FLOP/s that is reached.")] = 0.3,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Override a setting, e.g. finetune.batch_size=8.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder that holds the data sets.")] = None,
) -> None:
    """Forecast a model's memory, operations and hours, and say which stage will not fit."""
    from rich.console import Console

    from bench.datasets.splits import load_split
    from genrec.forecast.estimate import forecast
    from genrec.forecast.gpus import find_gpu
    from genrec.forecast.workload import measure_workload
    from genrec.preset_files import load_preset

    if not 0 < mfu <= 1:
        raise ConfigError(f"--mfu is a share above 0 and up to 1, got {mfu}")
    preset, card = load_preset(model, settings or []), find_gpu(gpu)
    shape = find_shape(model, preset)
    whole = load_split(dataset, split=split, data_dir=data_dir)
    workload = measure_workload(whole, preset)
    result = forecast(preset, shape, workload, card, mfu=mfu)
    console = Console()
    console.print(f"{model} on {dataset}, split {whole.name}, {_card(card)}", highlight=False)
    console.print(_memory_table(result, card))
    for line in [*_facts(preset, workload, result, mfu), *_verdicts(result, card)]:
        console.print(line, highlight=False)


def find_shape(model: str, preset: Preset) -> Shape:
    """Shape of the model: from scratch, of a checkpoint on this machine, or of a published base."""
    from bench.errors import Unavailable
    from genrec.preset_files import load_preset, preset_names
    from genrec.weights.shapes import LLAMA_SHAPES, shape_of

    if preset.architecture is not None:
        return shape_of(preset.architecture)
    known = {
        load_preset(name).base_model: LLAMA_SHAPES[name] for name in preset_names() if name in LLAMA_SHAPES
    }
    if preset.base_model in known:
        return known[preset.base_model]
    try:
        from genrec.weights.base_model import find_base_model, shape_of_checkpoint

        return shape_of_checkpoint(find_base_model(str(preset.base_model), preset.revision).folder)
    except Unavailable as error:
        raise Unavailable(f"the shape of '{preset.base_model}' is not known here: {error}") from None


def _card(card: Gpu) -> str:
    speed = f"{card.flops_per_second / 1e12:.0f} TFLOP/s, {card.bytes_per_second / 1e9:.0f} GB/s"
    borrowed = f" (speed of an {card.speed_of} assumed)" if card.speed_of else ""
    return f"{card.name}: {card.memory_bytes / GIB:.0f} GiB, {speed}{borrowed}"


def _memory_table(result: Forecast, card: Gpu) -> Table:
    from rich.table import Table

    table = Table("GPU memory, GiB", "fine-tuning", "generation")
    for column in table.columns[1:]:
        column.justify = "right"
    stages = (result.finetune_memory, result.generate_memory)
    for part in dict.fromkeys(name for memory in stages for name in memory.parts):
        table.add_row(
            part, *(f"{memory.parts[part] / GIB:.2f}" if part in memory.parts else "" for memory in stages)
        )
    table.add_section()
    table.add_row("peak", *(f"{memory.total / GIB:.2f}" for memory in stages))
    table.add_row(
        f"fits {card.memory_bytes / GIB:.0f} GiB", *("yes" if result.fits(m, card) else "NO" for m in stages)
    )
    return table


def _facts(preset: Preset, workload: Workload, result: Forecast, mfu: float) -> list[str]:
    from genrec.forecast.estimate import BANDWIDTH_SHARE, LAUNCH_SECONDS_PER_LAYER

    padding = 1 - result.epoch_tokens / result.epoch_padded_tokens
    share = result.trainable_parameters / result.parameters
    return [
        f"parameters: {result.parameters:,}, trainable {result.trainable_parameters:,} ({share:.2%})",
        f"texts: {len(workload.train):,}, {workload.train.mean():.0f} tokens in the mean, longest "
        f"{workload.train.max():,}; counted by {workload.counted_by}",
        f"fine-tuning: {result.finetune_flops:.2e} FLOP, {result.finetune_hours:.2g} h for "
        f"{result.epochs:g} epochs (early stopping may end sooner; {padding:.0%} padding with "
        f"'{preset.finetune.batching}')",
        f"generation: {result.generate_flops:.2e} FLOP, {result.generate_hours:.2g} h for "
        f"{len(workload.prompts):,} users, {result.users_a_batch:,} a batch",
        f"assumed: MFU {mfu:g}; decoding steps at {BANDWIDTH_SHARE:g} of the memory bandwidth, and at least "
        f"{LAUNCH_SECONDS_PER_LAYER * 1e3:g} ms a layer",
    ]


def _verdicts(result: Forecast, card: Gpu) -> list[str]:
    lines = []
    for stage, memory, remedy in (
        (
            "fine-tuning",
            result.finetune_memory,
            "--set finetune.batch_size=1 or a shorter finetune.max_seq_length",
        ),
        ("generation", result.generate_memory, "fewer beams or a shorter generate.max_seq_length"),
    ):
        if not result.fits(memory, card):
            over: Memory = memory
            lines.append(f"{stage} will NOT fit: {over.total / GIB:.1f} GiB needed; try {remedy}")
    return lines
