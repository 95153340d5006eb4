"""Fine-tuning, from training data to a finished artefact folder; goes on where a killed run stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bench.cost.environment import cpu_name
from bench.cost.gpu import open_gpus
from bench.files.atomic import replace_folder, replace_text
from bench.progress import report
from bench.schema import Histories, TrainingData
from genrec import artefact
from genrec.artefact import Artefact
from genrec.availability import Chosen, check_available, choose_backend, import_libraries
from genrec.config import Preset
from genrec.prompt_format import item_texts, prompts
from genrec.training import checkpoint
from genrec.training.backends import Trainable
from genrec.training.corpus import Corpus, build_corpus
from genrec.training.encode import encode
from genrec.training.loop import Job, train
from genrec.training.tracking import open_log
from genrec.weights.base_model import BaseCheckpoint, find_base_model
from genrec.weights.threads import threads_for
from genrec.weights.tokenizer import load_tokenizer, train_tokenizer


@dataclass(frozen=True, kw_only=True)
class Finetuned:
    """A finished artefact, and what this process spent on it."""

    folder: Path
    artefact: Artefact
    reused: bool
    """Nothing was trained: the artefact was finished before."""
    carried_seconds: float
    """Part of the artefact's `fit_seconds` that earlier processes spent."""


def check_model(preset: Preset, name: str, data: TrainingData, *, seed: int, work: Path) -> None:
    """Raise Unavailable unless the model can be fine-tuned on the data, or is there, and can be asked.

    Imports what that takes.
    """
    weights = preset.weights_of or name
    found = artefact.find_trained(work, weights, preset, seed=seed, fingerprint=data.generative_fingerprint)
    check_available(preset, name, finetuned=found is not None)
    import_libraries(preset)


def finetune(data: TrainingData, preset: Preset, name: str, *, seed: int, work: Path) -> Finetuned:
    """Fine-tune as the preset says, or take the finished artefact of the same settings, data and seed."""
    base = find_base_model(preset.base_model, preset.revision) if preset.base_model else None
    folder = artefact.artefact_folder(
        work,
        name,
        preset,
        seed=seed,
        fingerprint=data.generative_fingerprint,
        base_revision=base.revision if base else None,
    )
    with artefact.locked(folder):
        begun = _begin(folder, data, preset, name, seed, base)
        if begun.status == "finished":
            return Finetuned(
                folder=folder, artefact=begun, reused=True, carried_seconds=begun.fit_seconds or 0
            )
        start = time.perf_counter()
        carried = _train(folder, begun, data, base)
        seconds = time.perf_counter() - start + carried
        # read again: a process of its own has put its own versions in
        finished = artefact.read(folder).model_copy(
            update={"status": "finished", "fit_seconds": round(seconds, 3)}
        )
        artefact.write(folder, finished)
        checkpoint.remove(folder)
    return Finetuned(folder=folder, artefact=finished, reused=False, carried_seconds=carried)


def _machine() -> str:
    gpus = open_gpus()
    return gpus.name if gpus else cpu_name()


def _begin(
    folder: Path, data: TrainingData, preset: Preset, name: str, seed: int, base: BaseCheckpoint | None
) -> Artefact:
    """Read the artefact's record, or write it before anything else is done."""
    if (folder / artefact.RECORD).is_file():
        return artefact.read(folder)
    fresh = Artefact(
        name=name,
        settings=preset,
        seed=seed,
        dataset=data.dataset,
        split=data.split,
        fingerprint=data.generative_fingerprint,
        base_model=base.name if base else None,
        base_revision=base.revision if base else None,
        base_licence=base.licence if base else None,
        backend=choose_backend(preset.finetune),
        versions=artefact.package_versions(),
        machine=_machine(),
        created=datetime.now(UTC),
    )
    artefact.write(folder, fresh)
    return fresh


