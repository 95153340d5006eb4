"""Every technique of generation by itself: the same texts, and the work that it is there to save."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
import torch
import writers
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from genrec import serialize
from genrec.base_model import load_base_model
from genrec.config import GenerateSettings
from genrec.decoding import engine, replay
from genrec.decoding.techniques import Techniques
from genrec.generate import GeneratedTexts, TextGenerator
from genrec.tokenizer import load_tokenizer

TOKENIZER = writers.tokenizer()
STRATEGIES = ("beam", "sample", "constrained")
NOTHING = Techniques(shared_prefix=False, leave_when_done=False)
REPLAYED = Techniques(replayed_steps=True)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def writer(model: Any, techniques: Techniques, **given: Any) -> TextGenerator:
    small = {"num_beams": 4, "max_new_tokens": 24, "max_seq_length": 250, "temperature": 1.0}
    return TextGenerator(
        model,
        TOKENIZER,
        GenerateSettings.model_validate({**small, **given}),
        seed=0,
        catalogue_texts=writers.TEXTS,
        techniques=techniques,
    )


def assert_same(one: GeneratedTexts, other: GeneratedTexts) -> None:
    assert one.texts == other.texts and one.indptr.tolist() == other.indptr.tolist()
    np.testing.assert_allclose(one.log_likelihoods, other.log_likelihoods, atol=1e-3)
    assert one.tokens.tolist() == other.tokens.tolist()


class Recording(TorchDispatchMode):
    """Operations on tensors as they were called, to be run again into the same tensors.

    That is what a CUDA graph holds: neither Python nor a shape is looked at again. What would make a
    GPU wait for the host, or brings data from it, cannot be recorded.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        forbidden = ("_local_scalar_dense", "nonzero", "lift_fresh", "equal", "unique")
        if any(name in func.__name__ for name in forbidden):
            raise RuntimeError(f"operation not permitted when stream is capturing: {func}")
        output = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, output))
        return output

    def run_again(self) -> None:
        for func, args, kwargs, outputs in self.calls:
            again = tree_leaves(func(*args, **kwargs))
            for held, value in zip(tree_leaves(outputs), again, strict=True):
                if isinstance(held, torch.Tensor) and value.data_ptr() != held.data_ptr():
                    held.copy_(value)


def recorded(work: Callable[[], Any]) -> tuple[Any, Callable[[], None]]:
    """Stands in for `replay.cuda_graph`."""
    with Recording() as recording:
        output = work()
    output.fill_(torch.nan)  # nothing is computed while a graph is recorded
    return output, recording.run_again


@pytest.fixture
def as_if_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """Record on this CPU as on a GPU."""
    monkeypatch.setattr(
        engine, "StepRecorder", lambda record: replay.StepRecorder(record if record else recorded)
    )


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    "techniques",
    [NOTHING, Techniques(shared_prefix=False), Techniques(leave_when_done=False), REPLAYED],
    ids=["none", "no shared prefix", "nobody leaves", "fixed buffers"],
)
def test_every_technique_writes_the_same_texts(techniques: Techniques, strategy: str) -> None:
    model = writers.llama(len(TOKENIZER), seed=5, end_bias=3.0)
    prompts = writers.prompts(10, seed=1)
    expected = writer(model, Techniques(), strategy=strategy).generate(prompts)
    assert 0 < expected.truncated.mean() < 1 or expected.tokens.std() > 0
    assert_same(writer(model, techniques, strategy=strategy).generate(prompts), expected)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("kv_heads", [1, 4])
@pytest.mark.usefixtures("as_if_cuda")
def test_replayed_steps_write_the_same_texts(strategy: str, kv_heads: int) -> None:
    """Over several spans, with users leaving in between, in several batches, with and without a prefix."""
    model = writers.llama(len(TOKENIZER), seed=5, kv_heads=kv_heads, end_bias=2.0)
    prompts = writers.prompts(12, seed=1)
    given = {"strategy": strategy, "max_new_tokens": 40, "token_budget": 1200}
    expected = writer(model, Techniques(), **given).generate(prompts)
    for techniques in (REPLAYED, Techniques(shared_prefix=False, leave_when_done=False, replayed_steps=True)):
        replaying = writer(model, techniques, **given)
        assert_same(replaying.generate(prompts), expected)
        assert replaying.decoding_step == "CUDA graph"


