"""The committed records: every one is sound, and its lists score to its metrics again."""

from __future__ import annotations

from pathlib import Path

from bench.results_check import check_results, rescore
from bench.schema import Split
from bench.store import load_records

RESULTS = Path(__file__).resolve().parent.parent / "results"


def test_the_folder_is_sound_and_the_sample_scores_again(sample_split: Split) -> None:
    loaded = load_records(RESULTS)
    assert loaded.problems == []
    sample = [stored for stored in loaded.records if stored.record.dataset.name == "sample"]
    assert sample
    for stored in sample:
        assert rescore(stored, sample_split) == []
        assert stored.record.environment.dirty is False


def test_every_record_scores_again(real_data_dir: Path) -> None:
    outcome = check_results(RESULTS, data_dir=real_data_dir)
    assert outcome.problems == []
    assert outcome.rescored == outcome.records >= 13
