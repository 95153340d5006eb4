"""The committed records: every one is sound, and its lists score to its metrics again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.record import VERSION_FOLDER
from bench.records.append_only import tracked_files
from bench.records.check import check_results
from bench.records.store import load_records

SCORED_AGAIN = ("beauty2014", "sports2014", "toys2014", "ml100k")


def committed(repository: Path, copy: Path, part: str = ".") -> Path:
    """Copy the repository's results, or a part of them, without what its user has not added to git."""
    results = (repository / "results").resolve()
    tracked = tracked_files(results)
    for path in (results / part).rglob("*"):
        if path.is_file() and (tracked is None or path in tracked):
            target = copy / path.relative_to(results)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
    return copy


def test_every_record_is_sound_and_the_sample_scores_again(
    pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    results = committed(pytestconfig.rootpath, tmp_path)
    records = load_records(results).records
    outcome = check_results(results)
    assert outcome.problems == []
    assert outcome.records == len(records)
    assert {stored.record.dataset.name for stored in records} == {"sample", *SCORED_AGAIN}
    assert outcome.rescored == sum(stored.record.dataset.name == "sample" for stored in records) > 0
    assert not any(stored.record.environment.dirty for stored in records)


@pytest.mark.slow
@pytest.mark.parametrize("dataset", SCORED_AGAIN)
def test_every_record_scores_again(
    dataset: str, pytestconfig: pytest.Config, real_data_dir: Path, tmp_path: Path
) -> None:
    results = committed(pytestconfig.rootpath, tmp_path, f"{VERSION_FOLDER}/{dataset}")
    outcome = check_results(results, data_dir=real_data_dir)
    assert outcome.problems == []
    assert outcome.rescored == outcome.records - outcome.cost_only > 0