@pytest.mark.usefixtures("as_if_cuda")
def test_a_replayed_step_does_not_run_the_model_again() -> None:
    model = writers.llama(len(TOKENIZER), seed=5)
    runs: list[int] = []
    model.register_forward_pre_hook(lambda *_: runs.append(1))
    steps = 2 * replay.SPAN
    writer(model, Techniques(shared_prefix=False, replayed_steps=True), max_new_tokens=steps + 1).generate(
        writers.prompts(3)
    )
    # the prompts, and for each of two spans one plain step and its recording
    assert len(runs) == 1 + 2 * 2


@pytest.mark.parametrize("four_bit", [False, True])
@pytest.mark.usefixtures("as_if_cuda")
def test_an_adapter_on_its_base_is_replayed(four_bit: bool, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    data = tiny_models.shop()
    tiny_models.base_checkpoint(tmp_path, data)
    base = load_base_model(tmp_path, four_bit=four_bit, device=torch.device("cpu"))
    lora = LoraConfig(r=4, lora_alpha=64, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
    with torch.random.fork_rng():
        torch.manual_seed(2)
        model = get_peft_model(base, lora).eval()
    settings = GenerateSettings(num_beams=4, max_new_tokens=24, max_seq_length=250)
    prompts = serialize.prompts(data.validation.histories, serialize.item_texts(data.catalogue))
    made = []
    for techniques in (REPLAYED, Techniques()):
        writing = TextGenerator(model, load_tokenizer(tmp_path), settings, seed=0, techniques=techniques)
        made.append(writing.generate(prompts))
        assert writing.decoding_step == ("CUDA graph" if techniques.replayed_steps else "plain")
    assert_same(*made)


def broken(work: Callable[[], Any]) -> Any:
    raise RuntimeError("operation not permitted when stream is capturing\nand a stack trace")


def unfaithful(work: Callable[[], Any]) -> Any:
    """A kernel on another stream is not recorded: the replay leaves it out."""
    return work().mul(0.5), lambda: None


@pytest.mark.parametrize(
    ("record", "reason"),
    [(broken, "cannot be recorded (operation not permitted when stream is capturing)"),
     (unfaithful, "differs from the plain one")],
)  # fmt: skip
def test_what_cannot_be_recorded_is_said_once_and_run_plainly(
    record: replay.Record, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "StepRecorder", lambda _: replay.StepRecorder(record))
    model = writers.llama(len(TOKENIZER), seed=5, end_bias=3.0)
    prompts = writers.prompts(10, seed=1)
    given = {"max_new_tokens": 40, "token_budget": 1200}
    plainly = writer(model, REPLAYED, **given)
    with pytest.warns(UserWarning, match="without replayed steps") as warned:
        made = plainly.generate(prompts)
    assert len(warned) == 1
    assert_same(made, writer(model, Techniques(), **given).generate(prompts))
    assert plainly.decoding_step.startswith("plain: ") and reason in plainly.decoding_step


def test_fixed_buffers_without_a_gpu_are_not_called_a_graph() -> None:
    model = writers.llama(len(TOKENIZER), seed=5)
    made = writer(model, REPLAYED)
    made.generate(writers.prompts(2))
    assert made.decoding_step == "fixed buffers, nothing recorded"
    assert writer(model, Techniques()).decoding_step == "plain"


def test_the_switches_do_what_they_say() -> None:
    model = writers.llama(len(TOKENIZER), seed=5, end_bias=3.0)
    shapes: list[tuple[int, ...]] = []
    model.register_forward_pre_hook(
        lambda _, __, inputs: shapes.append(tuple(inputs["input_ids"].shape)), with_kwargs=True
    )
    prompts = writers.prompts(12, seed=1)
    writer(model, NOTHING).generate(prompts)
    distinct = len(set(prompts))
    assert [rows for rows, _ in shapes] == [distinct] * len(shapes), "no prefix run alone, and nobody left"
    whole = shapes.copy()
    shapes.clear()
    writer(model, Techniques(shared_prefix=False)).generate(prompts)
    assert shapes[0] == whole[0] and shapes[-1][0] < distinct
    assert all(later[0] <= earlier[0] for earlier, later in pairwise(shapes))
    shapes.clear()
    writer(model, Techniques(leave_when_done=False)).generate(prompts)
    assert shapes[0][0] == 1 and shapes[1][1] == whole[0][1] - shapes[0][1]
