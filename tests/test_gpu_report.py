"""Every part of the GPU report, run for real on a CPU at tiny size: records, resumption, refusals."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from bench import store
from bench.cli import build_app
from bench.errors import BenchError
from bench.schema import Split
from genrec.availability import UNSLOTH_PYTHON
from genrec.config import load_preset
from genrec.gpu_report import finetuning, steps
from genrec.gpu_report.parts import PARTS
from genrec.gpu_report.rates import data_sheet, generation_work, model_flops_per_token
from genrec.gpu_report.setting import TINY, Setting
from genrec.gpu_report.steps import Measured, Part, Row, Step, TimeIsUp, run_part
from genrec.shapes import LLAMA_SHAPES

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="tiny sizes are for machines without a GPU")


def quiet(*_: object) -> None:
    pass


def make_setting(split: Split, folder: Path) -> Setting:
    return Setting(
        dataset="toy",
        load_split=lambda ties: replace(split, ties=ties),
        results_dir=folder / "results",
        work=folder / "work",
        scale=TINY,
        sizes=("1b",),
    )


@pytest.fixture(autouse=True)
def without_unsloth(monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps of backend unsloth are minutes of import each; its own test file runs it."""
    monkeypatch.delenv(UNSLOTH_PYTHON, raising=False)


@pytest.fixture
def setting(toy_split: Split, tmp_path: Path) -> Setting:
    torch.set_num_threads(1)
    return make_setting(toy_split, tmp_path)


def go(setting: Setting, part: str, minutes: float = 10) -> list[Row]:
    return run_part(PARTS[part], setting, minutes=minutes, show=quiet)


def records(setting: Setting) -> dict[str, Any]:
    loaded = store.load_records(setting.results_dir)
    assert not loaded.problems
    return {stored.record.model.name: stored.record for stored in loaded.records}


