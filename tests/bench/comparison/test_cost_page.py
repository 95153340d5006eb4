"""The README's costs: made from records, estimates marked, what is missing said."""

from __future__ import annotations

from pathlib import Path

import pytest
from record_factory import cpu_cost, environment, gpu_cost, write_record

from bench.comparison.cost_table import BEGIN, END, markdown_costs
from bench.comparison.readme_tables import BEGIN as RESULTS_BEGIN
from bench.comparison.readme_tables import END as RESULTS_END
from bench.comparison.readme_tables import newest, update_readme
from bench.record import ModelInfo, Record, dataset_info
from bench.records import store
from bench.schema import Split


def write_estimate(folder: Path, split: Split, name: str, fit_hours: float | None) -> None:
    estimate = {} if fit_hours is None else {"fit_hours": fit_hours, "recommend_hours": 1.0}
    record = Record(
        status="cost-only",
        source="harness",
        created="2026-01-02T03:04:05Z",
        command="pytest bench --benchmark -k test_cost",
        seed=0,
        depth=50,
        dataset=dataset_info(split),
        model=ModelInfo(name=name, kind="cost-only", display_name=name),
        metrics=None,
        cost=gpu_cost(10.0).model_copy(update={"wall_seconds": {"finetune_sample": 9.0}}),
        environment=environment("NVIDIA H200"),
        details={"full_run_estimate": estimate} if estimate else {"table": [{"way": "ours"}]},
    )
    store.write(record, split, None, None, folder)


def page(folder: Path) -> str:
    return markdown_costs(newest(store.load_records(folder).valid()))


def test_a_cpu_row_and_what_no_gpu_has_measured(sample_split: Split, tmp_path: Path) -> None:
    write_record(tmp_path, sample_split, "llama-tiny", kind="generative", cost=cpu_cost(1440.0))
    text = page(tmp_path)
    (row,) = [line for line in text.splitlines() if "`llama-tiny`" in line]
    # 360 s of fit and 1,440 s of recommend: half an hour, a fifth of it fitting
    assert row == "| `llama-tiny` | sample | CPU, 2 cores | 30.0 min | - | 0.694 | fit 20%, recommend 80% |"
    missing = "`llama-60m`, `smollm2-135m`, `smollm2-135m-prompted`, `llama-1b`, `llama-3b`, `llama-8b`"
    assert f"Not measured on a GPU yet: {missing}." in text
    assert "`pytest bench --benchmark -k speed_gpu`" in text and "\\*" not in text


def test_gpu_rows_come_first_and_estimates_are_marked(sample_split: Split, tmp_path: Path) -> None:
    write_record(tmp_path, sample_split, "last-item-text", cost=cpu_cost(2.0))
    write_record(tmp_path, sample_split, "llama-60m", kind="generative", cost=gpu_cost(5.0))
    write_estimate(tmp_path, sample_split, "llama-1b-cost", 3.0)
    write_estimate(tmp_path, sample_split, "llama-1b-generation-speed", None)
    text = page(tmp_path)
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == ["llama-60m", "llama-1b-cost", "last-item-text"]
    assert "| NVIDIA H200 | 5.0 h | 8.0 |" in rows[0] and "fit 60%, recommend 40%" in rows[0]
    assert "| NVIDIA H200 | 4.0 h \\* | 8.0 |" in rows[1] and "fit 75%, recommend 25%" in rows[1]
    assert "computed from the speeds measured on random weights" in text
    assert (
        "Not measured on a GPU yet: `smollm2-135m`, `smollm2-135m-prompted`, `llama-3b`, `llama-8b`." in text
    )


def test_only_one_tie_rule_and_no_withdrawn_row(toy_split: Split, tmp_path: Path) -> None:
    from dataclasses import replace

    shuffled = replace(toy_split, ties="shuffled:0", fingerprint="f" * 64)
    write_record(tmp_path, shuffled, "shuffled-only")
    path = write_record(tmp_path, toy_split, "withdrawn")
    store.invalidate(store.load_record(path), "made for a test")
    assert "| `" not in page(tmp_path)


@pytest.mark.parametrize("with_costs", [True, False])
def test_one_command_fills_both_pairs_of_marks(sample_split: Split, tmp_path: Path, with_costs: bool) -> None:
    write_record(tmp_path / "results", sample_split, "llama-tiny", kind="generative")
    readme = tmp_path / "README.md"
    costs = f"{BEGIN}\nold\n{END}\n" if with_costs else ""
    readme.write_text(f"a\n{RESULTS_BEGIN}\n{RESULTS_END}\nb\n{costs}c\n")
    assert update_readme(readme, tmp_path / "results")
    text = readme.read_text()
    assert text.startswith("a\n") and text.endswith("c\n") and "old" not in text
    assert (page(tmp_path / "results") in text) == with_costs
    assert not update_readme(readme, tmp_path / "results")
