"""Strategies are compared on validation users, and the winner is what later runs use."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console
from tiny_models import scratch_preset, shop
from typer.testing import CliRunner

from bench.cli import build_app
from bench.errors import ConfigError
from bench.metrics.ranking import mean_quality, target_ranks, view_of
from genrec import artefact
from genrec.commands.select import _table
from genrec.config import Preset
from genrec.recommender import GenerativeRecommender
from genrec.selection import RECORD, Selection, parse_candidates, read_rows, select_strategy

DATA = shop(24)
PRESET = scratch_preset(epochs=6)
NAMES = "beam,sample:0.5,calrec,constrained"


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def selection(work: Path) -> Selection:
    preset = PRESET.model_copy(update={"generate": PRESET.generate.model_copy(update={"calrec_samples": 6})})
    return select_strategy(DATA, preset, "tiny", parse_candidates(NAMES, preset), seed=0, work=work)


def test_the_table_has_a_row_a_strategy_with_quality_and_cost(selection: Selection) -> None:
    table = json.loads(selection.path.read_text())
    assert table["rows"] == selection.rows and table["chosen"] == selection.chosen
    assert table["fingerprint"] == DATA.fingerprint and table["validation_users"] == len(DATA.validation)
    assert [row["strategy"] for row in selection.rows] == NAMES.split(",")
    for row in selection.rows:
        assert 0 <= row["seen_kept"]["recall@5"] <= 1 and row["wall_seconds"] > 0
        assert row["peak_vram_bytes"] is None or row["peak_vram_bytes"]["reserved"] > 0
    by_name = {row["strategy"]: row for row in selection.rows}
    assert by_name["constrained"]["generation_health"]["exact_texts"] == 1.0
    assert by_name["sample:0.5"]["generate"]["temperature"] == 0.5
    assert by_name["calrec"]["retrieve"]["list_rule"] == "calrec"
    best = max(row["seen_removed"]["ndcg@5"] for row in selection.rows)
    assert by_name[selection.chosen]["seen_removed"]["ndcg@5"] == best


def test_a_run_of_the_model_uses_the_choice_and_gets_the_tables_numbers(
    selection: Selection, work: Path, tmp_path: Path
) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(PRESET.model_dump(mode="json")))
    folder = selection.path.parent
    for row in selection.rows:
        candidate = next(c for c in parse_candidates(row["strategy"], PRESET))
        artefact.select(
            folder,
            candidate.generate.model_validate(row["generate"]),
            candidate.retrieve.model_validate(row["retrieve"]),
        )
        model = GenerativeRecommender(preset=str(path), seed=0, work_dir=work)
        model.fit(DATA)
        rankings = model.recommend(DATA.validation.histories, 50)
        assert model.parameters["generate"] == row["generate"]
        assert model.parameters["retrieve"] == row["retrieve"]
        details = model.details()
        assert details["strategy_chosen_on_validation"] is True
        tried = {row["strategy"]: row for row in details["decoding_budget"]}
        assert list(tried) == [row["strategy"] for row in selection.rows]
        best = next(row for row in selection.rows if row["strategy"] == selection.chosen)
        assert tried[selection.chosen]["seen_removed"] == best["seen_removed"]
        assert tried["beam"]["tokens_per_user"] > 0 and tried["beam"]["users_per_second"] > 0
        for view in ("seen_kept", "seen_removed"):
            lists = view_of(rankings, DATA.validation.histories, view)
            assert mean_quality(target_ranks(lists, DATA.validation.targets), (5,)) == row[view]


def test_only_validation_histories_are_asked(
    selection: Selection, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench.datasets.prompts import prompts
    from bench.retrieval.item_text import item_texts
    from genrec import selection as module

    asked: list[str] = []
    write = module.TextGenerator.generate

    def watched(self: Any, given: list[str], **kept: Any) -> Any:
        asked.extend(given)
        return write(self, given, **kept)

    monkeypatch.setattr(module.TextGenerator, "generate", watched)
    again = select_strategy(DATA, PRESET, "tiny", parse_candidates("beam", PRESET), seed=0, work=work)
    assert asked == prompts(DATA.validation.histories, item_texts(DATA.catalogue))
    # the texts were there already, and their time counts
    first = next(row for row in selection.rows if row["strategy"] == "beam")
    assert again.rows[0]["seen_kept"] == first["seen_kept"]
    assert again.rows[0]["wall_seconds"] > 0


def test_what_decides_can_be_chosen(selection: Selection, work: Path) -> None:
    candidates = parse_candidates("constrained,beam", PRESET)
    for metric in ("recall@5", "mrr@5"):
        again = select_strategy(
            DATA, PRESET, "tiny", candidates, seed=0, work=work, metric=metric, view="seen_kept"
        )
        values = {row["strategy"]: row["seen_kept"][metric] for row in again.rows}
        assert values[again.chosen] == max(values.values())
        assert json.loads(again.path.read_text())["by"] == {"metric": metric, "view": "seen_kept"}


def test_a_broken_table_is_no_table(tmp_path: Path) -> None:
    assert read_rows(tmp_path) == []
    (tmp_path / RECORD).write_text("{")
    assert read_rows(tmp_path) == []


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("beem", "did you mean 'beam'"),
        ("beam:0.5", "the number of beams is whole"),
        ("constrained:none", "a number of beams is a number above 0"),
        ("sample:hot", "a temperature is a number above 0"),
        ("sample:-1", "a temperature is a number above 0"),
        ("calrec:nan", "a temperature is a number above 0"),
        (" , ", "names no strategy"),
    ],
)
def test_strategies_that_are_none(names: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_candidates(names, PRESET)


def test_candidates_take_the_rest_from_the_preset() -> None:
    sample, calrec, beam = parse_candidates("sample:0.2, calrec:0.7,beam,beam", PRESET)
    assert sample.generate == PRESET.generate.model_copy(update={"strategy": "sample", "temperature": 0.2})
    assert calrec.generate.temperature == 0.7 and calrec.retrieve.list_rule == "calrec"
    assert beam.generate == PRESET.generate and beam.retrieve == PRESET.retrieve


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(build_app(), list(arguments), env={"COLUMNS": "200"})


def test_the_commands_from_selection_to_one_history(tmp_path: Path) -> None:
    small = scratch_preset(max_steps=2, max_seq_length=256).model_dump(mode="json")
    small["generate"]["max_seq_length"] = 256
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(Preset.model_validate(small).model_dump(mode="json")))
    shared = ("--work-dir", str(tmp_path / "work"))

    missing = invoke("recommend", str(path), "--history", "a", *shared)
    assert isinstance(missing.exception, ConfigError)
    assert "pytest bench --benchmark --dataset sample --models small" in str(missing.exception)

    chosen = invoke("select", str(path), "--strategies", "constrained,beam", *shared)
    assert chosen.exit_code == 0, chosen.output
    assert "constrained" in chosen.output and "test users not asked" in chosen.output

    from bench.datasets.splits import load_split

    catalogue = load_split("sample").catalogue
    title = catalogue.titles[7]
    shown = invoke(
        "recommend", str(path), "--history", title, "not [bold]sold[/bold] here", "-k", "3", *shared
    )
    assert shown.exit_code == 0, shown.output
    assert catalogue.item_ids[7] in shown.output and "not [bold]sold[/bold] here" in shown.output
    forced = invoke(
        "recommend",
        str(path),
        "--history",
        title,
        "-k",
        "3",
        "--set",
        "generate.strategy=constrained",
        *shared,
    )
    assert "Generated texts: constrained" in forced.output and "its own text" in forced.output

    for arguments, message in (
        (("--history", " "), "at least one title"),
        (("--history", "a", "--set", "finetune.epochs=2"), "does not change a finished model"),
        (("--history", "a", "--dataset", "beauty2014"), "for beauty2014"),
    ):
        refused = invoke("recommend", str(path), *arguments, *shared)
        assert isinstance(refused.exception, ConfigError) and message in str(refused.exception)


def test_the_printed_table_fits_a_terminal_of_80_columns(selection: Selection) -> None:
    peak = {"allocated": 40 * 10**9, "reserved": 82 * 10**9, "process": 82_504_056_832}
    rows = [{**row, "strategy": "constrained:100", "peak_vram_bytes": peak} for row in selection.rows]
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(_table(rows, "constrained:100", "seen_removed"))
    text = console.export_text()
    assert "82.50" in text and "\N{HORIZONTAL ELLIPSIS}" not in text
    first = selection.rows[0]["seen_removed"]["ndcg@5"]
    assert f"{first:.4f}" in text
