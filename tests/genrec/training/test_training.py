"""The training loop: the same loss in every layout, and the same end whether or not it was interrupted."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import adapter_preset, base_checkpoint, scratch_preset, shop
from transformers import LlamaForCausalLM

from bench.errors import ModelError
from bench.progress import listening
from genrec import artefact
from genrec.config import FinetuneSettings
from genrec.training import finetune as finetune_module
from genrec.training import loss
from genrec.training.batching import Layout
from genrec.training.corpus import build_corpus
from genrec.training.encode import TokenSequences, encode
from genrec.training.finetune import finetune, scratch_tokenizer
from genrec.training.loop import Job, evaluate, learning_rate, make_optimizer
from genrec.weights.shapes import llama_config, shape_of

DATA = shop()
ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


class Interrupted(BaseException):
    """Stands for whatever ends a run from outside, where a SIGKILL would take the test with it."""


def interrupt_at(step: int) -> Callable[[str, int, int, str], None]:
    def listen(what: str, done: int, total: int, note: str) -> None:
        if what == "fine-tune" and done == step:
            raise Interrupted

    return listen


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """All weights that the artefact holds."""
    from safetensors.torch import load_file

    return load_file(next(folder.glob("[am]*/*.safetensors")))


def assert_same_weights(one: Path, other: Path) -> None:
    left, right = weights(one), weights(other)
    assert left.keys() == right.keys()
    for name in left:
        assert torch.equal(left[name], right[name]), name


def job(tmp_path: Path, layout: Layout = "padded", **settings: Any) -> Job:
    preset = scratch_preset(batching=layout, **settings)
    tokenizer = scratch_tokenizer(DATA, preset)
    corpus = build_corpus(DATA, scratch_preset())
    torch.manual_seed(0)
    assert preset.architecture is not None
    model = LlamaForCausalLM(llama_config(shape_of(preset.architecture), max_positions=128))
    limits = {"max_length": preset.finetune.max_seq_length, "loss_on": preset.finetune.loss_on}
    return Job(
        model=model,
        loss_sum=loss.loss_sum,
        train=encode(tokenizer, corpus.train_prompts, corpus.train_targets, **limits),
        validation=encode(tokenizer, corpus.validation_prompts, corpus.validation_targets, **limits),
        settings=preset.finetune,
        pad_id=tokenizer.pad_token_id,
        seed=0,
        folder=tmp_path,
        log=lambda values, step: None,
    )


def loss_one_by_one(model: Any, texts: TokenSequences) -> float:
    """The library's own loss, each text alone: neither padding nor packing, nor our shift."""
    total, count = 0.0, 0
    for row in range(len(texts)):
        ids = torch.from_numpy(texts[row].astype(np.int64))[None]
        labels = ids.clone()
        labels[0, : texts.loss_from[row]] = -100
        tokens = int(texts.loss_tokens[row])
        total += float(model(input_ids=ids, labels=labels).loss) * tokens
        count += tokens
    return total / count


@pytest.mark.parametrize("loss_on", ["text", "target"])
@pytest.mark.parametrize("layout", ["padded", "length_grouped", "packed"])
def test_every_layout_gives_the_loss_of_texts_alone(tmp_path: Path, layout: Layout, loss_on: str) -> None:
    made = job(tmp_path, layout, loss_on=loss_on)
    made.model.eval()
    with torch.no_grad():
        expected = loss_one_by_one(made.model, made.validation)
    assert evaluate(made) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("layout", ["length_grouped", "packed"])
def test_every_layout_gives_the_gradient_of_padding(tmp_path: Path, layout: Layout) -> None:
    def gradient(chosen: Layout) -> torch.Tensor:
        made = job(tmp_path, chosen)
        for batch in made.batches(made.train, np.arange(16)):
            arrays = (batch.input_ids, batch.position_ids, batch.labels)
            made.loss_sum(made.model, *(torch.from_numpy(array) for array in arrays)).backward()
        return torch.cat([parameter.grad.flatten() for parameter in made.model.parameters()])

    padded = gradient("padded")
    assert torch.allclose(gradient(layout), padded, atol=1e-5 * float(padded.abs().max()))


