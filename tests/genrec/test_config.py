"""Presets hold the published settings, and a wrong setting is told with the closest right one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.errors import ConfigError
from genrec.artefact import artefact_folder
from genrec.config import settings_digest
from genrec.preset_files import load_preset, preset_names

PUBLISHED = {
    "llama-1b": "unsloth/Llama-3.2-1B",
    "llama-3b": "unsloth/Llama-3.2-3B",
    "llama-8b": "unsloth/Llama-3.1-8B",
}


@pytest.mark.parametrize(("name", "base"), PUBLISHED.items())
def test_published_presets(name: str, base: str) -> None:
    preset = load_preset(name)
    assert preset.base_model == base
    assert preset.needs_gpu
    assert preset.item_format == "title"
    assert preset.retrieve.list_rule == "published"
    finetune = preset.finetune.model_dump()
    assert (
        finetune
        | {
            "four_bit": True,
            "lora_r": 16,
            "lora_alpha": 16,
            "lora_dropout": 0.0,
            "max_seq_length": 1024,
            "loss_on": "text",
            "batching": "padded",
            "batch_size": 4,
            "gradient_accumulation": 4,
            "learning_rate": 1e-4,
            "schedule": "linear",
            "warmup_steps": 300,
            "weight_decay": 0.01,
            "optimizer": "adamw_8bit",
            "epochs": 10,
            "patience": 3,
        }
        == finetune
    )
    generate = preset.generate
    assert (generate.strategy, generate.num_beams, generate.max_new_tokens) == ("beam", 5, 50)
    assert generate.max_seq_length == 1024


def test_every_preset_is_a_registered_model() -> None:
    from bench.models import MODELS

    presets = {entry.arguments["preset"] for entry in MODELS.values() if "preset" in entry.arguments}
    assert presets == set(preset_names())
    for name in preset_names():
        load_preset(name)


def test_overrides_reach_their_setting() -> None:
    preset = load_preset(
        "llama-1b", ["finetune.lora_r=32", "finetune.four_bit=False", "generate.strategy=constrained"]
    )
    assert preset.finetune.lora_r == 32
    assert preset.finetune.four_bit is False
    assert preset.generate.strategy == "constrained"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "finetune.lora_rank=32",
            r"unknown setting .*'finetune\.lora_rank'; did you mean 'finetune\.lora_r'\?",
        ),
        ("finetun.lora_r=32", r"unknown setting .*'finetun'; did you mean 'finetune'"),
        ("finetune.lora_r=0", r"finetune\.lora_r: .*greater than or equal to 1 \(got 0\)"),
        ("finetune.lora_r=many", r"finetune\.lora_r: .*integer"),
        ("finetune.optimizer=sgd", r"finetune\.optimizer: .*'adamw_8bit'"),
        ("generate.strategy=bema", r"generate\.strategy: .*'beam'"),
        ("finetune.lora_r", "a setting is written key=value"),
        ("finetune.lora_r=[", "not valid YAML"),
        ("base_model.name=x", "'base_model' in 'base_model.name' holds one value"),
        ("finetune.backend=full", "needs finetune.four_bit: false"),
        ("architecture.layers=2", "exactly one of base_model and architecture"),
    ],
)
def test_wrong_settings_are_explained(setting: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_preset("llama-1b", [setting])


def test_packed_batches_are_not_for_unsloth() -> None:
    with pytest.raises(ConfigError, match="packed needs"):
        load_preset("llama-1b", ["finetune.backend=unsloth", "finetune.batching=packed"])


def test_from_scratch_trains_all_weights() -> None:
    with pytest.raises(ConfigError, match="from scratch needs finetune.backend: full"):
        load_preset("llama-tiny", ["finetune.backend=peft"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("finetune: [1, 2", "not valid YAML"),
        ("- a\n- b", "must be a mapping of settings, got list"),
        ("base_model: x\nfinetune: 3", "finetune: "),
        ("base_model: x\nfinetuning: {}", "did you mean 'finetune'"),
        ("item_format: title", "exactly one of base_model and architecture"),
    ],
)
def test_broken_preset_files(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        load_preset(str(path))


def test_unknown_preset_names_the_closest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'llama-tiny'"):
        load_preset("lama-tiny")
    with pytest.raises(ConfigError, match="there is no preset file 'none.yaml'"):
        load_preset("none.yaml")


def test_auto_is_keyed_as_what_it_became(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts: dict[str, Any] = {"seed": 0, "fingerprint": "f", "base_revision": None}

    def folder(*settings: str) -> Path:
        return artefact_folder(tmp_path, "llama-1b", load_preset("llama-1b", settings), **facts)

    monkeypatch.setattr("genrec.availability.has_unsloth", lambda: False)
    assert folder() == folder("finetune.backend=peft") != folder("finetune.backend=unsloth")
    monkeypatch.setattr("genrec.availability.has_unsloth", lambda: True)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert folder() == folder("finetune.backend=unsloth") != folder("finetune.backend=peft")


def test_only_what_shapes_the_weights_names_the_folder(tmp_path: Path) -> None:
    def folder(*settings: str, seed: int = 0, fingerprint: str = "f", revision: str = "r") -> Path:
        preset = load_preset("llama-1b", settings)
        return artefact_folder(
            tmp_path, "llama-1b", preset, seed=seed, fingerprint=fingerprint, base_revision=revision
        )

    same = folder()
    for setting in (
        "generate.num_beams=9",
        "retrieve.list_rule=calrec",
        "needs_gpu=false",
        "finetune.report_to=wandb",
        "finetune.checkpoint_minutes=1",
    ):
        assert folder(setting) == same
    others = [
        folder("finetune.lora_r=8"),
        folder("item_format=title+category+brand+price"),
        folder(seed=1),
        folder(fingerprint="g"),
        folder(revision="s"),
    ]
    assert len({same, *others}) == 6


def test_digest_does_not_depend_on_order() -> None:
    assert settings_digest({"a": 1, "b": [2]}) == settings_digest({"b": [2], "a": 1})
    assert settings_digest({"a": 1}) != settings_digest({"a": 2})
