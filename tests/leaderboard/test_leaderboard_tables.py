"""The leaderboard's tables: what stands in them is what the records hold."""

from __future__ import annotations

import dataclasses
import doctest
import math
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from record_factory import (
    GB,
    GENERATION_DETAILS,
    START,
    cpu_cost,
    gpu_cost,
    make_generations,
    make_rankings,
    write_board,
    write_cost_only,
    write_record,
)

from bench.comparison.board_standings import stand
from bench.comparison.compared_models import load_compared
from bench.comparison.paired import compare_groups
from bench.labels import GROUP_LABELS
from bench.metrics.slices import user_groups
from bench.record import ModelInfo
from bench.record_parts import Cost, PeakVram
from bench.records.list_files import read_texts
from bench.records.store import StoredRecord, load_record, load_records
from bench.schema import Split
from leaderboard.frames import board_rows, formatting, list_rows, model_sizes, run_rows
from leaderboard.frames.list_rows import RunLists


@pytest.fixture(scope="module")
def board(sample_split: Split, tmp_path_factory: pytest.TempPathFactory) -> dict[str, StoredRecord]:
    folder = tmp_path_factory.mktemp("board")
    return {name: load_record(path) for name, path in write_board(folder, sample_split).items()}


def frame_of(stored: list[StoredRecord], **options: Any) -> pd.DataFrame:
    return board_rows.leaderboard(stored, **{"view": "seen_removed", "cutoff": 5, **options})


def test_rows_of_different_data_never_share_a_table(sample_split: Split, tmp_path: Path) -> None:
    other = dataclasses.replace(sample_split, fingerprint="f" * 64)
    shuffled = dataclasses.replace(sample_split, ties="shuffled:0", fingerprint="e" * 64)
    for number, split in enumerate((sample_split, other, shuffled)):
        write_record(tmp_path, split, "model", created=START + timedelta(days=number))
    groups = board_rows.boards(load_records(tmp_path).valid())
    assert [len(rows) for rows in groups.values()] == [1, 1, 1]
    for key, rows in groups.items():
        assert {(one.record.dataset.fingerprint, one.record.dataset.ties) for one in rows} == {
            (key.fingerprint, key.ties)
        }


def test_a_model_stands_by_its_newest_record_and_keeps_the_older_ones(board: dict[str, StoredRecord]) -> None:
    stored = sorted(board.values(), key=lambda one: one.record.created, reverse=True)
    newest, older = board_rows.collapse(stored)
    assert len(newest) == len({one.record.model.name for one in newest}) == 7
    assert older == {"last-item-text": [board["older"]]}
    assert board["last-item-text"] in newest


def test_values_are_those_of_the_record(board: dict[str, StoredRecord]) -> None:
    stored = board["llama-tiny"]
    row = frame_of([stored], view="seen_kept", cutoff=10).iloc[0]
    metrics, cost = stored.record.metrics, stored.record.cost
    assert metrics is not None and cost.peak_vram_bytes is not None
    for name in ("recall", "ndcg", "mrr"):
        found = metrics.seen_kept[f"{name}@10"]
        assert (row[name], row[f"{name}_low"], row[f"{name}_high"]) == (found.value, found.low, found.high)
    assert row["fit_seconds"] == cost.wall_seconds["fit"]
    assert row["total_seconds"] == cost.wall_seconds["fit"] + cost.wall_seconds["recommend"]
    assert (row["peak_vram_bytes"], row["peak_rss_bytes"]) == (8 * GB, 3 * GB)
    assert (row["hardware"], row["parameters"], row["energy_joules"]) == (
        "NVIDIA H200",
        2.4e6,
        2 * 3600 * 300,
    )


def test_what_was_not_measured_is_unknown_and_never_zero(board: dict[str, StoredRecord]) -> None:
    frame = frame_of([board["cost-only"], board["random-items"]]).set_index("name")
    assert frame.loc["llama-8b", ["recall", "ndcg", "mrr", "lift"]].isna().all()
    assert frame.loc["random-items", ["peak_vram_bytes", "energy_joules", "parameters"]].isna().all()


def test_the_lift_is_over_the_strongest_untrained_row_of_the_board(
    board: dict[str, StoredRecord],
) -> None:
    frame = frame_of([board["last-item-text"], board["llama-tiny"]]).set_index("name")
    assert frame.loc["last-item-text", "lift"] == 0
    expected = frame.loc["llama-tiny", "ndcg"] / frame.loc["last-item-text", "ndcg"] - 1
    assert frame.loc["llama-tiny", "lift"] == pytest.approx(expected)
    assert frame_of([board["llama-tiny"]])["lift"].isna().all()


