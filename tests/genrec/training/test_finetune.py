"""Adapters on a base model on disk: 4-bit and plain, saved, loaded and of the size that was published."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_models import adapter_preset, base_checkpoint, compact_preset, scratch_preset, shop

from bench.errors import ConfigError, DataError, Unavailable
from bench.schema import Examples, Histories, TrainingData
from genrec import artefact
from genrec.config import Preset
from genrec.preset_files import load_preset
from genrec.training.backends.peft import build as build_peft
from genrec.training.corpus import build_corpus
from genrec.training.encode import encode
from genrec.training.finetune import finetune
from genrec.training.tracking import open_log
from genrec.weights.base_model import BaseCheckpoint
from genrec.weights.shapes import LLAMA_SHAPES, LORA_TARGETS, llama_config

DATA = shop()
LLAMA_TINY_BLOCK = sum(
    4 * (inputs + outputs)
    for inputs, outputs in ((64, 64), (64, 32), (64, 32), (64, 64), (64, 128), (64, 128), (128, 64))
)
"""Weights of rank-4 adapters on one block of the checkpoint of `base_checkpoint`."""
TRAINABLE = {"llama-1b": 11_272_192, "llama-3b": 24_313_856, "llama-8b": 41_943_040}
BASE = {"llama-1b": 1_235_814_400, "llama-3b": 3_212_749_824, "llama-8b": 8_030_261_248}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return base_checkpoint(tmp_path_factory.mktemp("hub") / "base", DATA)


def validation_loss(model: Any, tokenizer: Any) -> float:
    corpus = build_corpus(DATA, scratch_preset())
    texts = encode(tokenizer, corpus.validation_prompts, corpus.validation_targets, max_length=128)
    total = 0.0
    with torch.no_grad():
        for row in range(len(texts)):
            ids = torch.from_numpy(texts[row]).long()[None]
            total += float(model(input_ids=ids, labels=ids).loss) * (ids.shape[1] - 1)
    return total / int(texts.loss_tokens.sum())


@pytest.mark.parametrize("name", TRAINABLE)
def test_published_adapters_have_the_published_size(name: str) -> None:
    """On the meta device: real layers, no memory."""
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaForCausalLM

    settings = load_preset(name).finetune
    with torch.device("meta"):
        model = LlamaForCausalLM(llama_config(LLAMA_SHAPES[name], max_positions=1024))
        assert model.num_parameters() == BASE[name] == LLAMA_SHAPES[name].parameters
        model = get_peft_model(model, LoraConfig(r=settings.lora_r, target_modules="all-linear"))
    trainable = {key: value for key, value in model.named_parameters() if value.requires_grad}
    assert sum(value.numel() for value in trainable.values()) == TRAINABLE[name]
    assert LLAMA_SHAPES[name].lora_parameters(settings.lora_r) == TRAINABLE[name]
    assert {key.split(".lora_")[0].rsplit(".", 1)[1] for key in trainable} == set(LORA_TARGETS)


@pytest.mark.filterwarnings("ignore:Paged optimizers are not supported on CPU:UserWarning")
@pytest.mark.parametrize(
    "settings",
    [
        {"four_bit": True, "optimizer": "adamw_8bit", "gradient_checkpointing": True},
        {"four_bit": True, "precision": "bf16", "optimizer": "paged_adamw_8bit", "batching": "packed"},
        {"four_bit": False, "loss_on": "target", "schedule": "cosine", "train_windows": 2},
    ],
)
def test_adapters_learn_and_come_back_from_disk(base: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    preset = adapter_preset(base, **settings, epochs=4, learning_rate=2e-2)
    done = finetune(DATA, preset, "adapter", seed=0, work=tmp_path)
    training = artefact.training_summary(done.folder)
    assert training["eval_loss"][-1][1] < training["eval_loss"][0][1]
    assert training["trainable_parameters"] == 2 * LLAMA_TINY_BLOCK
    model, tokenizer = artefact.load_model(done.folder)
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())
    kinds = {type(module).__name__ for module in model.modules()}
    assert ("Linear4bit" in kinds) == preset.finetune.four_bit
    if preset.finetune.loss_on == "text":
        # bf16 rounds the loss it was trained with; in fp32 the loaded model has the very same
        tolerance = 1e-2 if preset.finetune.precision == "bf16" else 1e-4
        assert validation_loss(model, tokenizer) == pytest.approx(training["best_loss"], rel=tolerance)
    assert "unsloth" not in sys.modules


def test_lines_are_learned_by_adapters_in_the_upper_blocks_only(base: Path, tmp_path: Path) -> None:
    preset = compact_preset(base, eval_texts=5, epochs=6, learning_rate=2e-2)
    done = finetune(DATA, preset, "lines", seed=0, work=tmp_path)
    training = artefact.training_summary(done.folder)
    assert training["eval_loss"][-1][1] < training["eval_loss"][0][1]
    assert training["trainable_parameters"] == LLAMA_TINY_BLOCK
    kept = load_file(done.folder / "adapter" / "adapter_model.safetensors")
    adapted = {name.split(".layers.")[1].split(".")[0] for name in kept}
    assert adapted == {"1"}
    with pytest.raises(ConfigError, match="has 2 blocks"):
        finetune(DATA, adapter_preset(base, four_bit=False, lora_layers=3), "lines", seed=0, work=tmp_path)


def test_whole_base_model_can_be_trained(base: Path, tmp_path: Path) -> None:
    preset = adapter_preset(base, backend="full", four_bit=False)
    done = finetune(DATA, preset, "whole", seed=0, work=tmp_path)
    training = artefact.training_summary(done.folder)
    model, tokenizer = artefact.load_model(done.folder)
    assert training["trainable_parameters"] == model.num_parameters()
    assert validation_loss(model, tokenizer) == pytest.approx(training["best_loss"], rel=1e-4)


@pytest.mark.filterwarnings("ignore:fan_in_fan_out is set to False:UserWarning")  # peft mends it
def test_other_families_than_llama(tmp_path: Path) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    from bench.retrieval.item_text import item_texts
    from genrec.weights.tokenizer import train_tokenizer

    tokenizer = train_tokenizer(item_texts(DATA.catalogue), 400)
    shape = {"n_embd": 32, "n_layer": 1, "n_head": 2, "n_positions": 256}
    GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), **shape)).save_pretrained(tmp_path / "gpt2")
    tokenizer.save_pretrained(tmp_path / "gpt2")
    preset = adapter_preset(tmp_path / "gpt2", four_bit=False, learning_rate=2e-2)
    done = finetune(DATA, preset, "gpt2", seed=0, work=tmp_path)
    training = artefact.training_summary(done.folder)
    assert training["eval_loss"][-1][1] < training["eval_loss"][0][1]
    model, tokenizer = artefact.load_model(done.folder)
    assert validation_loss(model, tokenizer) == pytest.approx(training["best_loss"], rel=1e-4)


def test_training_artefacts_hold_curve_memory_and_settings(base: Path, tmp_path: Path) -> None:
    done = finetune(DATA, adapter_preset(base), "adapter", seed=3, work=tmp_path)
    training = artefact.training_summary(done.folder)
    assert [step for step, _ in training["train_loss"]] == list(range(1, training["total_steps"] + 1))
    assert training["memory"][0].keys() >= {"seconds", "step", "rss_bytes"}
    assert 0 < training["padding_share"] < 1
    assert training["texts_cut"] == 0
    kept = artefact.read(done.folder)
    assert kept.seed == 3
    assert kept.fingerprint == DATA.fingerprint
    assert kept.base_model == str(base)
    assert kept.base_revision
    assert kept.settings == adapter_preset(base)
    assert kept.backend == "peft"
    assert {"torch", "transformers", "peft", "bitsandbytes"} <= kept.versions.keys()
    assert (done.folder / "adapter" / "adapter_config.json").is_file()


def test_data_without_validation_or_sequences_is_refused(tmp_path: Path) -> None:
    def with_parts(train: Histories, validation: Examples) -> TrainingData:
        return TrainingData(
            dataset="toy", fingerprint="b" * 64, catalogue=DATA.catalogue, train=train, validation=validation
        )

    nobody = Examples(histories=DATA.train.take([]), targets=DATA.validation.targets[:0])
    for data, message in (
        (with_parts(DATA.train, nobody), "no validation user"),
        (with_parts(Histories.from_lists([[1], [2]]), DATA.validation), "no training sequence of two items"),
    ):
        with pytest.raises(DataError, match=message):
            finetune(data, scratch_preset(), "tiny", seed=0, work=tmp_path)


class TestTracking:
    def test_missing_package_names_its_command(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "wandb", None)
        with (
            pytest.raises(Unavailable, match="report_to: wandb needs a package: pip install wandb"),
            open_log("wandb", tmp_path, "run", {}),
        ):
            pass

    def test_curves_reach_the_tracker(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A recorder in the place of the mlflow package, which is a server of its own."""
        logged: list[tuple[dict[str, float], int]] = []
        runs: list[str] = []

        @contextmanager
        def start_run(run_name: str) -> Iterator[None]:
            runs.append(run_name)
            yield

        package = types.ModuleType("mlflow")
        package.start_run = start_run  # type: ignore[attr-defined]
        package.log_params = dict  # type: ignore[attr-defined]
        package.log_metrics = lambda values, step: logged.append((values, step))  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "mlflow", package)
        done = finetune(DATA, scratch_preset(report_to="mlflow"), "tiny", seed=0, work=tmp_path)
        training = artefact.training_summary(done.folder)
        assert runs == [done.folder.name]
        assert [[step, values["eval/loss"]] for values, step in logged if "eval/loss" in values] == training[
            "eval_loss"
        ]
        assert [
            [step, values["train/loss"]] for values, step in logged if "train/loss" in values
        ] == training["train_loss"]

    def test_tensorboard_files(self, tmp_path: Path) -> None:
        pytest.importorskip("tensorboard", reason="the package tensorboard is not installed")
        done = finetune(DATA, scratch_preset(report_to="tensorboard"), "tiny", seed=0, work=tmp_path)
        assert list((done.folder / "tensorboard").glob("events*"))


