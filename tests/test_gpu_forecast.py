"""The forecast of a GPU report needs no GPU, covers every part, and follows the work and the card."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tiny_report import make_setting
from typer.testing import CliRunner

from bench.cli import build_app
from bench.schema import Split
from genrec.commands.gpu_report import PART_NAMES
from genrec.config import load_preset
from genrec.gpu_report import forecast
from genrec.gpu_report.forecast import forecast_steps
from genrec.gpu_report.parts import PARTS
from genrec.gpu_report.setting import TRUE, Setting
from genrec.gpus import find_gpu
from genrec.shapes import shape_of


@pytest.fixture
def setting(toy_split: Split, tmp_path: Path) -> Setting:
    return replace(make_setting(toy_split, tmp_path), scale=TRUE, sizes=("1b", "8b"))


def seconds(setting: Setting, card: str) -> dict[tuple[str, str], float]:
    return {(step.part, step.step): step.seconds for step in forecast_steps(setting, find_gpu(card))}


def test_every_part_is_forecast(setting: Setting) -> None:
    assert tuple(PARTS) == PART_NAMES
    found = seconds(setting, "h200")
    assert {part for part, _ in found} == set(PART_NAMES) - {"ceilings"}
    assert all(value > 0 for value in found.values())


def test_a_slower_card_and_a_larger_model_take_longer(setting: Setting) -> None:
    fast, slow = seconds(setting, "h200"), seconds(setting, "t4")
    assert all(slow[step] >= fast[step] for step in fast)
    assert slow["cost", "8b peft"] > 1.5 * fast["cost", "8b peft"]
    assert fast["cost", "8b peft"] > fast["cost", "1b peft"]


def test_training_from_scratch_follows_its_arithmetic(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six texts are one step of one pass; its launches and its checkpoint are all that take time."""
    monkeypatch.setattr(forecast, "TOKENIZER_SECONDS", 0.0)
    monkeypatch.setattr(forecast, "LOAD_SECONDS", 0.0)
    found = seconds(setting, "h200")["llama-60m-shuffled", "training"]
    preset = load_preset("llama-60m")
    assert preset.architecture is not None
    shape, epochs = shape_of(preset.architecture), preset.finetune.epochs
    assert found == pytest.approx(
        epochs * (3 * shape.layers * 0.8e-3 + 16 * shape.parameters / 1e9), rel=1e-6
    )


def test_the_preset_has_about_60_million_weights_and_one_pass_a_step() -> None:
    preset = load_preset("llama-60m")
    assert preset.architecture is not None
    assert 55e6 < shape_of(preset.architecture).parameters < 65e6
    settings = preset.finetune
    mean_tokens = 134  # of Beauty's training texts, counted with the tokenizer trained on them
    rows = settings.batch_size * settings.gradient_accumulation * mean_tokens / settings.max_seq_length
    assert rows <= settings.batch_size
    assert settings.warmup_steps < 0.2 * settings.epochs * 22_363 / 128


def test_the_command_says_it_without_a_gpu() -> None:
    tiny = ["--dataset", "sample", "--shape", "tiny", "--parts", "ceilings,strategies"]
    done = CliRunner().invoke(build_app(), ["gpu-report", "--forecast", *tiny])
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.output.splitlines()[:2]] == ["ceilings", "strategies"]
    assert "assumed: MFU 0.3" in done.output