def test_standings_are_put_beside_their_rows(board: dict[str, StoredRecord]) -> None:
    stored = [board["random-items"], board["repeat-last"], board["llama-tiny"], board["cost-only"]]
    standings = stand(stored, metric="ndcg@5", view="seen_removed")
    frame = frame_of(stored, standings=standings).set_index("name")
    assert (frame.loc["llama-tiny", "best"], frame.loc["llama-tiny", "worst"]) == (1, 1)
    assert frame.loc["random-items", "groups"] == frame.loc["repeat-last", "groups"]
    assert math.isnan(frame.loc["llama-8b", "best"])


def test_filters(board: dict[str, StoredRecord]) -> None:
    base = board["llama-tiny"].record
    nothing_known = Cost(wall_seconds={}, users_per_second=None)
    costs = {
        "big": nothing_known.model_copy(update={"peak_vram_bytes": PeakVram(reserved=30 * GB)}),
        "unknown": nothing_known,
        "declared": cpu_cost(1.0).model_copy(update={"source": "declared"}),
        "declared-small": gpu_cost(1.0).model_copy(update={"source": "declared"}),
    }
    extra = [
        SimpleNamespace(id=name, held_back=(), record=base.model_copy(update={"cost": cost}))
        for name, cost in costs.items()
    ]
    frame = frame_of(list(board.values()))
    frame = pd.concat([frame, frame_of(extra)], ignore_index=True)  # type: ignore[arg-type]
    assert set(board_rows.filter_rows(frame, kinds=["baseline"])["kind"]) == {"baseline"}
    fitting = set(board_rows.filter_rows(frame, fits=True)["id"])
    assert board["llama-tiny"].id in fitting and board["random-items"].id in fitting
    assert fitting & set(costs) == {"declared-small"}
    assert set(board_rows.filter_rows(frame, hardware=["CPU, 2 cores"])["hardware"]) == {"CPU, 2 cores"}
    assert set(board_rows.filter_rows(frame, text="SCRATCH h200")["name"]) == {"llama-tiny"}
    assert board_rows.filter_rows(frame, text="nothing-like-it").empty
    assert len(board_rows.filter_rows(frame)) == len(frame)


def test_sorting_puts_unknown_values_last_in_both_directions(board: dict[str, StoredRecord]) -> None:
    frame = frame_of(list(board.values()))
    for sort in ("ndcg", "-ndcg"):
        ordered = board_rows.sort_rows(frame, sort)["ndcg"].tolist()
        assert math.isnan(ordered[-1])
        assert ordered[:-1] == sorted(ordered[:-1], reverse=sort.startswith("-"))
    names = board_rows.sort_rows(frame, "model")["model"].tolist()
    assert names == sorted(names, key=str.lower)
    assert board_rows.sort_rows(frame, "no-such-column").equals(frame)


def test_no_records_make_an_empty_board() -> None:
    frame = frame_of([])
    assert (
        frame.empty
        and board_rows.filter_rows(frame, text="x").empty
        and board_rows.sort_rows(frame, "ndcg").empty
    )
    assert board_rows.boards([]) == {} and board_rows.collapse([]) == ([], {})


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [({"total_parameters": 7}, 7.0), ({"parameters": 8.5}, 8.5), ({"parameters": True}, math.nan),
     ({"parameters": -1}, math.nan), ({"parameters": "1B"}, math.nan), ({}, math.nan)],
)  # fmt: skip
def test_the_size_of_a_model_is_what_it_states(
    board: dict[str, StoredRecord], parameters: dict[str, Any], expected: float
) -> None:
    model = ModelInfo(name="m", kind="baseline", display_name="m", parameters=parameters)
    record = board["random-items"].record.model_copy(update={"model": model})
    assert model_sizes.model_size(record) == pytest.approx(expected, nan_ok=True)


def test_runs_to_choose_from_are_ordered_by_strength(board: dict[str, StoredRecord]) -> None:
    stored = sorted(board.values(), key=lambda one: one.record.created, reverse=True)
    ordered = board_rows.strongest_first([one for one in stored if one.record.metrics], "seen_removed")
    assert [one.record.model.name for one in ordered][:3] == ["llama-twin", "llama-tiny", "last-item-text"]
    assert ordered[-1] == board["older"]


