"""A partial, shallow or declared row is marked wherever it stands, and never replaces the full row."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from record_factory import START, cpu_cost, environment, gpu_cost, make_rankings, write_record

from bench.commands.results import list_records
from bench.comparison.board_standings import board_standings, stand
from bench.comparison.compared_models import find_compared, load_compared
from bench.comparison.cost_table import markdown_costs
from bench.comparison.paired import compare
from bench.comparison.paired_text import as_text
from bench.comparison.readme_tables import markdown_table
from bench.comparison.summary_table import summary
from bench.labels import metric_label
from bench.marks import marks
from bench.metrics.definitions import METRICS
from bench.metrics.ranking import evaluate
from bench.record import Audit, Record
from bench.records import store
from bench.records.newest import newest
from bench.records.store import StoredRecord, load_record, load_records
from bench.run.runner import Outcome
from bench.run.terminal import results_table
from bench.schema import Split
from leaderboard.cells import board_cells, run_cells
from leaderboard.frames import board_rows
from leaderboard.static_page import export

LATER = START + timedelta(days=1)


def shallow_fields(split: Split, *, skill: float = 0.2, seed: int = 0) -> dict[str, Any]:
    """What `--depth 3` records: three items a user, so nothing at the cut-offs 5, 10 and 20."""
    lists = make_rankings(split, skill=skill, seed=seed)[:, :3]
    return {"depth": 3, "metrics": evaluate(split, lists, resamples=200)}


def write_shallow(folder: Path, split: Split, name: str, **fields: Any) -> Path:
    """Write what a run with `--depth 3` leaves."""
    record = load_record(write_record(folder / "full", split, name, skill=0.2)).record
    lists = make_rankings(split, skill=0.2)[:, :3]
    update = {"depth": 3, "metrics": evaluate(split, lists, resamples=200), "lists_sha256": None}
    return store.write(
        record.model_copy(update={**update, "created": LATER, **fields}), split, lists, None, folder
    )


MARKED: dict[str, dict[str, Any]] = {
    "partial": {"status": "partial", "source": "submission"},
    "cost declared": {"cost": cpu_cost(1.0).model_copy(update={"source": "declared"})},
    "dirty": {"environment": environment(dirty=True)},
    "too good": {"audits": [Audit(name="too_good", verdict="flag", message="1.9 times the best known")]},
    "lists of 3": {},
}


@pytest.fixture(scope="module")
def folders(sample_split: Split, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """For each mark a folder with one row that has it, beside a plain one."""
    found = {}
    for text, fields in MARKED.items():
        folder = tmp_path_factory.mktemp("marked")
        write_record(folder, sample_split, "plain", skill=0.1, seed=3)
        if text == "lists of 3":
            write_shallow(folder, sample_split, "odd")
        else:
            write_record(folder, sample_split, "odd", skill=0.2, created=LATER, **fields)
        found[text] = folder
    return found


@pytest.mark.parametrize("text", MARKED)
def test_a_mark_stands_wherever_the_row_does(
    text: str, folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = load_records(folders[text]).valid()
    odd = next(one for one in rows if one.record.model.name == "odd")
    assert [mark.text for mark in marks(odd.record)] == [text]
    list_records(folders[text])
    frame = board_rows.leaderboard(rows, view="seen_removed", cutoff=1)
    columns = board_cells.board_columns(board_cells.DEFAULT_COLUMNS, 1)
    cells = board_cells.board_rows(frame, columns, links=str)
    page = export(folders[text], tmp_path, view="seen_removed", cutoff=5).read_text()
    pair = [load_compared([one]) for one in rows]
    places = {
        "README, results": markdown_table(rows),
        "README, summary": summary(rows),
        "README, costs": markdown_costs(rows),
        "results list": " ".join(capsys.readouterr().out.split()),
        "terminal": results_table([Outcome(record=one.record, path=one.path) for one in rows]),
        "board": str(cells),
        "run page": run_cells.identity_table(odd, "sample", "file"),
        "export": page,
        "compare": as_text(compare(pair, metric="recall@1", view="seen_kept", resamples=100)),
    }
    assert [place for place, shown in places.items() if text not in shown] == []


def test_a_row_without_marks_has_none(folders: dict[str, Path]) -> None:
    plain = load_records(folders["partial"]).records[-1]
    assert plain.record.model.name == "plain" and marks(plain.record) == []


@pytest.mark.parametrize("text", ["partial", "cost declared", "lists of 3"])
def test_it_never_replaces_the_full_row(text: str, sample_split: Split, tmp_path: Path) -> None:
    full = write_record(tmp_path, sample_split, "model", skill=0.1)
    if text == "lists of 3":
        write_shallow(tmp_path, sample_split, "model")
    else:
        write_record(tmp_path, sample_split, "model", skill=0.2, created=LATER, **MARKED[text])
    records = [
        one for one in load_records(tmp_path).valid() if one.path.parent.parent.parent.parent == tmp_path
    ]
    assert [one.path for one in newest(records)] == [full]
    kept, older = board_rows.collapse(records)
    assert [one.path for one in kept] == [full] and len(older["model"]) == 1
    write_record(tmp_path, sample_split, "other", skill=0.1, seed=5)
    found = find_compared(["model", "other"], tmp_path)
    assert found[0].records[0].created == START


def test_a_newer_full_row_does_replace_it(sample_split: Split, tmp_path: Path) -> None:
    write_record(tmp_path, sample_split, "model", skill=0.1)
    later = write_record(tmp_path, sample_split, "model", skill=0.1, created=LATER)
    assert [one.path for one in newest(load_records(tmp_path).valid())] == [later]


def test_a_cut_off_deeper_than_the_lists_is_null(sample_split: Split) -> None:
    """`--depth 3` once printed a value under "Recall@5"."""
    found = shallow_fields(sample_split)["metrics"]
    for view in (found.seen_kept, found.seen_removed):
        assert {name for name, value in view.items() if value.value is not None} == {
            f"{name}@1"
            for name in METRICS
            if name != "diversity"  # of one item there is none
        }
    for groups in found.slices["seen_kept"].values():
        assert all(value.value is None for group in groups for value in group.metrics.values())


@pytest.mark.parametrize("cutoff", [1, 5, 10, 20])
def test_a_board_with_a_shallow_row_is_shown_at_every_cut_off(
    cutoff: int, folders: dict[str, Path], tmp_path: Path
) -> None:
    page = export(folders["lists of 3"], tmp_path, view="seen_removed", cutoff=cutoff).read_text()
    assert "Plain" in page and "Odd" in page


class TestRowsWithoutRanks:
    @pytest.fixture
    def rows(self, sample_split: Split, tmp_path: Path) -> list[StoredRecord]:
        for name, skill in (("best", 0.6), ("middle", 0.3), ("last", 0.05)):
            write_record(tmp_path, sample_split, name, skill=skill, seed=4)
        return load_records(tmp_path).valid()

    @pytest.mark.parametrize(
        ("broken", "expected"),
        [
            ("best", {"middle": (2, 2), "last": (3, 3)}),
            ("middle", {"best": (1, 2), "last": (3, 3)}),
            ("last", {"best": (1, 2), "middle": (2, 3)}),
        ],
    )
    def test_nobody_is_ranked_past_a_better_row(
        self, broken: str, expected: dict[str, tuple[int, int]], rows: list[StoredRecord], tmp_path: Path
    ) -> None:
        names = {one.id: one.record.model.name for one in rows}
        whole = stand(rows, metric="ndcg@10", view="seen_removed")
        places = {names[key]: place.best_rank for key, place in whole.places.items()}
        assert places == {"best": 1, "middle": 2, "last": 3} and not whole.unreadable
        odd = next(one for one in rows if one.record.model.name == broken)
        odd.ranks_path.write_bytes(b"no parquet")
        found = stand(rows, metric="ndcg@10", view="seen_removed")
        assert {
            names[key]: (place.best_rank, place.worst_rank) for key, place in found.places.items()
        } == expected
        assert list(found.unreadable) == [odd.id] and "not readable" in found.unreadable[odd.id]

    def test_it_is_said_on_the_row_and_in_the_list(self, rows: list[StoredRecord], tmp_path: Path) -> None:
        rows[0].ranks_path.unlink()
        standings = stand(rows, metric="ndcg@5", view="seen_removed")
        frame = board_rows.leaderboard(rows, view="seen_removed", cutoff=5, standings=standings)
        columns = board_cells.board_columns((), 5)
        shown = str(board_cells.board_rows(frame, columns, links=str))
        assert shown.count("not ranked") == 1 and "not readable" in shown
        page = export(tmp_path, tmp_path / "site", view="seen_removed", cutoff=5).read_text()
        assert f"Not ranked: {rows[0].id}" in page

    def test_a_cost_only_row_is_no_problem(self, rows: list[StoredRecord], sample_split: Split) -> None:
        bare = Record.model_validate(
            rows[0].record.model_dump() | {"metrics": None, "status": "cost-only", "lists_sha256": None}
        )
        standings = stand(
            [*rows, StoredRecord(record=bare, path=rows[0].path)], metric="ndcg@5", view="seen_kept"
        )
        assert not standings.unreadable and len(standings.places) == 3

    def test_values_without_ranks_alone_rank_nobody(self) -> None:
        assert board_standings([], metric="ndcg@5", view="seen_kept", without_ranks=[0.4]) == {}


def test_one_rule_for_peak_vram_in_every_table(sample_split: Split, tmp_path: Path) -> None:
    """Allocated 6, reserved 7, process 8 GB once read 7.0 in the README and 8.0 on the board."""
    write_record(tmp_path, sample_split, "model", skill=0.1, cost=gpu_cost(1.0))
    rows = load_records(tmp_path).valid()
    frame = board_rows.leaderboard(rows, view="seen_kept", cutoff=5)
    assert frame.loc[0, "peak_vram_bytes"] == 8e9
    assert "| 8.0 |" in markdown_costs(rows)
    assert "8.0 GB" in results_table([Outcome(record=rows[0].record, path=rows[0].path)])


def test_labels() -> None:
    assert [metric_label(name) for name in ("ndcg@10", "recall", "interest_coverage@5", "novelty@5")] == [
        "nDCG@10",
        "Recall",
        "Coverage of interests@5",
        "novelty@5",
    ]
