"""Fine-tuning with unsloth, in its own process and environment; its CPU fallback needs no GPU.

Runs where GENREC_BENCH_UNSLOTH_PYTHON names the Python of an environment that can import unsloth; that
environment must not be this one (on a CPU the whole set of unsloth's packages breaks transformers).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from tiny_models import adapter_preset, base_checkpoint, shop

from bench.errors import BenchError, Unavailable
from bench.progress import listening
from genrec import artefact
from genrec.availability import UNSLOTH_PYTHON
from genrec.training.finetune import finetune

DATA = shop()
PYTHON = os.environ.get(UNSLOTH_PYTHON)
needs_unsloth = pytest.mark.skipif(
    not PYTHON,
    reason=f"{UNSLOTH_PYTHON} is not set: it names the Python of an environment that holds unsloth",
)


class Interrupted(BaseException):
    """Stands for whatever ends a run from outside."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return base_checkpoint(tmp_path_factory.mktemp("hub") / "base", DATA)


@needs_unsloth
@pytest.mark.slow
def test_unsloth_learns_what_peft_learns(base: Path, tmp_path: Path) -> None:
    """Interrupted once, too: on the CPU its layers are the library's own, so the losses must agree."""
    preset = adapter_preset(base, backend="unsloth", checkpoint_minutes=1e-9)

    def interrupt(what: str, done: int, total: int, note: str) -> None:
        if what == "fine-tune" and done == 4:
            raise Interrupted

    with pytest.raises(Interrupted), listening(interrupt):
        finetune(DATA, preset, "adapter", seed=0, work=tmp_path)
    seen: list[int] = []
    with listening(lambda what, done, *_: seen.append(done) if what == "fine-tune" else None):
        ours = finetune(DATA, preset, "adapter", seed=0, work=tmp_path)
    assert 1 < seen[0] <= 5, "goes on where it was stopped"
    assert ours.carried_seconds > 0
    assert ours.artefact.backend == "unsloth" and "unsloth" in ours.artefact.versions
    theirs = finetune(DATA, adapter_preset(base), "adapter", seed=0, work=tmp_path)
    one, other = (artefact.training_summary(done.folder) for done in (ours, theirs))
    assert one["trainable_parameters"] == other["trainable_parameters"]
    assert [loss for _, loss in one["eval_loss"]] == pytest.approx(
        [loss for _, loss in other["eval_loss"]], rel=5e-3
    )
    model, _ = artefact.load_model(ours.folder)
    assert type(model).__name__ == "PeftModelForCausalLM"
    assert "unsloth" not in sys.modules
    assert not (ours.folder / "corpus.json").exists()


def test_failure_in_the_process_is_told(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interpreter that holds no unsloth (this one, its site packages switched off)."""
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setenv(UNSLOTH_PYTHON, str(script))
    with pytest.raises(
        BenchError, match=r"(?s)fine-tuning with unsloth ended with code 1.*unsloth\.log.*Error"
    ):
        finetune(DATA, adapter_preset(base, backend="unsloth"), "adapter", seed=0, work=tmp_path)
    folder = next(tmp_path.glob("adapter-*"))
    assert artefact.read(folder).status == "unfinished"


def test_missing_interpreter_is_told(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(UNSLOTH_PYTHON, str(tmp_path / "none" / "python"))
    with pytest.raises(
        Unavailable, match=rf"none/python' \(from {UNSLOTH_PYTHON}\) cannot be started: No such file"
    ):
        finetune(DATA, adapter_preset(base, backend="unsloth"), "adapter", seed=0, work=tmp_path)
