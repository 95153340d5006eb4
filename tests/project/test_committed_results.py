"""The committed records: every one is sound, and its lists score to its metrics again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.records.append_only import tracked_files
from bench.records.check import check_results
from bench.records.store import load_records


@pytest.fixture(scope="module")
def committed(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository's results without what its user has measured and not added to git."""
    results = (pytestconfig.rootpath / "results").resolve()
    tracked = tracked_files(results)
    copy = tmp_path_factory.mktemp("committed") / "results"
    for path in results.rglob("*"):
        if path.is_file() and (tracked is None or path in tracked):
            target = copy / path.relative_to(results)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
    return copy


def test_every_record_is_sound_and_the_sample_scores_again(committed: Path) -> None:
    records = load_records(committed).records
    outcome = check_results(committed)
    assert outcome.problems == []
    assert outcome.records == len(records)
    assert {stored.record.dataset.name for stored in records} >= {"sample", "beauty2014"}
    assert outcome.rescored == sum(stored.record.dataset.name == "sample" for stored in records) > 0
    assert not any(stored.record.environment.dirty for stored in records)


def test_every_record_scores_again(committed: Path, real_data_dir: Path) -> None:
    outcome = check_results(committed, data_dir=real_data_dir)
    assert outcome.problems == []
    assert outcome.rescored == outcome.records >= 13