def test_logits_in_chunks_give_the_same_loss_and_gradient(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = job(tmp_path)
    batch = next(made.batches(made.train, np.arange(4)))
    arrays = [torch.from_numpy(array) for array in (batch.input_ids, batch.position_ids, batch.labels)]

    def measured() -> tuple[float, torch.Tensor]:
        made.model.zero_grad()
        total = made.loss_sum(made.model, *arrays)
        total.backward()
        return total.item(), made.model.get_output_embeddings().weight.grad.clone()

    whole = measured()
    monkeypatch.setattr(loss, "LOGITS_PER_CHUNK", 7 * made.model.config.vocab_size)
    chunked = measured()
    monkeypatch.setattr(loss, "PLAIN_HEADS", frozenset())
    own_forward = measured()
    for other in (chunked, own_forward):
        assert other[0] == pytest.approx(whole[0], rel=1e-5)
        assert torch.allclose(other[1], whole[1], atol=1e-5 * float(whole[1].abs().max()))


def test_training_learns_and_keeps_the_best_weights(tmp_path: Path) -> None:
    """Far too high a learning rate in the end: the last weights are not the best ones."""
    preset = scratch_preset(
        epochs=12, eval_steps=3, patience=2, learning_rate=0.3, warmup_steps=60, schedule="constant"
    )
    done = finetune(DATA, preset, "tiny", seed=0, work=tmp_path)
    training = artefact.training_summary(done.folder)
    losses = [value for _, value in training["eval_loss"]]
    assert training["best_loss"] == min(losses) < losses[0]
    assert losses.index(min(losses)) == len(losses) - 3, "stops after two evaluations without a better loss"
    assert training["step"] < training["total_steps"]
    model, tokenizer = artefact.load_model(done.folder)
    corpus = build_corpus(DATA, scratch_preset())
    texts = encode(tokenizer, corpus.validation_prompts, corpus.validation_targets, max_length=128)
    assert loss_one_by_one(model, texts) == pytest.approx(training["best_loss"], rel=1e-4)
    assert not list(done.folder.glob("best-*")) and not (done.folder / "checkpoint.pt").exists()


def test_layouts_lead_to_the_same_model(tmp_path: Path) -> None:
    def final_loss(layout: Layout) -> float:
        done = finetune(DATA, scratch_preset(batching=layout), "tiny", seed=0, work=tmp_path)
        return float(artefact.training_summary(done.folder)["best_loss"])

    padded = final_loss("padded")
    assert final_loss("length_grouped") == pytest.approx(padded, rel=1e-3)
    assert final_loss("packed") == pytest.approx(padded, rel=1e-3)


def test_gradient_checkpointing_does_not_change_the_result(tmp_path: Path) -> None:
    plain = finetune(DATA, scratch_preset(max_steps=4), "tiny", seed=0, work=tmp_path)
    again = finetune(
        DATA, scratch_preset(max_steps=4, gradient_checkpointing=True), "tiny", seed=0, work=tmp_path
    )
    for name, value in weights(plain.folder).items():
        assert torch.allclose(value, weights(again.folder)[name], atol=1e-5), name


def test_seeds_decide_and_the_global_generator_is_left_alone(tmp_path: Path) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = finetune(DATA, scratch_preset(max_steps=2), "tiny", seed=0, work=tmp_path / "one")
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(99)
    same = finetune(DATA, scratch_preset(max_steps=2), "tiny", seed=0, work=tmp_path / "two")
    assert_same_weights(first.folder, same.folder)
    other = finetune(DATA, scratch_preset(max_steps=2), "tiny", seed=1, work=tmp_path / "one")
    name = next(iter(weights(first.folder)))
    assert not torch.equal(weights(first.folder)[name], weights(other.folder)[name])


@pytest.mark.parametrize("optimizer", ["adamw", "adamw_8bit"])
def test_interrupted_training_ends_with_the_same_weights(tmp_path: Path, optimizer: str) -> None:
    preset = scratch_preset(optimizer=optimizer, epochs=3, checkpoint_minutes=1e-9)
    whole = finetune(DATA, preset, "tiny", seed=0, work=tmp_path / "whole")
    for step in (4, 9, 14):
        with pytest.raises(Interrupted), listening(interrupt_at(step)):
            finetune(DATA, preset, "tiny", seed=0, work=tmp_path / "parts")
    resumed = finetune(DATA, preset, "tiny", seed=0, work=tmp_path / "parts")
    assert_same_weights(whole.folder, resumed.folder)
    once, parts = (artefact.training_summary(done.folder) for done in (whole, resumed))
    for same in ("step", "tokens", "eval_loss", "train_loss", "best_step"):
        assert once[same] == parts[same], same
    assert 0 < resumed.carried_seconds < (resumed.artefact.fit_seconds or 0)


def test_interrupted_adapters_with_dropout_end_with_the_same_weights(tmp_path: Path) -> None:
    base = base_checkpoint(tmp_path / "base", DATA)
    preset = adapter_preset(base, lora_dropout=0.3, four_bit=False, epochs=1, checkpoint_minutes=1e-9)
    whole = finetune(DATA, preset, "adapter", seed=0, work=tmp_path / "whole")
    with pytest.raises(Interrupted), listening(interrupt_at(3)):
        finetune(DATA, preset, "adapter", seed=0, work=tmp_path / "parts")
    resumed = finetune(DATA, preset, "adapter", seed=0, work=tmp_path / "parts")
    assert_same_weights(whole.folder, resumed.folder)


def test_damaged_checkpoint_is_set_aside(tmp_path: Path) -> None:
    preset = scratch_preset(checkpoint_minutes=1e-9)
    whole = finetune(DATA, preset, "tiny", seed=0, work=tmp_path / "whole")
    with pytest.raises(Interrupted), listening(interrupt_at(6)):
        finetune(DATA, preset, "tiny", seed=0, work=tmp_path / "parts")
    path = next((tmp_path / "parts").glob("*/checkpoint.pt"))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.warns(UserWarning, match="training starts anew"):
        again = finetune(DATA, preset, "tiny", seed=0, work=tmp_path / "parts")
    assert again.carried_seconds == 0
    assert_same_weights(whole.folder, again.folder)


KILLED = """
import sys
from pathlib import Path
import torch
from tiny_models import scratch_preset, shop
from genrec.training.finetune import finetune
torch.set_num_threads(1)
preset = scratch_preset(epochs=30, patience=99, checkpoint_minutes=1e-9)
finetune(shop(), preset, "tiny", seed=0, work=Path(sys.argv[1]))
"""


def test_killed_training_ends_with_the_same_weights(tmp_path: Path) -> None:
    """A SIGKILL at a random moment, which may fall into the writing of a checkpoint."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "helpers")])
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "parts")], env={**os.environ, "PYTHONPATH": paths}
    )
    deadline = time.monotonic() + 120
    while not list((tmp_path / "parts").glob("*/checkpoint.pt")) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(np.random.default_rng().uniform(0, 0.3))
    process.send_signal(signal.SIGKILL)
    process.wait()
    folder = next((tmp_path / "parts").iterdir())
    assert artefact.read(folder).status == "unfinished"
    preset = scratch_preset(epochs=30, patience=99)
    resumed = finetune(DATA, preset, "tiny", seed=0, work=tmp_path / "parts")
    assert resumed.folder == folder and resumed.carried_seconds > 0
    whole = finetune(DATA, preset, "tiny", seed=0, work=tmp_path / "whole")
    assert_same_weights(whole.folder, resumed.folder)


def test_kill_between_the_weights_and_the_last_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    preset = scratch_preset(max_steps=3)
    write_text = finetune_module.replace_text

    def stop_before_training_json(path: Path, text: str) -> None:
        if path.name == "training.json":
            raise Interrupted
        write_text(path, text)

    monkeypatch.setattr(finetune_module, "replace_text", stop_before_training_json)
    with pytest.raises(Interrupted):
        finetune(DATA, preset, "tiny", seed=0, work=tmp_path)
    monkeypatch.undo()
    done = finetune(DATA, preset, "tiny", seed=0, work=tmp_path)
    assert artefact.training_summary(done.folder)["step"] == 3
    artefact.load_model(done.folder)


class TestSchedule:
    def rates(self, **settings: Any) -> list[float]:
        made = FinetuneSettings(learning_rate=1.0, warmup_steps=4, **settings)
        return [learning_rate(made, step, 12) for step in range(12)]

    def test_linear(self) -> None:
        assert self.rates(schedule="linear") == pytest.approx(
            [0.25, 0.5, 0.75, 1.0, *(1 - step / 8 for step in range(8))]
        )

    def test_cosine(self) -> None:
        expected = [0.5 * (1 + math.cos(math.pi * step / 8)) for step in range(8)]
        assert self.rates(schedule="cosine")[4:] == pytest.approx(expected)

    def test_constant(self) -> None:
        assert self.rates(schedule="constant")[4:] == [1.0] * 8


def test_norms_do_not_decay(tmp_path: Path) -> None:
    made = job(tmp_path, weight_decay=0.25)
    decayed, kept = make_optimizer(made.model, made.settings).param_groups
    assert (decayed["weight_decay"], kept["weight_decay"]) == (0.25, 0.0)
    assert {weight.ndim for weight in kept["params"]} == {1}
    assert len(decayed["params"]) + len(kept["params"]) == len(list(made.model.parameters()))


def test_progress_tells_loss_speed_and_time_left(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int, str]] = []
    with listening(lambda *told: seen.append(told)):
        finetune(DATA, scratch_preset(max_steps=3), "tiny", seed=0, work=tmp_path)
    told = [entry for entry in seen if entry[0] == "fine-tune"]
    assert [(done, total) for _, done, total, _ in told] == [(1, 3), (2, 3), (3, 3)]
    assert all("loss " in note and "tokens/s" in note and note.endswith(" left") for *_, note in told)


@pytest.mark.parametrize(("width", "threads"), [(64, 1), (192, 1), (256, 3)])
def test_narrow_models_get_one_thread(width: int, threads: int) -> None:
    from genrec.weights.shapes import Shape
    from genrec.weights.threads import threads_for

    shape = Shape(
        hidden_size=width, layers=1, heads=2, kv_heads=2, head_dim=8, intermediate_size=8,
        vocab_size=16, tie_embeddings=True,
    )  # fmt: skip
    model = LlamaForCausalLM(llama_config(shape, max_positions=8))
    torch.set_num_threads(3)
    with pytest.raises(Interrupted), threads_for(model):
        assert torch.get_num_threads() == threads
        raise Interrupted
    assert torch.get_num_threads() == 3


@pytest.mark.parametrize("where", ["train", "validation"])
def test_a_loss_that_is_no_number_stops_with_step_and_learning_rate(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such an artefact was once finished, and every later run took it up."""
    calls = {"train": 0, "validation": 0}
    real = loss.loss_sum

    def spoiled(model: Any, *arrays: Any) -> Any:
        part = "train" if torch.is_grad_enabled() else "validation"
        calls[part] += 1
        found = real(model, *arrays)
        return found * math.nan if part == where and calls[part] == 2 else found

    for backend in ("genrec.training.backends.full", "genrec.training.loss"):
        monkeypatch.setattr(f"{backend}.loss_sum", spoiled)
    preset = scratch_preset(batch_size=2, gradient_accumulation=1, epochs=2)
    with pytest.raises(ModelError, match=r"loss is nan at step \d+, learning rate [\d.e-]+"):
        finetune(DATA, preset, "tiny", seed=0, work=tmp_path)
    (folder,) = (path.parent for path in tmp_path.glob("*/artefact.json"))
    assert artefact.read(folder).status == "unfinished"
    assert artefact.find_artefacts(tmp_path, "tiny") == []
    monkeypatch.undo()
    done = finetune(DATA, preset, "tiny", seed=0, work=tmp_path)
    assert not done.reused and all(bool(torch.isfinite(w).all()) for w in weights(done.folder).values())


def test_an_artefact_that_diverged_before_is_trained_again(tmp_path: Path) -> None:
    preset = scratch_preset(batch_size=2, gradient_accumulation=1, epochs=1)
    done = finetune(DATA, preset, "tiny", seed=0, work=tmp_path)
    summary = done.folder / "training.json"
    body = json.loads(summary.read_text())
    summary.write_text(json.dumps(body | {"best_loss": math.nan}))
    assert artefact.read(done.folder).status == "unfinished"
    assert not finetune(DATA, preset, "tiny", seed=0, work=tmp_path).reused
    assert artefact.read(done.folder).status == "finished"
