"""What the settings of a fine-tuning say is what is done: adapters, 4-bit base, clipping, optimizer."""

from __future__ import annotations

import dataclasses
import math
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import adapter_preset, base_checkpoint, scratch_preset, shop

from genrec.config import FinetuneSettings
from genrec.training import loop
from genrec.training.backends.peft import build
from genrec.training.finetune import finetune
from genrec.training.loop import make_optimizer
from genrec.weights.base_model import BaseCheckpoint, load_base_model

DATA = shop()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return base_checkpoint(tmp_path_factory.mktemp("hub") / "base", DATA)


def described(folder: Path) -> BaseCheckpoint:
    values = {field.name: None for field in dataclasses.fields(BaseCheckpoint)}
    return BaseCheckpoint(**{**values, "name": "base", "folder": folder})


def test_adapters_have_the_rank_the_scale_and_the_dropout_of_the_settings(base: Path) -> None:
    asked = adapter_preset(base, four_bit=False, lora_r=4, lora_alpha=24, lora_dropout=0.3).finetune
    model = build(asked, described(base)).model
    layers = [module for module in model.modules() if hasattr(module, "lora_A")]
    assert layers
    for layer in layers:
        assert layer.r["default"] == 4
        assert layer.scaling["default"] == 24 / 4
        assert layer.lora_dropout["default"].p == 0.3


def test_four_bits_are_nf4_with_double_quantisation(base: Path) -> None:
    model = load_base_model(base, four_bit=True, device=torch.device("cpu"))
    states = [
        module.weight.quant_state for module in model.modules() if type(module).__name__ == "Linear4bit"
    ]
    assert states
    for state in states:
        assert state.quant_type == "nf4"
        assert state.nested and state.state2 is not None
        assert state.dtype == torch.float32  # on a CPU


@pytest.mark.parametrize("limit", [1e-3, 1e9])
def test_gradients_are_clipped_to_the_limit(
    limit: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    norms: list[float] = []

    def watched(model: Any, settings: FinetuneSettings) -> Any:
        optimizer = make_optimizer(model, settings)

        def note(*_: object) -> None:
            parts = [
                weight.grad.norm().item() for group in optimizer.param_groups for weight in group["params"]
            ]
            norms.append(math.hypot(*parts))

        optimizer.register_step_pre_hook(note)
        return optimizer

    monkeypatch.setattr(loop, "make_optimizer", watched)
    finetune(DATA, scratch_preset(max_grad_norm=limit, max_steps=4), "clipped", seed=0, work=tmp_path)
    assert len(norms) == 4
    if limit < 1:
        assert norms == pytest.approx([limit] * 4, rel=1e-3), "every gradient of this model is far longer"
    else:
        assert min(norms) > 1e-2, "nothing is cut that need not be"


@pytest.mark.parametrize(
    ("name", "kind", "paged"),
    [
        ("adamw", "AdamW", None),
        ("adamw_8bit", "AdamW8bit", False),
        ("paged_adamw_8bit", "PagedAdamW8bit", True),
    ],
)
def test_the_optimizer_is_the_one_named(name: str, kind: str, paged: bool | None) -> None:
    settings = scratch_preset(optimizer=name, learning_rate=0.25, weight_decay=0.5).finetune
    optimizer = make_optimizer(torch.nn.Linear(3, 2), settings)
    assert type(optimizer).__name__ == kind
    assert getattr(optimizer, "is_paged", None) is paged
    assert {group["lr"] for group in optimizer.param_groups} == {0.25}
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.5, 0.0]


def test_unsloth_is_asked_for_the_same(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """unsloth itself needs a GPU; what it is told does not."""
    told: dict[str, Any] = {}

    class FastLanguageModel:
        @staticmethod
        def from_pretrained(folder: str, **options: Any) -> tuple[Any, None]:
            told.update(options)
            return torch.nn.Linear(2, 2), None

        @staticmethod
        def get_peft_model(model: Any, **options: Any) -> Any:
            told.update(options)
            return model

    monkeypatch.setitem(sys.modules, "unsloth", types.SimpleNamespace(FastLanguageModel=FastLanguageModel))
    monkeypatch.delitem(sys.modules, "genrec.training.backends.unsloth_process", raising=False)
    from genrec.training.backends import unsloth_process

    preset = adapter_preset(base, lora_r=4, lora_alpha=24, lora_dropout=0.3, four_bit=True)
    unsloth_process.build(types.SimpleNamespace(settings=preset, seed=5), described(base))  # type: ignore[arg-type]
    monkeypatch.delitem(sys.modules, "genrec.training.backends.unsloth_process")
    expected = {"r": 4, "lora_alpha": 24, "lora_dropout": 0.3, "load_in_4bit": True, "random_state": 5}
    assert told.items() >= expected.items()