def test_cost_rows(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = go(setting, "cost")
    assert [row["what"] for row in rows] == ["peft, published batch", "peft, best batch"]
    assert all(row["tokens_per_second"] > 0 and row["allocated_gb"] is None for row in rows)
    found = records(setting)
    assert set(found) == {"llama-1b-cost", "llama-1b-cost-best-batch"}
    record = found["llama-1b-cost"]
    assert (record.status, record.model.kind, record.metrics) == ("cost-only", "cost-only", None)
    assert record.cost.peak_vram_bytes is None and record.cost.users_per_second > 0
    assert "fit" not in record.cost.wall_seconds  # seconds of a sample must not pass for a whole run's
    estimate = record.details["full_run_estimate"]
    tokens = int(estimate["fit_arithmetic"].split(" x ")[1].split(" ")[0].replace(",", ""))
    per_second = record.details["finetuning"]["tokens_per_second"]
    assert estimate["fit_hours"] == pytest.approx(10 * tokens / per_second / 3600, abs=1e-3)

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("what is kept is not measured again")

    monkeypatch.setattr("genrec.gpu_report.cost_rows.measure_finetuning", fail)
    assert go(setting, "cost") == rows
    assert len(store.load_records(setting.results_dir).records) == 2


def test_lack_of_memory_is_a_row_and_no_record(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    def lack(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(finetuning, "finetune", lack)
    rows = go(setting, "cost")
    assert [row["note"] for row in rows] == ["does not fit on this card"] * 2
    assert not store.load_records(setting.results_dir).records


def test_generation_speed_writes_the_same_texts(setting: Setting) -> None:
    rows = go(setting, "generation-speed")
    ways = [row["way"] for row in rows]
    assert ways[0] == "published loop" and ways[-2] == "ours" and "fp32" in ways[-1]
    # this machine computes in fp32 in any case, where both loops must agree
    assert rows[-1]["same_texts_as_ours"] == 1.0
    assert all(row["users_per_second"] > 0 for row in rows[:-1])
    assert rows[0]["batches"] == 1 and rows[0]["prefill_flops_share"] > 0
    table = records(setting)["llama-1b-generation-speed"].details["table"]
    assert table[0]["times_published"] == 1.0 and len(table) == len(rows)


def test_finetune_speed(setting: Setting) -> None:
    rows = go(setting, "finetune-speed")
    assert rows[0]["batches"] == "padded (published)" and len(rows) == 5
    assert rows[2]["padding_share"] <= rows[0]["padding_share"]
    assert all(row["mfu"] is None and row["share_of_measured_matmul"] > 0 for row in rows)
    assert records(setting)["llama-1b-finetune-speed"].details["table"][0]["times_published"] == 1.0


def test_quality_then_strategies(setting: Setting) -> None:
    rows = go(setting, "llama-60m")
    found = records(setting)
    assert set(found) == {"llama-tiny", "llama-tiny-constrained", "llama-tiny-candidates"}
    assert len(store.load_records(setting.results_dir).records) == 5  # two tie rules each, and one table
    candidates, tested = rows[: len(TINY.candidates)], rows[len(TINY.candidates) :]
    best = max(candidates, key=lambda row: row["ndcg@5 removed"])
    taken = found["llama-tiny"].model.parameters["finetune"]["learning_rate"]
    assert taken == (1e-3 if "learning_rate" in best["what"] else 5e-3)
    assert found["llama-tiny-constrained"].details["generation_health"]["exact_texts"] == 1.0
    assert [row["users"] for row in candidates] == [1, 1]  # the one validation user
    assert [row["users"] for row in tested] == [6] * 4

    strategies = go(setting, "strategies")
    assert [row["strategy"] for row in strategies] == [
        "beam", "sample:0.5", "sample:0.2", "sample:0.1", "calrec", "constrained",
    ]  # fmt: skip
    assert "llama-tiny-strategies" in records(setting)
    trained = [path for path in setting.work.iterdir() if path.name.startswith("llama-tiny-")]
    assert len(trained) == len(TINY.candidates)  # nothing was fine-tuned again


def step_part(log: list[str], *names: str, act: Callable[[str], None] = quiet) -> Part:
    def measure(name: str) -> Measured:
        log.append(name)
        act(name)
        return Measured(row={"step": name})

    def listed(_: Setting) -> Sequence[Step]:
        return [Step(name=name, measure=lambda name=name: measure(name)) for name in names]

    return Part(name="probe", title="probe", steps=listed)


def test_an_interrupted_part_goes_on(setting: Setting) -> None:
    log: list[str] = []

    def killed_at_b(name: str) -> None:
        if name == "b" and log.count("b") == 1:
            raise KeyboardInterrupt

    part = step_part(log, "a", "b", "c", act=killed_at_b)
    with pytest.raises(KeyboardInterrupt):
        run_part(part, setting, minutes=10, show=quiet)
    assert run_part(part, setting, minutes=10, show=quiet) == [{"step": name} for name in "abc"]
    assert log == ["a", "b", "b", "c"]


def test_a_part_stops_when_its_minutes_are_over(setting: Setting) -> None:
    with pytest.raises(TimeIsUp):
        go(setting, "cost", minutes=0)
    assert not store.load_records(setting.results_dir).records
    assert steps.kept_rows(setting, "cost") == {}


def test_a_step_whose_record_is_gone_is_measured_again(setting: Setting, tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text("{}")
    steps.keep(setting, "probe", "a", Measured(row={"step": "kept"}, record=path))
    log: list[str] = []
    assert run_part(step_part(log, "a"), setting, minutes=1, show=quiet) == [{"step": "kept"}]
    path.unlink()
    assert run_part(step_part(log, "a"), setting, minutes=1, show=quiet) == [{"step": "a"}]


def test_data_sheets_are_found_by_the_drivers_name() -> None:
    known = {name: data_sheet(name) for name in ("NVIDIA H200", "NVIDIA A100-SXM4-80GB", "NVIDIA RTX A5000")}
    assert [gpu.name if gpu else None for gpu in known.values()] == ["h200", "a100-80gb", "rtx-a5000"]
    assert data_sheet("cpu") is None and data_sheet("Some Card 9000") is None


def test_operations_of_the_published_1b() -> None:
    """4 operations a frozen weight and token, attention 3 x 4 q (context / 2) a layer, 6 an adapter's."""
    shape, settings = LLAMA_SHAPES["llama-1b"], load_preset("llama-1b").finetune
    expected = 4 * (shape.block_parameters + shape.vocab_size * 2048)
    expected += 3 * 16 * 4 * 2048 * (200 / 2) + 6 * 11_272_192
    assert model_flops_per_token(shape, settings, context=200.0) == pytest.approx(expected)


def test_least_bytes_of_decoding() -> None:
    shape, settings = LLAMA_SHAPES["llama-1b"], load_preset("llama-1b").generate
    given: dict[str, Any] = dict(four_bit=False, prompt_tokens=1000, users=4, batches=1, steps=10.0)
    once = generation_work(shape, settings, **given, prompts_kept_once=True)
    often = generation_work(shape, settings, **given, prompts_kept_once=False)
    kv = 2 * 2 * 16 * 8 * 64
    assert once.decode_bytes == pytest.approx(10 * (2 * shape.parameters + (1000 + 4 * 5 * 5) * kv))
    assert often.decode_bytes - once.decode_bytes == pytest.approx(10 * 4 * 1000 * kv)


def invoke(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(build_app(), ["gpu-report", *arguments])
    if isinstance(done.exception, BenchError):
        return 1, str(done.exception)
    return done.exit_code, done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--parts", "cost"], "needs a CUDA GPU and there is none here; on one it would run cost"),
        (["--device", "cpu"], "add --shape tiny"),
        (["--parts", "costs"], "did you mean 'cost'"),
        (["--device", "cpu", "--shape", "tiny", "--sizes", "7b"], "unknown size '7b'"),
        (["--device", "gpu"], "unknown device 'gpu'"),
    ],
)
def test_refusals(arguments: list[str], message: str) -> None:
    code, output = invoke(*arguments)
    assert code == 1 and message in output and "\n" not in output.strip()


def test_the_command_prints_a_table_and_says_what_is_left(tmp_path: Path) -> None:
    places = ["--results", str(tmp_path / "results"), "--work-dir", str(tmp_path / "work")]
    tiny = ["--device", "cpu", "--shape", "tiny", "--dataset", "sample", *places]
    code, output = invoke("--parts", "ceilings", *tiny)
    assert code == 0 and "copy bytes/s" in output
    started = time.monotonic()
    code, output = invoke("--parts", "strategies", "--minutes", "0", *tiny)
    assert code == 75 and "not finished: strategies" in output and time.monotonic() - started < 60
