"""A model that cannot run here says in one line what is missing and what gets it, and never hangs."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import adapter_preset, base_checkpoint, scratch_preset, shop

from bench.errors import Unavailable
from genrec import availability
from genrec.availability import check_available
from genrec.preset_files import load_preset
from genrec.recommender import GenerativeRecommender
from genrec.weights.base_model import find_base_model

DATA = shop()


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def gpu_of(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make the check believe in a GPU with so many free GiB."""

    def pretend(gibibytes: float) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (int(gibibytes * 2**30), 2**40))

    return pretend


def obstacle(name: str, *settings: str, finetuned: bool = False) -> str:
    with pytest.raises(Unavailable) as caught:
        check_available(load_preset(name, settings), name, finetuned=finetuned)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("name", ["llama-1b", "llama-3b", "llama-8b", "llama-60m"])
def test_no_gpu(name: str) -> None:
    message = obstacle(name)
    assert message.startswith(f"{name} needs a CUDA GPU and there is none here")
    assert f"genrec-bench estimate {name}" in message
    assert "--set needs_gpu=false" in message


@pytest.mark.usefixtures("no_gpu")
def test_no_weights() -> None:
    message = obstacle("llama-8b", "needs_gpu=false")
    assert "the weights of 'unsloth/Llama-3.1-8B' are not on this machine" in message
    assert message.endswith("get it with: hf download unsloth/Llama-3.1-8B")
    pinned = obstacle("llama-8b", "needs_gpu=false", "revision=abc123")
    assert pinned.endswith("hf download unsloth/Llama-3.1-8B --revision abc123")


@pytest.mark.usefixtures("no_gpu")
def test_models_that_always_run_are_available() -> None:
    check_available(load_preset("llama-tiny"), "llama-tiny", finetuned=False)
    check_available(load_preset("llama-60m", ["needs_gpu=false"]), "llama-60m", finetuned=False)


def test_the_hub_is_never_asked() -> None:
    """Without HF_HUB_OFFLINE too: a look-up over a dead network would take most of a minute."""
    script = (
        "from bench.errors import Unavailable\n"
        "from genrec.weights.base_model import find_base_model\n"
        "import time; start = time.monotonic()\n"
        "try: find_base_model('nobody/no-such-model')\n"
        "except Unavailable as error: print(error)\n"
        "print(time.monotonic() - start)"
    )
    environment = {"PYTHONPATH": str(Path(__file__).parents[2]), "HF_HOME": "/nonexistent", "PATH": ""}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    message, seconds = done.stdout.splitlines()
    assert "the weights of 'nobody/no-such-model' are not on this machine" in message
    assert float(seconds) < 20, "importing the hub's client takes a few; asking a dead network takes 49"


def test_partly_downloaded_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub cache with the configuration and one of two shards, as an interrupted download leaves it."""
    commit = "c0ffee" + "0" * 34
    repository = tmp_path / "models--someone--model"
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit, encoding="utf-8")
    (snapshot / "config.json").write_text("{}", encoding="utf-8")
    (snapshot / "model-00001-of-00002.safetensors").write_bytes(b"")
    (snapshot / "model.safetensors.index.json").write_text(
        '{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}',
        encoding="utf-8",
    )
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(Unavailable, match=r"only partly .*missing: model-00002-of-00002\.safetensors"):
        find_base_model("someone/model")
    (snapshot / "model-00002-of-00002.safetensors").write_bytes(b"")
    assert find_base_model("someone/model").revision == commit


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("package", ["torch", "transformers", "peft", "bitsandbytes"])
def test_missing_extra(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        availability.importlib.util, "find_spec", lambda name: None if name == package else found(name)
    )
    assert obstacle("llama-1b") == f"not installed: {package}; get it with: pip install 'genrec-bench[llm]'"
    if package in ("peft", "bitsandbytes"):  # the model from scratch does without
        check_available(load_preset("llama-tiny"), "llama-tiny", finetuned=False)


@pytest.mark.usefixtures("no_gpu")
def test_missing_unsloth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(availability.UNSLOTH_PYTHON, raising=False)
    found = importlib.util.find_spec
    monkeypatch.setattr(
        availability.importlib.util, "find_spec", lambda name: None if name == "unsloth" else found(name)
    )
    message = obstacle("llama-1b", "finetune.backend=unsloth")
    assert "pip install 'genrec-bench[unsloth]'" in message
    # a finished adapter needs no unsloth any more: the next thing missing is the GPU
    assert "CUDA" in obstacle("llama-1b", "finetune.backend=unsloth", finetuned=True)


def test_not_enough_memory_is_known_before_loading(gpu_of: Any) -> None:
    gpu_of(0.8)
    message = obstacle("llama-60m")
    assert "GiB of GPU memory for fine-tuning and 0.8 GiB are free" in message
    assert "genrec-bench estimate llama-60m --gpu 1GB" in message
    assert "finetune.batch_size=1" in message
    gpu_of(80)
    check_available(load_preset("llama-60m"), "llama-60m", finetuned=False)


def test_finished_model_needs_the_memory_of_generation_only(gpu_of: Any, tmp_path: Path) -> None:
    preset = adapter_preset(base_checkpoint(tmp_path / "base", DATA))
    gpu_of(0.52)
    check_available(preset, "adapter", finetuned=True)
    with pytest.raises(Unavailable, match="for fine-tuning"):
        check_available(preset.model_copy(update={"finetune": scratch_preset(
            max_seq_length=8192, batch_size=512).finetune}), "adapter", finetuned=False)  # fmt: skip
    gpu_of(0.1)
    with pytest.raises(Unavailable, match="for generation"):
        check_available(preset, "adapter", finetuned=True)


def test_harness_skips_such_a_model(no_gpu: None, tmp_path: Path) -> None:
    model = GenerativeRecommender(preset="llama-1b", seed=0, work_dir=tmp_path)
    start = time.monotonic()
    with pytest.raises(Unavailable, match="llama-1b needs a CUDA GPU"):
        model.check_available(DATA)
    assert time.monotonic() - start < 5
    assert list(tmp_path.iterdir()) == []