@pytest.mark.parametrize("sizes", [{}, {"hidden_size": 32, "head_dim": 16, "intermediate_size": 48}])
def test_4_bit_layers_of_any_width_give_the_same_gradients_after_an_evaluation(
    sizes: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a CPU with AVX512-BF16, where bitsandbytes would put weights without gradients in place."""
    monkeypatch.setattr("bitsandbytes.nn.modules.has_avx512bf16", lambda: True)
    folder = base_checkpoint(tmp_path, DATA, **sizes)
    settings = adapter_preset(folder).finetune
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = build_peft(settings, BaseCheckpoint(name="base", folder=folder, revision="")).model
        adapters = [weight for weight in model.parameters() if weight.requires_grad]
        for weight in adapters:
            torch.nn.init.normal_(weight, std=0.1)
    tokens = torch.arange(5, 25)[None]

    def gradients() -> torch.Tensor:
        model.train().zero_grad()
        model(input_ids=tokens, labels=tokens).loss.backward()
        return torch.cat([weight.grad.flatten() for weight in adapters])

    before = gradients()
    with torch.no_grad():
        model.eval()(input_ids=tokens)
    assert before.any()
    torch.testing.assert_close(gradients(), before)


def test_random_checkpoint_is_a_base_model_like_any_other(tmp_path: Path) -> None:
    from bench.retrieval.item_text import item_texts
    from genrec.weights.random_weights import write_random_checkpoint
    from genrec.weights.shapes import Shape

    shape = Shape(
        hidden_size=32, layers=2, heads=2, kv_heads=1, head_dim=16, intermediate_size=64,
        vocab_size=5000, tie_embeddings=True,
    )  # fmt: skip
    texts = item_texts(DATA.catalogue)
    folder = write_random_checkpoint(tmp_path / "random", shape, texts)
    stamp = (folder / "model.safetensors").stat().st_mtime_ns
    assert write_random_checkpoint(folder, shape, texts) == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == stamp
    settings = adapter_preset(folder).model_dump() | {
        "finetune": adapter_preset(folder, max_steps=1).finetune
    }
    done = finetune(DATA, Preset.model_validate(settings), "cost", seed=0, work=tmp_path)
    model, _ = artefact.load_model(done.folder)
    base = model.get_base_model()
    assert base.config.vocab_size == 5000
    assert base.get_input_embeddings().weight.shape == (5000, 32)