def test_group_rows(board: dict[str, StoredRecord], sample_split: Split) -> None:
    pair = [load_compared([board[name]]) for name in ("llama-tiny", "random-items")]
    parts = user_groups(sample_split)
    groups = compare_groups(*pair, parts, metric="ndcg@5", view="seen_kept", resamples=1000)
    frame = board_rows.group_rows(groups)
    assert len(frame) == sum(group.users > 0 for group in groups)
    assert (frame["low"] <= frame["value"]).all() and (frame["value"] <= frame["high"]).all()
    assert set(frame["verdict"]) == {"A is better", "cannot tell"}


def test_the_frames_of_one_record(board: dict[str, StoredRecord]) -> None:
    record = board["llama-tiny"].record
    assert record.metrics is not None
    frame = run_rows.metrics_frame(record)
    assert len(frame) == len(record.metrics.seen_kept) + len(record.metrics.seen_removed)
    row = frame[(frame["view"] == "seen_kept") & (frame["metric"] == "ndcg") & (frame["cutoff"] == 10)].iloc[
        0
    ]
    assert row["value"] == record.metrics.seen_kept["ndcg@10"].value
    assert run_rows.cutoffs(record) == [1, 5, 10, 20]
    slices = run_rows.slices_frame(record, "seen_removed", "recall@5")
    assert slices[slices["slice"] == GROUP_LABELS["same_day"]]["users"].sum() == 1000
    assert run_rows.stage_frame(record)["share"].sum() == pytest.approx(1.0)
    assert set(run_rows.memory_frame(record)["memory"]) == {"RAM", "VRAM"}
    assert set(run_rows.memory_frame(board["random-items"].record)["memory"]) == {"RAM"}


def test_a_cost_only_record_has_empty_quality_frames(sample_split: Split, tmp_path: Path) -> None:
    record = load_record(write_cost_only(tmp_path, sample_split, "llama-8b")).record
    assert run_rows.metrics_frame(record).empty
    assert run_rows.slices_frame(record, "seen_kept", "ndcg@5").empty
    assert run_rows.slice_metrics(record) == []
    assert run_rows.health_rows(record) == [] and run_rows.loss_frame(record).empty


def test_generation_health_and_loss_are_read_from_the_details(board: dict[str, StoredRecord]) -> None:
    record = board["llama-tiny"].record
    assert ("exact title share", "0.93") in run_rows.health_rows(record)
    loss = run_rows.loss_frame(record)
    assert len(loss) == len(GENERATION_DETAILS["loss_curve"]) and loss["loss"].iloc[0] == 3.0


def test_decodings_that_were_tried_are_read_from_the_details(board: dict[str, StoredRecord]) -> None:
    row = {"strategy": "constrained:5", "tokens_per_user": 84.0, "users_per_second": 375.0}
    row |= {"seen_removed": {"ndcg@5": 0.05}, "seen_kept": {"ndcg@5": 0.04}}
    record = board["llama-tiny"].record.model_copy(update={"details": {"decoding_budget": [row]}})
    (found,) = run_rows.decoding_frame(record, "seen_kept", "ndcg@5").to_dict("records")
    assert found == {
        "strategy": "constrained:5",
        "kind": "constrained",
        "tokens": 84,
        "speed": 375,
        "value": 0.04,
    }


def test_the_curve_of_a_tiered_row_is_read_from_the_details(board: dict[str, StoredRecord]) -> None:
    curve = [{"share": 0.0, "ndcg@10": 0.05, "seconds": 2.0}, {"share": 1.0, "ndcg@10": 0.06, "seconds": 9.0}]
    record = board["llama-tiny"].record.model_copy(update={"details": {"tiers": {"curve": curve}}})
    frame, metric = run_rows.tiers_frame(record)
    assert metric == "ndcg@10" and frame.to_numpy().tolist() == [[0, 0.05, 2], [1, 0.06, 9]]


@pytest.mark.parametrize(
    "details",
    [
        {
            "decoding_budget": [
                7,
                {},
                {"seen_removed": {"ndcg@5": "x"}, "tokens_per_user": 1},
                {"seen_removed": 2},
            ]
        },
        {"decoding_budget": "<script>"},
        {
            "tiers": {
                "curve": [3, {}, {"share": "x", "seconds": 1}, {"share": 0.5, "seconds": 1, "ndcg@5": "y"}]
            }
        },
        {"tiers": {"curve": "<script>"}},
        {"tiers": "<script>"},
        {"loss_curve": "<script>", "generation_health": "<script>"},
        {"loss_curve": [1, None, {"step": "x", "loss": 1}, {"step": 1, "loss": "y"}, {"loss": 2}]},
        {"loss_curve": [{"step": 1, "loss": float("inf")}], "generation_health": [1, 2]},
        {"loss_curve": {"train": "no"}, "generation_health": None},
    ],
)
def test_details_of_any_shape_break_nothing(board: dict[str, StoredRecord], details: dict[str, Any]) -> None:
    record = board["llama-tiny"].record.model_copy(update={"details": details})
    assert run_rows.loss_frame(record).empty and run_rows.health_rows(record) == []
    assert run_rows.decoding_frame(record, "seen_removed", "ndcg@5").empty
    assert run_rows.tiers_frame(record)[0].empty


