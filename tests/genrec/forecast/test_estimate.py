"""Forecasts agree with what autograd really keeps, with real layers, and with the published figures."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import base_checkpoint, shop
from typer.testing import CliRunner

from bench.errors import BenchError, ConfigError
from bench.schema import Split
from genrec.forecast.estimate import Workload, finetune_flops_per_token, forecast
from genrec.forecast.gpus import GPUS, find_gpu
from genrec.forecast.memory import (
    block_activation_bytes,
    finetune_memory,
    generate_memory,
    kv_bytes,
    weight_bytes,
)
from genrec.preset_files import load_preset
from genrec.weights.base_model import recompute_activations, shape_of_checkpoint
from genrec.weights.shapes import LLAMA_SHAPES, Shape, llama_config

GB = 1e9
PUBLISHED_UNDER_GB = {"llama-1b": 4.0, "llama-3b": 5.5, "llama-8b": 9.0}
"""Peak of fine-tuning on an RTX A5000, batch 4, length 1024, as published (rounded up)."""
PUBLISHED_HOURS = {"llama-1b": 3.5, "llama-3b": 12.0, "llama-8b": 14.0}

SMALL = Shape(
    hidden_size=256, layers=1, heads=8, kv_heads=4, head_dim=32, intermediate_size=512,
    vocab_size=64, tie_embeddings=True,
)  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("name", PUBLISHED_UNDER_GB)
def test_published_memory(name: str) -> None:
    """Within the published bound + 10 %, and above 60 % of it (the bounds are rounded up).

    At full length and with logits in chunks, as our loss and unsloth's kernels hold them. With the
    logits of all 4 x 1,024 tokens at once, 8 GB at 16 bytes each, no published figure could hold.
    """
    memory = finetune_memory(LLAMA_SHAPES[name], load_preset(name).finetune, longest=1024)
    assert 0.6 * PUBLISHED_UNDER_GB[name] < memory.total / GB < 1.1 * PUBLISHED_UNDER_GB[name]
    all_logits = 16 * 4 * 1024 * LLAMA_SHAPES[name].vocab_size
    assert memory.total - memory.parts["logits"] + all_logits > PUBLISHED_UNDER_GB[name] * GB


@pytest.mark.parametrize("name", PUBLISHED_HOURS)
def test_published_hours(name: str) -> None:
    """Published hours lie between four epochs and all ten at the stated MFU; it stopped early."""
    lengths = np.random.default_rng(0).gamma(4.0, 58.0, 22_363).astype(np.int64) + 70
    work = Workload(train=lengths, prompts=lengths, counted_by="made up, of Beauty's mean length")
    result = forecast(load_preset(name), LLAMA_SHAPES[name], work, GPUS["rtx-a5000"])
    assert 0.35 * result.finetune_hours < PUBLISHED_HOURS[name] < result.finetune_hours


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("change", [{}, {"hidden_size": 384}, {"intermediate_size": 1024}, {"kv_heads": 8}])
def test_activations_are_what_autograd_keeps(full: bool, change: dict[str, int]) -> None:
    shape = replace(SMALL, **change)
    kept = [_kept_bytes(replace(shape, layers=layers), full=full, checkpointing=False) for layers in (1, 3)]
    tokens = 8 * 128
    # bf16 copies of fp32 weights, made once whatever the number of tokens
    weights = 2 * (shape.block_parameters if full else shape.lora_parameters(4))
    measured = ((kept[1] - kept[0]) / 2 - weights) / tokens
    assert block_activation_bytes(shape, full=full) == pytest.approx(measured, rel=0.04)


@pytest.mark.parametrize("full", [False, True])
def test_checkpointing_keeps_one_hidden_state_a_block(full: bool) -> None:
    kept = [_kept_bytes(replace(SMALL, layers=layers), full=full, checkpointing=True) for layers in (1, 3)]
    assert (kept[1] - kept[0]) / 2 == 8 * 128 * SMALL.hidden_size * (4 if full else 2)


def _kept_bytes(shape: Shape, *, full: bool, checkpointing: bool) -> int:
    """Bytes that the backward pass will need of 8 texts of 128 tokens, parameters not counted."""
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaForCausalLM

    model: Any = LlamaForCausalLM(llama_config(shape, max_positions=256))
    if not full:
        model = model.to(torch.bfloat16).requires_grad_(False)
    if checkpointing:
        recompute_activations(model)
    if not full:
        model = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear"))
    model.train()
    parameters = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    decoder = model.base_model if full else model.get_base_model().base_model
    ids = torch.zeros(8, 128, dtype=torch.long)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor), torch.autocast("cpu"):
        output = decoder(input_ids=ids, use_cache=False).last_hidden_state  # noqa: F841  # keeps the graph alive
    return sum(kept.values())


def test_weights_at_rest_in_4_bit(tmp_path: Path) -> None:
    """The same bytes as bitsandbytes holds: packed weights, scales and scales of scales."""
    import bitsandbytes as bnb

    inputs, outputs = 1024, 1024
    layer = bnb.nn.Linear4bit(inputs, outputs, bias=False, compress_statistics=True, quant_type="nf4")
    layer = layer.to("cpu")
    layer.weight = bnb.nn.Params4bit(
        torch.randn(outputs, inputs), requires_grad=False, compress_statistics=True, quant_type="nf4"
    ).to("cpu")
    state = layer.weight.quant_state
    held = layer.weight.numel() * layer.weight.element_size()
    held += state.absmax.numel() * state.absmax.element_size()
    held += state.state2.absmax.numel() * state.state2.absmax.element_size()
    shape = replace(SMALL, vocab_size=1)
    plain = 2 * (shape.embedding_parameters + shape.norm_parameters)
    ours = (weight_bytes(shape, four_bit=True) - plain) / shape.block_parameters
    assert ours == pytest.approx(held / (inputs * outputs), rel=0.01)


def test_cache_of_the_published_models() -> None:
    assert {name: kv_bytes(shape) for name, shape in LLAMA_SHAPES.items()} == {
        "llama-1b": 32_768,
        "llama-3b": 114_688,
        "llama-8b": 131_072,
    }


def test_operations_follow_the_rule_of_six() -> None:
    """All weights trained, nothing made again, short texts: 6 operations a weight and token."""
    settings = load_preset("llama-60m").finetune
    shape = replace(LLAMA_SHAPES["llama-1b"], vocab_size=2)
    flops = finetune_flops_per_token(shape, settings, context=1)
    assert flops == pytest.approx(6 * shape.block_parameters, rel=1e-3)
    again = settings.model_copy(update={"gradient_checkpointing": True})
    assert finetune_flops_per_token(shape, again, context=1) == pytest.approx(
        8 * shape.block_parameters, rel=1e-3
    )


def test_less_of_anything_takes_less() -> None:
    preset, shape = load_preset("llama-8b"), LLAMA_SHAPES["llama-8b"]
    settings = preset.finetune

    def total(longest: int = 1024, **changes: Any) -> float:
        return finetune_memory(shape, settings.model_copy(update=changes), longest=longest).total

    assert total(batch_size=1) < total()
    assert total(longest=256) < total()
    assert total(lora_r=4) < total()
    assert total(four_bit=False) > total()
    assert total(gradient_checkpointing=False) > total()
    assert total(optimizer="adamw") > total()
    assert generate_memory(shape, settings, preset.generate, longest=1024).total < total()


class TestCommand:
    def run(self, *words: str, given: Split, monkeypatch: pytest.MonkeyPatch) -> str:
        from bench.cli import build_app

        monkeypatch.setattr("bench.datasets.splits.load_split", lambda name, split, data_dir: given)
        monkeypatch.setenv("COLUMNS", "160")
        result = CliRunner().invoke(build_app(), ["estimate", *words])
        if isinstance(result.exception, BenchError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    @pytest.fixture
    def estimate(self, sample_split: Split, monkeypatch: pytest.MonkeyPatch) -> Any:
        return lambda *words: self.run(*words, given=sample_split, monkeypatch=monkeypatch)

    def test_says_what_fits(self, estimate: Any) -> None:
        output = estimate("llama-8b", "--gpu", "24GB")
        assert "trainable 41,943,040 (0.52%)" in output
        assert "NOT fit" not in output
        assert "speed of an rtx-a5000 assumed" in output
        assert "MFU 0.3" in output

    def test_says_what_does_not_fit(self, estimate: Any) -> None:
        output = estimate("llama-8b", "--gpu", "8GB", "--set", "finetune.batch_size=32")
        assert "fine-tuning will NOT fit" in output
        assert "generation will NOT fit" not in output
        assert "generation will NOT fit" in estimate("llama-8b", "--gpu", "4 GB")

    def test_model_from_scratch_is_counted_by_its_own_tokenizer(self, estimate: Any) -> None:
        assert "counted by the model's own tokenizer" in estimate("llama-tiny", "--gpu", "h200")

    def test_of_another_split_the_texts_are_counted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from bench.cli import build_app

        monkeypatch.setenv("COLUMNS", "160")
        words = ["estimate", "llama-tiny", "--dataset", "sample", "--split"]
        everybody, later = (
            CliRunner().invoke(build_app(), [*words, name]).output for name in ("loo", "time:0.5")
        )
        assert "on sample, split leave-one-out," in everybody and "h for 1,000 users" in everybody
        assert "on sample, split time:0.5," in later and "h for 127 users" in later

    def test_settings_of_ones_own(self, estimate: Any, tmp_path: Path) -> None:
        base = base_checkpoint(tmp_path / "base", shop())
        preset = tmp_path / "mine.yaml"
        preset.write_text(f"base_model: {base}\n", encoding="utf-8")
        output = estimate(str(preset))
        shape = shape_of_checkpoint(base)
        assert f"parameters: {shape.parameters:,}, trainable {shape.lora_parameters(16):,}" in output

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["lama-8b"], "did you mean 'llama-8b'"),
            (["llama-8b", "--gpu", "rtx-a500"], "did you mean 'rtx-a5000'"),
            (["llama-8b", "--gpu", "0GB"], "more than 0 GB"),
            (["llama-8b", "--mfu", "1.5"], "--mfu is a share"),
            (["llama-8b", "--set", "finetune.lora=3"], "did you mean 'finetune.lora_r'"),
        ],
    )
    def test_bad_input(self, estimate: Any, words: list[str], message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            estimate(*words)


def test_bare_memory_sizes() -> None:
    assert find_gpu("24GB").memory_bytes == find_gpu("24 gib").memory_bytes == find_gpu("24g").memory_bytes
    assert find_gpu("RTX A5000") is GPUS["rtx-a5000"]


def test_forecast_needs_no_torch() -> None:
    """A laptop without the extra can ask what a model would take."""
    script = (
        "import sys\n"
        "sys.modules['torch'] = sys.modules['transformers'] = None\n"
        "from genrec.commands.estimate import find_shape\n"
        "from genrec.preset_files import load_preset\n"
        "import genrec.forecast.estimate, genrec.forecast.memory, genrec.forecast.workload\n"
        "print(find_shape('llama-8b', load_preset('llama-8b')).parameters)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=Path(__file__).parents[3], capture_output=True, text=True
    )
    assert done.stdout.strip() == "8030261248", done.stderr
