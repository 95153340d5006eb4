"""Speed and cost cases, run for real on a CPU at tiny size: rows, records, refusals."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import writers

from bench.records import store
from bench.schema import Split
from genrec.availability import UNSLOTH_PYTHON
from genrec.config import GenerateSettings
from genrec.preset_files import load_preset
from genrec.speed import finetuning, finetuning_ways
from genrec.speed.cost_rows import PARTS, measure_cost
from genrec.speed.generation_ways import WAYS, measure_ways
from genrec.speed.published_loop import published_loop
from genrec.speed.rates import data_sheet, generation_work, model_flops_per_token
from genrec.speed.setting import TINY, Setting
from genrec.weights.shapes import LLAMA_SHAPES

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="tiny sizes are for machines without a GPU")


TOKENIZER = writers.tokenizer()


@pytest.fixture(autouse=True)
def without_unsloth(monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps of backend unsloth are minutes of import each; its own test file runs it."""
    monkeypatch.delenv(UNSLOTH_PYTHON, raising=False)


@pytest.fixture
def setting(toy_split: Split, tmp_path: Path) -> Setting:
    torch.set_num_threads(1)
    return Setting(
        dataset="toy", split=toy_split, results_dir=tmp_path / "results", work=tmp_path / "work", scale=TINY
    )


def records(setting: Setting) -> dict[str, Any]:
    loaded = store.load_records(setting.results_dir)
    assert not loaded.problems
    return {stored.record.model.name: stored.record for stored in loaded.records}


def test_cost_rows(setting: Setting) -> None:
    *rows, unsloth = (measure_cost(setting, "1b", part) for part in PARTS)
    assert [row["what"] for row in rows] == ["peft, published batch", "peft, best batch"]
    assert all(row["tokens_per_second"] > 0 and row["allocated_gb"] is None for row in rows)
    assert unsloth["what"] == "unsloth, published batch" and unsloth["tokens_per_second"] is None
    assert "unavailable: unsloth is not installed; get it with" in unsloth["note"]
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


def test_lack_of_memory_is_a_row_and_no_record(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    def lack(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(finetuning, "finetune", lack)
    rows = [measure_cost(setting, "1b", part) for part in ("published", "best-batch")]
    assert [row["note"] for row in rows] == ["does not fit on this card"] * 2
    assert not store.load_records(setting.results_dir).records


def test_generation_speed_adds_one_technique_at_a_time(setting: Setting) -> None:
    rows = measure_ways(setting, "1b")
    *timed, compared = rows
    assert [row["way"] for row in timed] == list(WAYS)
    assert all(row["users_per_second"] > 0 and row["prefill_flops_share"] > 0 for row in timed)
    assert timed[0]["batches"] == 1 and timed[0]["times_previous"] == timed[0]["times_published"] == 1.0
    for above, row in pairwise(timed[:-1]):
        gain = row["users_per_second"] / above["users_per_second"]
        assert row["times_previous"] == pytest.approx(gain, abs=0.02)
    # fp32 on this machine: no rounding decides, and every way writes the same
    assert [row["same_texts"] for row in rows] == [1.0] * len(rows)
    assert compared["way"] == f"all ways in fp32, {TINY.prompts} prompts" and "note" not in compared
    table = records(setting)["llama-1b-generation-speed"].details["table"]
    assert [row["way"] for row in table] == [row["way"] for row in rows]


def test_a_way_that_writes_other_texts_is_shown(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Any) -> Any:
        return lambda prompts, settings: [["something else"] * settings.num_beams for _ in prompts]

    monkeypatch.setitem(WAYS, "+ shared instruction prefix", broken)
    other = [row for row in measure_ways(setting, "1b") if row["same_texts"] < 1]
    assert other[0]["way"] == "+ shared instruction prefix" and other[0]["same_texts"] == 0.0
    assert other[1]["note"] == "other texts by: + shared instruction prefix (0.00% the same)"


def test_full_batches_that_do_not_fit_are_halved(setting: Setting) -> None:
    model = writers.llama(len(TOKENIZER), end_bias=2.0)
    prompts = writers.prompts(7)
    settings = GenerateSettings(num_beams=2, max_new_tokens=6, max_seq_length=240)
    expected = published_loop(model, TOKENIZER, prompts, settings)
    rows: list[int] = []

    def fail_above_two_users(ids: Any) -> None:
        rows.append(ids.shape[0])
        if ids.shape[0] > 2 * settings.num_beams:
            raise torch.OutOfMemoryError("CUDA out of memory")

    model.register_forward_pre_hook(
        lambda _, __, inputs: fail_above_two_users(inputs["input_ids"]), with_kwargs=True
    )
    assert published_loop(model, TOKENIZER, prompts, settings, token_budget=10_000) == expected
    assert rows[0] == 7 * settings.num_beams


def test_finetune_speed(setting: Setting) -> None:
    rows = finetuning_ways.measure_ways(setting, "1b")
    assert all("unsloth is not installed" in row["note"] for row in rows[5:])
    rows = rows[:5]
    assert rows[0]["batches"] == "padded (published)"
    assert rows[2]["padding_share"] <= rows[0]["padding_share"]
    assert all(row["mfu"] is None and row["share_of_measured_matmul"] > 0 for row in rows)
    assert records(setting)["llama-1b-finetune-speed"].details["table"][0]["times_published"] == 1.0


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
