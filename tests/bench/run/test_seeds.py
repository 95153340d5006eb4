"""Several seeds of a model: a record each, the first one newest, and one row of them all."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.comparison.seeds_text import seeds_text
from bench.models import find_model
from bench.records import store
from bench.run.session import BenchSession


def test_each_seed_is_recorded_with_its_own_command_and_summed_up(tmp_path: Path) -> None:
    entry = find_model("random-items")
    session = BenchSession(
        dataset="sample",
        dataset_given=True,
        entries=[entry],
        split="loo",
        ties="file",
        seed=3,
        seeds=2,
        depth=10,
        results_dir=tmp_path,
        data_dir=None,
        settings=(),
        capture=None,
    )
    last = session.run_model("random-items")
    records = store.load_records(tmp_path).valid()
    assert [one.record.seed for one in records] == [3, 4]  # newest first: a board shows the first seed
    assert last.record.seed == 3
    for one in records:
        assert f"--seed {one.record.seed} " in one.record.command and "--seeds" not in one.record.command
    means = [one.record.metrics.seen_removed["recall@10"].value for one in records]  # type: ignore[union-attr]
    told = seeds_text(records)
    (line,) = (line for line in told.splitlines() if "Recall@10" in line)
    assert f"{np.mean(means):.4f}, {np.std(means, ddof=1):.4f}, " in line
    low, high = map(float, line.rpartition(", ")[2].split(" to "))
    assert low <= np.mean(means) <= high and low < high
    assert "2 seeds" in told