def test_looking_up_users_and_items(sample_split: Split) -> None:
    assert list_rows.find_users(sample_split, "c000")[0] == "C0000"
    assert list_rows.find_users(sample_split, "zzz") == []
    assert len(list_rows.find_users(sample_split, "")) == list_rows.MAX_MATCHES
    word = sample_split.catalogue.titles[7].split()[0]
    for item_id in list_rows.find_items(sample_split.catalogue, f"{word.upper()} "):
        row = sample_split.catalogue.rows[item_id]
        assert (
            word.lower()
            in f"{sample_split.catalogue.titles[row]} {sample_split.catalogue.brands[row]}".lower()
        )
    assert list_rows.find_items(sample_split.catalogue, "no such thing") == []


def test_who_bought_an_item_and_who_is_shown_it(toy_split: Split) -> None:
    had, wanted = list_rows.buyers(toy_split, 4)
    assert had.tolist() == [3] and wanted.tolist() == [1, 4]
    rankings = np.array([[4, 0], [0, 4], [1, 2], [3, -1], [-1, -1], [5, 4]], dtype=np.int32)
    assert list_rows.listed_to(rankings, 4, 1).tolist() == [0]
    assert list_rows.listed_to(rankings, 4, 2).tolist() == [0, 1, 5]


def test_a_users_lists_are_shown_with_hits_marked(sample_split: Split) -> None:
    rankings = make_rankings(sample_split, skill=1.0)
    user = int(np.flatnonzero((rankings[:, :5] == sample_split.test.targets[:, None]).any(axis=1))[0])
    run = RunLists(name="Perfect <b>", rankings=rankings)
    html = list_rows.lists_table(sample_split, user, [run], 10)
    assert html.count("✓ bought next") == 1 and "Perfect &lt;b&gt;" in html and "<b>" not in html
    assert "place" in list_rows.outcome(sample_split, user, run)
    assert html.count("<tr>") == 11
    history = list_rows.history_table(sample_split, user)
    assert history.count("to be predicted") == 1
    assert history.count("<tr") == 2 + sample_split.test.histories.lengths[user]


def test_generated_texts_are_shown_with_what_they_found(sample_split: Split, tmp_path: Path) -> None:
    path = write_record(tmp_path, sample_split, "generative", generations=make_generations(sample_split))
    texts = read_texts(load_record(path))
    assert texts is not None
    html = list_rows.texts_table(sample_split, texts.set_index("user_id"), "C0000")
    assert html is not None and html.count("<tr>") == 6
    assert "nothing like it" in html and "Title: " in html
    assert list_rows.texts_table(sample_split, texts.set_index("user_id"), "nobody") is None
    assert list_rows.texts_table(sample_split, None, "C0000") is None


def test_formatting() -> None:
    assert doctest.testmod(formatting).failed == 0
    assert formatting.decimals_for([]) == 4 and formatting.decimals_for([math.nan, 0.0]) == 4
    assert formatting.span(0.1, None, 3) == "" and formatting.span(0.1, 0.2, 3) == "0.100–0.200"
    assert formatting.signed(-0.001, 3) == "−0.001" and formatting.signed(-1e-9, 3) == "0.000"
    assert formatting.percent(0.16) == "+16 %"
    assert formatting.percent(-0.5) == "−50 %" and formatting.percent(99.0) == "×100"
    assert formatting.size(8.04e9) == "8.0 GB" and formatting.size(4e8) == "400 MB"
    assert formatting.energy(3600 * 1500) == "1.50 kWh" and formatting.energy(1800) == "0.5 Wh"
    assert formatting.p_value(0.0001) == "< 0.001" and formatting.p_value(0.04) == "0.040"
    assert formatting.count(1234567) == "1,234,567" and formatting.count(0.12345) == "0.123"
    unknown = (formatting.number(None, 3), formatting.seconds(math.nan), formatting.size(None))
    assert set(unknown) == {formatting.MISSING}
