"""Standings of a whole board, and the Pareto front."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from record_factory import write_cost_only, write_record

from bench.comparison.board_standings import board_standings, stand
from bench.comparison.compared_models import load_compared
from bench.comparison.paired import ComparedModel, compare
from bench.comparison.pareto import better_by_value, gaps_to_better, pareto_front
from bench.errors import RecordError
from bench.records.store import load_record, load_records
from bench.schema import Split


def compared_model(folder: Path, split: Split, name: str, skill: float, seed: int = 0) -> ComparedModel:
    return load_compared([load_record(write_record(folder, split, name, skill=skill, seed=seed))])


def test_a_board_gives_the_verdicts_of_compare(sample_split: Split, tmp_path: Path) -> None:
    drawn = {"a": (0.05, 1), "b": (0.06, 2), "c": (0.2, 3), "d": (0.23, 3), "e": (0.4, 4)}
    models = [compared_model(tmp_path, sample_split, name, *skill) for name, skill in drawn.items()]
    standings = board_standings(models, metric="recall@10", view="seen_removed")
    found = compare(models, metric="recall@10", view="seen_removed", resamples=400)
    for row in found.rows:
        place = standings[row.label]
        assert (place.best_rank, place.worst_rank, place.groups) == (
            row.best_rank,
            row.worst_rank,
            row.groups,
        )
    assert standings["e"].best_rank == standings["e"].worst_rank == 1
    assert standings["a"].groups == standings["b"].groups


def test_a_board_says_which_row_is_significantly_better(sample_split: Split, tmp_path: Path) -> None:
    for name, skill, number in (("weak", 0.05, 1), ("strong", 0.4, 2), ("twin", 0.41, 2)):
        write_record(tmp_path, sample_split, name, skill=skill, seed=number)
    write_cost_only(tmp_path, sample_split, "llama-8b")
    rows = {one.record.model.name: one for one in load_records(tmp_path).records}
    found = stand(list(rows.values()), metric="ndcg@5", view="seen_removed")
    weak, strong, twin, cost_only = (rows[name].id for name in ("weak", "strong", "twin", "llama-8b"))
    assert found.better(strong, weak) and not found.better(weak, strong) and found.decided(weak, strong)
    assert not found.decided(strong, twin) and not found.better(strong, cost_only)


def test_sixty_models_are_told_apart(sample_split: Split, tmp_path: Path) -> None:
    """Where p-values are drawn, Holm's correction over 1,770 pairs leaves nothing significant."""
    low = [compared_model(tmp_path, sample_split, f"low-{number}", 0.02, number) for number in range(2)]
    many = [
        ComparedModel(label=f"{n}", records=low[n % 2].records, ranks=low[n % 2].ranks) for n in range(59)
    ]
    high = compared_model(tmp_path, sample_split, "high", 0.5)
    standings = board_standings([*many, high], metric="ndcg@5", view="seen_kept")
    assert (standings["high"].best_rank, standings["high"].worst_rank) == (1, 1)
    assert {standings[one.label].best_rank for one in many} == {2}


def test_one_model_is_first_and_none_is_no_board(sample_split: Split, tmp_path: Path) -> None:
    only = compared_model(tmp_path, sample_split, "only", 0.1)
    place = board_standings([only], metric="ndcg@5", view="seen_kept")["only"]
    assert (place.best_rank, place.worst_rank, place.groups) == (1, 1, (0,))
    assert board_standings([], metric="ndcg@5", view="seen_kept") == {}


def test_a_cost_only_record_has_no_standing(sample_split: Split, tmp_path: Path) -> None:
    with pytest.raises(RecordError):
        load_compared([load_record(write_cost_only(tmp_path, sample_split, "llama-8b"))])


points = st.lists(
    st.tuples(st.integers(1, 9).map(float), st.integers(0, 9).map(float)), min_size=1, max_size=12
)


@given(points)
def test_the_front_is_what_nothing_beats(drawn: list[tuple[float, float]]) -> None:
    costs, qualities = [p[0] for p in drawn], [p[1] for p in drawn]
    front = pareto_front(costs, better_by_value(qualities))
    unbeaten = {
        row for row, (cost, own) in enumerate(drawn) if not any(c <= cost and q > own for c, q in drawn)
    }
    assert set(front) == unbeaten and len(front) == len(unbeaten)
    assert [costs[row] for row in front] == sorted(costs[row] for row in front)


def test_noise_keeps_a_row_on_the_front() -> None:
    """The second row costs more than the first and no test tells them apart; the third is worse."""
    better = np.zeros((3, 3), dtype=bool)
    better[0, 2] = better[1, 2] = True
    costs, qualities = [1.0, 5.0, 9.0], [0.30, 0.29, 0.10]
    assert pareto_front(costs, better_by_value(qualities)) == [0]
    assert pareto_front(costs, better) == [0, 1]
    assert gaps_to_better(costs, better) == [None, None, pytest.approx(1 / 9)]


@given(points)
def test_the_gap_leads_to_the_cheapest_better_point(drawn: list[tuple[float, float]]) -> None:
    costs, qualities = [p[0] for p in drawn], [p[1] for p in drawn]
    gaps = gaps_to_better(costs, better_by_value(qualities))
    for (cost, quality), gap in zip(drawn, gaps, strict=True):
        better = [c for c, q in drawn if q > quality]
        assert gap == (pytest.approx(min(better) / cost) if better else None)


def test_rows_without_a_test_are_better_by_their_value(sample_split: Split, tmp_path: Path) -> None:
    for name, skill in (("one", 0.3), ("twin", 0.303), ("weak", 0.05)):
        write_record(tmp_path, sample_split, name, skill=skill)
    ids = {one.record.model.name: one.id for one in load_records(tmp_path).records}
    found = stand(load_records(tmp_path).records, metric="ndcg@5", view="seen_kept")
    rows = [ids["one"], ids["twin"], ids["weak"], "stranger"]
    better = found.better_of(rows, [0.30, 0.31, 0.05, 0.305])
    assert better.tolist() == [
        [False, False, True, False],
        [False, False, True, True],
        [False, False, False, False],
        [True, False, True, False],
    ]
