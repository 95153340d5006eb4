"""The head of the board: what its sentences say, what its chart shows, and which models it lacks."""

from __future__ import annotations

import dataclasses
import doctest
import re
from pathlib import Path

import pytest
from record_factory import cpu_cost, gpu_cost, write_board, write_cost_only, write_record

from bench.comparison.board_standings import stand
from bench.models import MODELS
from bench.record import ModelInfo
from bench.records.store import StoredRecord, load_record, load_records
from bench.reported.rows import load_reported
from bench.schema import Split
from leaderboard.draw import rank_chart, scales
from leaderboard.frames import board_rows, mission, model_sizes, rank_points
from leaderboard.frames.board_rows import BoardKey
from leaderboard.frames.board_sentence import sentences

BEAUTY = BoardKey(dataset="beauty2014", split="leave-one-out", ties="file", fingerprint="f" * 64)


def said(records: list[StoredRecord]) -> list[str]:
    standings = stand(records, metric="ndcg@5", view="seen_removed")
    frame = board_rows.leaderboard(records, view="seen_removed", cutoff=5, standings=standings)
    info = records[0].record.dataset
    return sentences(frame, standings, info, title="The shop", metric="ndcg", label="nDCG@5")


def test_the_sentences_name_best_row_and_best_generative_row(sample_split: Split, tmp_path: Path) -> None:
    write_record(tmp_path, sample_split, "counts", skill=0.30, kind="untrained", cost=cpu_cost(10.0))
    write_record(
        tmp_path,
        sample_split,
        "writer",
        skill=0.12,
        seed=3,
        kind="generative",
        cost=gpu_cost(2.0),
        model=ModelInfo(
            name="writer", kind="generative", display_name="Writer", parameters={"total_parameters": 8e9}
        ),
    )
    found = said(load_records(tmp_path).valid())
    assert found[0] == "Predicted: the next item of each of 1,000 users of The shop, out of all 400."
    assert re.fullmatch(
        r"Best: Counts, nDCG@5 0\.\d+ in 12\.5 s, significantly ahead of every other row\.", found[1]
    )
    assert re.fullmatch(
        r"Best generative row: Writer \(8 B\), 0\.\d+: \d+ % less than Counts, which trains nothing and "
        r"takes 12\.5 s; it takes 2\.0 h on a GPU\.",
        found[2].replace("−", ""),
    )


def test_what_the_data_cannot_tell_is_said(sample_split: Split, tmp_path: Path) -> None:
    write_record(tmp_path, sample_split, "counts", skill=0.30, kind="untrained")
    write_record(tmp_path, sample_split, "twin", skill=0.303, kind="generative")
    found = said(load_records(tmp_path).valid())
    assert found[1].startswith("Best: Twin") and found[1].endswith("the data do not tell it from Counts.")
    assert "not told from Counts" in found[2]


def test_a_board_without_quality_says_only_what_is_predicted(sample_split: Split, tmp_path: Path) -> None:
    stored = load_record(write_cost_only(tmp_path, sample_split, "llama-8b"))
    assert len(said([stored])) == 1
    write_record(tmp_path, sample_split, "counts", kind="untrained")
    assert said(load_records(tmp_path).valid())[2] == (
        "No generative model has been measured on these data yet."
    )


def test_printed_figures_stand_where_their_protocol_fits() -> None:
    rows = load_reported("beauty2014")

    def names(key: BoardKey, view: str, metric: str = "recall@5") -> set[str]:
        return {point.name for point in rank_points.printed(rows, key, view, metric)}  # type: ignore[arg-type]

    kept, removed = names(BEAUTY, "seen_kept"), names(BEAUTY, "seen_removed")
    assert "LLaMA 3.1 8B QLoRA + BM25" in kept - removed and "S3-Rec" in kept & removed
    assert not any("GPT4Rec" in name for name in kept), "other users"
    assert "Random items, expected value" not in kept, "computed by this project"
    assert not names(dataclasses.replace(BEAUTY, ties="shuffled:0"), "seen_kept")
    assert not names(dataclasses.replace(BEAUTY, split="loo2"), "seen_kept")


def test_the_chart_holds_every_row_once_a_width(sample_split: Split, tmp_path: Path) -> None:
    write_board(tmp_path, sample_split)
    newest, _ = board_rows.collapse(load_records(tmp_path).valid())
    frame = board_rows.leaderboard(newest, view="seen_removed", cutoff=5)
    printed = rank_points.printed(load_reported("beauty2014"), BEAUTY, "seen_removed", "ndcg@5")
    points = rank_points.rank_points(frame, printed, "ndcg", lambda run: f"?run={run}")
    assert [point.value for point in points] == sorted((point.value for point in points), reverse=True)
    assert sum(not point.origin for point in points) == 6  # the cost-only row has no quality
    html = rank_chart.figure(points, "nDCG@5", points[0])
    assert html.count('data-event="run"') == 2 * 6 and html.count("<title>") == 2 * len(points)
    assert html.count("mark hollow") == 2 * len(printed)
    named = re.findall(r'class="label slanted"[^>]*>([^<]+)<', html)
    assert points[0].name[:12] in named[0] and len(named) < 2 * len(points)


def test_the_chart_of_a_thousand_rows_stays_small() -> None:
    points = [
        rank_points.RankPoint(
            name=f"Row {n}", kind="untrained", value=1 - n / 1000, low=0.0, high=1.0, origin=""
        )
        for n in range(1000)
    ]
    html = rank_chart.figure(points, "nDCG@5", None)
    assert html.count("<title>") == 1000 + 120 and html.count("label slanted") < 90
    assert len(html) < 800_000


def test_the_models_that_a_board_lacks_come_with_their_command() -> None:
    found = {one.name: one for one in mission.unmeasured(BEAUTY, {"llama-1b", "text-co-visit"})}
    assert set(found) == {
        name for name, entry in MODELS.items() if entry.kind in ("generative", "hybrid")
    } - {"llama-1b"}
    assert found["llama-8b"].parameters == 8e9
    assert found["llama-8b"].command == "pytest bench --benchmark --dataset beauty2014 --models llama-8b"
    other = dataclasses.replace(BEAUTY, split="loo2", ties="shuffled:0")
    command = mission.unmeasured(other, [])[0].command
    assert command.endswith("--split loo2 --ties shuffled:0")


@pytest.mark.parametrize("module", [model_sizes, scales])
def test_examples_hold(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]