def _train(folder: Path, begun: Artefact, data: TrainingData, base: BaseCheckpoint | None) -> float:
    """Train with the artefact's backend; gives the seconds that earlier processes spent."""
    preset = begun.settings
    report("prepare texts", 0, 1)
    corpus = build_corpus(data, preset)
    if begun.backend == "unsloth":
        from genrec.training.backends.unsloth import train_in_own_process

        return train_in_own_process(folder, corpus)
    tokenizer = load_tokenizer(base.folder) if base else scratch_tokenizer(data, preset)
    return train_into(
        folder, begun, corpus, tokenizer, lambda: _build(begun.backend, preset, tokenizer, base)
    )


def _build(backend: Chosen, preset: Preset, tokenizer: Any, base: BaseCheckpoint | None) -> Trainable:
    if backend == "full":
        from genrec.training.backends.full import build as build_full

        return build_full(preset, tokenizer, base)
    from genrec.training.backends.peft import build as build_peft

    assert base is not None  # Preset: only `full` trains from scratch
    return build_peft(preset.finetune, base)


def scratch_tokenizer(data: TrainingData, preset: Preset) -> Any:
    """Train a from-scratch model's tokenizer on the catalogue and, as often as bought, on purchases.

    Test targets are not read: they are not in the training data.
    """
    assert preset.architecture is not None  # Preset: exactly one of base_model and architecture
    lines = item_texts(data.catalogue, preset)
    empty = prompts(Histories.from_lists([[]]), lines, preset, data.catalogue.wording)[0]
    fixed = [line for line in empty.split("\n") if line]
    bought = [lines[item] for item in data.train.items.tolist()]
    return train_tokenizer([*lines, *bought], preset.architecture.vocab_size, [*fixed, "Title:"])


def train_into(
    folder: Path, begun: Artefact, corpus: Corpus, tokenizer: Any, build: Callable[[], Trainable]
) -> float:
    """Train what `build` makes and fill the folder with weights, tokenizer and training.json.

    Gives the seconds of training that earlier processes spent. Seeds torch's generators for the
    duration and puts them back.
    """
    import torch

    settings, parameters = begun.settings.finetune, begun.settings.model_dump(mode="json")

    def tokenized(asked: Sequence[str], answers: Sequence[str]) -> Any:
        return encode(tokenizer, asked, answers, max_length=settings.max_seq_length, loss_on=settings.loss_on)

    judged = len(corpus.validation_targets)
    spread = np.linspace(0, judged - 1, num=min(settings.eval_texts or judged, judged)).astype(int).tolist()

    with (
        torch.random.fork_rng(devices=range(torch.cuda.device_count())),
        open_log(settings.report_to, folder, folder.name, parameters) as log,
    ):
        torch.manual_seed(begun.seed)
        trainable = build()
        job = Job(
            model=trainable.model,
            loss_sum=trainable.loss_sum,
            train=tokenized(corpus.train_prompts, corpus.train_targets),
            validation=tokenized(
                [corpus.validation_prompts[row] for row in spread],
                [corpus.validation_targets[row] for row in spread],
            ),
            settings=settings,
            pad_id=tokenizer.pad_token_id,
            seed=begun.seed,
            folder=folder,
            log=log,
        )
        with threads_for(trainable.model):
            trained = train(job)
    replace_folder(folder / trainable.subfolder, trainable.save)
    replace_folder(folder / "tokenizer", tokenizer.save_pretrained)
    replace_text(folder / "training.json", json.dumps(_summary(job, trained.progress), indent=1))
    return trained.carried_seconds


def _summary(job: Job, progress: checkpoint.Progress) -> dict[str, Any]:
    weights = checkpoint.trainable(job.model).values()
    return {
        **asdict(progress),
        "total_steps": job.total_steps,
        "steps_per_epoch": job.steps_per_epoch,
        "texts": len(job.train),
        "texts_cut": job.train.cut,
        "trainable_parameters": sum(weight.numel() for weight in weights),
        "tokens_per_second": round(progress.tokens / progress.seconds, 1),
        "padding_share": round(1 - progress.tokens / progress.padded_tokens, 4),
    }
