"""`genrec-bench recommend`: one history, what the model writes about it, and what that finds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from bench.datasets.rules.split_rules import parse_split
from bench.errors import ConfigError
from bench.schema import NO_ITEM

if TYPE_CHECKING:
    from bench.schema import Catalogue
    from genrec.artefact import Artefact
    from genrec.config import Preset
    from genrec.demonstrate import Demonstration


def register(app: typer.Typer) -> None:
    """Add the command `recommend`."""
    app.command()(recommend)


def recommend(
    model: Annotated[str, typer.Argument(help="Name of a preset whose model is there, e.g. llama-tiny.")],
    titles: Annotated[
        list[str] | None, typer.Argument(help="Titles bought, oldest first.", metavar="[TITLES]...")
    ] = None,
    history: Annotated[
        list[str] | None, typer.Option("--history", help="Titles bought, oldest first.", metavar="TITLES...")
    ] = None,
    k: Annotated[int, typer.Option("-k", help="Items to recommend.", min=1)] = 5,
    dataset: Annotated[
        str | None, typer.Option(help="Data set of the model; by default that of the newest.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Split that the model was trained on; by default that of the newest.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override a setting, e.g. generate.strategy=constrained."),
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder that holds the data sets.")] = None,
    work_dir: Annotated[Path | None, typer.Option(help="Folder that holds the models.")] = None,
) -> None:
    """Show the texts that a model writes for a history, their likelihoods, and the items they find.

    For example: genrec-bench recommend llama-tiny --history "title 1" "title 2" -k 5
    """
    from rich.console import Console

    from bench.datasets.splits import load_split
    from bench.progress import listening
    from bench.run.terminal import LiveLine
    from genrec.artefact import work_dir as resolve_work_dir
    from genrec.availability import check_available
    from genrec.demonstrate import demonstrate

    folder, found = _newest(resolve_work_dir(work_dir), model, dataset, split)
    name = found.name
    preset = _settings_in_force(found, settings or [])
    check_available(preset, name, finetuned=True)
    catalogue = load_split(found.dataset, data_dir=data_dir).catalogue
    with LiveLine(name, None) as line, listening(line.show):
        shown = demonstrate(
            folder,
            catalogue,
            [*(history or []), *(titles or [])],
            k=k,
            generate=preset.generate,
            retrieval=preset.retrieve,
        )
    console = Console(highlight=False)
    console.print(f"{name}, fine-tuned on {found.dataset}: {folder}", soft_wrap=True)
    console.print(_history(shown, catalogue))
    console.print(_findings(shown, catalogue, preset.generate.strategy))
    console.print(_list(shown, catalogue, preset.retrieve.list_rule))


def _newest(work: Path, model: str, dataset: str | None, split: str | None) -> tuple[Path, Artefact]:
    """Give the newest finished model of this name; says how to make one where there is none."""
    from genrec.artefact import find_artefacts
    from genrec.preset_files import load_preset

    load_preset(model)  # an unknown name is an error of its own
    name = Path(model).stem
    rule = None if split is None else parse_split(split).name
    found = find_artefacts(work, name, dataset=dataset, split=rule)
    if found:
        return found[0]
    asked = " ".join(
        [f"'{name}'", *([f"for {dataset}"] if dataset else []), *([f"split {rule}"] if rule else [])]
    )
    raise ConfigError(
        f"there is no finished model {asked} in {work}; make one with: "
        f"pytest bench --benchmark --dataset {dataset or 'sample'} --models {name}"
        f"{f' --split {split}' if split else ''}"
    )


def _settings_in_force(found: Artefact, settings: Sequence[str]) -> Preset:
    """Give the model's own settings with what was chosen on validation, then what is given by hand."""
    from genrec.preset_files import override

    for setting in settings:
        if not setting.startswith(("generate.", "retrieve.")):
            raise ConfigError(
                f"'{setting}' does not change a finished model; give settings of generate and retrieve, "
                "e.g. generate.strategy=constrained"
            )
    own = found.settings
    if not any(setting.startswith("generate.") for setting in settings):
        chosen = {"generate": found.selected, "retrieve": found.selected_retrieve}
        own = own.model_copy(update={part: value for part, value in chosen.items() if value})
    return override(own, settings, found.name)


def _history(shown: Demonstration, catalogue: Catalogue) -> Table:
    table = _table("item", "line in the prompt", title=f"History: {shown.prompt_tokens} tokens of prompt")
    for row, line in zip(shown.known, shown.history, strict=True):
        table.add_row(catalogue.item_ids[row] if row != NO_ITEM else "not in catalogue", Text(line))
    return table


def _findings(shown: Demonstration, catalogue: Catalogue, strategy: str) -> Table:
    table = _table(
        "log-\nlikelihood", "tokens", "text", "item", "BM25", "title", title=f"Generated texts: {strategy}"
    )
    for finding in shown.findings:
        missed = finding.item == NO_ITEM
        title = "-" if missed else catalogue.titles[finding.item]
        table.add_row(
            f"{finding.log_likelihood:.3f}",
            f"{finding.tokens}{' (cut)' if finding.truncated else ''}",
            Text(finding.text),
            "-" if missed else catalogue.item_ids[finding.item],
            "-" if finding.bm25_score is None else f"{finding.bm25_score:.3f}",
            Text("its own text" if finding.is_exact else title),
        )
    return table


def _list(shown: Demonstration, catalogue: Catalogue, rule: str) -> Table:
    table = _table("", "item", "title", "", title=f"Recommended: list rule {rule}")
    for place, item in enumerate(shown.items, start=1):
        seen = "bought before" if item in shown.known else ""
        table.add_row(str(place), catalogue.item_ids[item], Text(catalogue.titles[item]), seen)
    return table


def _table(*headings: str, title: str) -> Table:
    from rich import box

    table = Table(
        *headings, title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False
    )
    for column in table.columns:
        column.overflow = "fold"
    return table
