"""The training loop: one for every backend, the same whether or not it was interrupted.

Knows tokens, a model and settings; knows nothing of items, prompts or where the model came from.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from bench.errors import ModelError
from bench.progress import report
from genrec.config import FinetuneSettings
from genrec.training import checkpoint
from genrec.training.batching import Batch, batches, step_rows
from genrec.training.checkpoint import Progress
from genrec.training.encode import TokenSequences
from genrec.training.tracking import Log

LossSum = Callable[[Any, Any, Any, Any], Any]
"""(model, input_ids, position_ids, labels) -> summed loss of the labelled positions."""

CURVE_POINTS = 500
"""Entries of the training-loss curve, about."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is trained on what."""

    model: Any
    loss_sum: LossSum
    train: TokenSequences
    validation: TokenSequences
    settings: FinetuneSettings
    pad_id: int
    seed: int
    folder: Path
    """Checkpoints are kept here."""
    log: Log

    @property
    def texts_per_step(self) -> int:
        """Texts in one optimizer step."""
        return self.settings.batch_size * self.settings.gradient_accumulation

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in one epoch; the last may hold fewer texts."""
        return math.ceil(len(self.train) / self.texts_per_step)

    @property
    def total_steps(self) -> int:
        """Optimizer steps if training does not stop early."""
        steps = math.ceil(self.settings.epochs * self.steps_per_epoch)
        return min(steps, self.settings.max_steps or steps)

    def batches(self, sequences: TokenSequences, rows: NDArray[np.int64]) -> Iterator[Batch]:
        """Lay texts out as the settings say."""
        settings = self.settings
        return batches(
            sequences,
            rows,
            layout=settings.batching,
            batch_size=settings.batch_size,
            max_length=settings.max_seq_length,
            pad_id=self.pad_id,
        )


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A training run that has ended, with its best weights in the model."""

    progress: Progress
    carried_seconds: float
    """Seconds of `progress.seconds` that earlier processes spent."""


def train(job: Job) -> Trained:
    """Train until the steps are done or validation stops improving; leave the best weights in the model.

    Goes on from the checkpoint in `job.folder`, if there is one, and then ends with the same weights
    as a run that was never stopped (on a CPU bit for bit).
    """
    optimizer = make_optimizer(job.model, job.settings)
    progress = checkpoint.restore(job.folder, job.model, optimizer) or Progress()
    carried = progress.seconds
    clock = _Clock(job, progress)
    while not progress.finished:
        _train_epoch(job, optimizer, progress, clock)
    checkpoint.load_best(job.folder, job.model, progress.best_step)
    job.model.eval()
    return Trained(progress=progress, carried_seconds=carried)


def learning_rate(settings: FinetuneSettings, step: int, total: int) -> float:
    """Learning rate of optimizer step `step` (from 0): linear warm-up, then the schedule down to 0."""
    if step < settings.warmup_steps:
        return settings.learning_rate * (step + 1) / settings.warmup_steps
    done = (step - settings.warmup_steps) / max(1, total - settings.warmup_steps)
    if settings.schedule == "constant":
        return settings.learning_rate
    if settings.schedule == "cosine":
        return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
    return settings.learning_rate * (1 - done)


def make_optimizer(model: Any, settings: FinetuneSettings) -> Any:
    """Make AdamW over the trainable weights; norms and biases do not decay."""
    weights = list(checkpoint.trainable(model).values())
    groups = [
        {"params": [w for w in weights if w.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [w for w in weights if w.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if settings.optimizer == "adamw":
        import torch

        return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=weights[0].is_cuda)
    from bitsandbytes.optim import AdamW8bit, PagedAdamW8bit

    kind = AdamW8bit if settings.optimizer == "adamw_8bit" else PagedAdamW8bit
    return kind(groups, lr=settings.learning_rate)


def evaluate(job: Job) -> float:
    """Mean loss per labelled token over the validation texts, in nats."""
    import torch

    order = np.argsort(job.validation.lengths, kind="stable")
    total, tokens = 0.0, 0
    job.model.eval()
    with torch.no_grad():
        for batch in job.batches(job.validation, order):
            total += float(_loss(job, batch))
            tokens += batch.loss_tokens
    job.model.train()
    return total / tokens


def _train_epoch(job: Job, optimizer: Any, progress: Progress, clock: _Clock) -> None:
    epoch, done = divmod(progress.step, job.steps_per_epoch)
    steps = step_rows(len(job.train), job.texts_per_step, seed=job.seed, epoch=epoch)
    eval_every = job.settings.eval_steps or job.steps_per_epoch
    job.model.train()
    for rows in steps[done:]:
        loss = _optimize(job, optimizer, rows, progress)
        progress.step += 1
        last = progress.step == job.total_steps
        clock.tick(loss)
        if progress.step % eval_every == 0 or last:
            _judge(job, progress, evaluate(job))
            progress.finished = last or progress.evaluations_since_best >= job.settings.patience
        if progress.step % eval_every == 0 or last or clock.checkpoint_due():
            clock.stop()
            checkpoint.save(job.folder, job.model, optimizer, progress)
        if progress.finished:
            return


def _optimize(job: Job, optimizer: Any, rows: NDArray[np.int64], progress: Progress) -> float:
    """One optimizer step over the texts `rows`; gives the mean loss per labelled token."""
    import torch

    rate = learning_rate(job.settings, progress.step, job.total_steps)
    for group in optimizer.param_groups:
        group["lr"] = rate
    loss_tokens = int(job.train.loss_tokens[rows].sum())
    total = 0.0
    for batch in job.batches(job.train, rows):
        loss = _loss(job, batch) / loss_tokens
        loss.backward()
        total += loss.detach()
        progress.tokens += batch.tokens
        progress.padded_tokens += batch.input_ids.size
    norm = torch.nn.utils.clip_grad_norm_(
        checkpoint.trainable(job.model).values(), job.settings.max_grad_norm
    )
    mean = float(total)
    _require_finite("loss", mean, progress.step + 1, rate)
    _require_finite("gradient", float(norm), progress.step + 1, rate)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return mean


def _require_finite(what: str, value: float, step: int, rate: float) -> None:
    """Stop before weights are spoiled, or spoiled ones are kept as the best."""
    if not math.isfinite(value):
        raise ModelError(
            f"fine-tuning diverged: the {what} is {value} at step {step}, learning rate {rate:g}; choose a "
            "smaller finetune.learning_rate or finetune.max_grad_norm"
        )


def _loss(job: Job, batch: Batch) -> Any:
    import torch

    device = next(job.model.parameters()).device
    arrays = (batch.input_ids, batch.position_ids, batch.labels)
    with _precision(job.settings, device):
        return job.loss_sum(job.model, *(torch.from_numpy(array).to(device) for array in arrays))


def _precision(settings: FinetuneSettings, device: Any) -> AbstractContextManager[Any]:
    import torch

    wanted = settings.precision
    if wanted == "auto":
        wanted = "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "fp32"
    return torch.autocast(device.type, dtype=torch.bfloat16) if wanted == "bf16" else nullcontext()


def _judge(job: Job, progress: Progress, loss: float) -> None:
    rate = learning_rate(job.settings, progress.step - 1, job.total_steps)
    _require_finite("validation loss", loss, progress.step, rate)
    progress.eval_loss.append((progress.step, loss))
    job.log({"eval/loss": loss}, progress.step)
    if progress.best_loss is None or loss < progress.best_loss:
        progress.best_loss, progress.best_step, progress.evaluations_since_best = loss, progress.step, 0
        checkpoint.save_best(job.folder, job.model, progress.step)
    else:
        progress.evaluations_since_best += 1


class _Clock:
    """Time, memory, the loss curve and what is shown while training runs."""

    def __init__(self, job: Job, progress: Progress) -> None:
        self._job, self._progress = job, progress
        self._every = max(1, job.total_steps // CURVE_POINTS)
        self._losses: list[float] = []
        self._process = psutil.Process()
        self._since = self._checkpointed = time.perf_counter()
        self._started = (progress.step, progress.tokens)
        self._begun = self._since
        self._sampled = -math.inf

    def stop(self) -> None:
        """Add the time since the last call to the progress: it is about to be saved."""
        now = time.perf_counter()
        self._progress.seconds += now - self._since
        self._since = self._checkpointed = now

    def checkpoint_due(self) -> bool:
        """Whether the last checkpoint is older than the settings allow."""
        return time.perf_counter() - self._checkpointed > 60 * self._job.settings.checkpoint_minutes

    def tick(self, loss: float) -> None:
        """Take note of one optimizer step."""
        progress, job = self._progress, self._job
        self._losses.append(loss)
        now = time.perf_counter()
        if now - self._sampled >= 1.0:
            self._sampled = now
            seconds = progress.seconds + now - self._since
            progress.memory.append(_memory(self._process, seconds, progress.step))
        rate = (progress.tokens - self._started[1]) / (now - self._begun)
        if progress.step % self._every == 0 or progress.step == job.total_steps:
            mean = sum(self._losses) / len(self._losses)
            progress.train_loss.append((progress.step, mean))
            job.log({"train/loss": mean, "train/tokens_per_second": rate}, progress.step)
            self._losses.clear()
        left = (job.total_steps - progress.step) * (now - self._begun) / (progress.step - self._started[0])
        note = f"loss {loss:.3f}, {rate:,.0f} tokens/s, {_duration(left)} left"
        report("fine-tune", progress.step, job.total_steps, note)


def _memory(process: psutil.Process, seconds: float, step: int) -> dict[str, float]:
    import torch

    sample: dict[str, float] = {
        "seconds": round(seconds, 2),
        "step": step,
        "rss_bytes": process.memory_info().rss,
    }
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        sample["vram_allocated_bytes"] = torch.cuda.memory_allocated()
        sample["vram_reserved_bytes"] = torch.cuda.memory_reserved()
        sample["vram_peak_allocated_bytes"] = torch.cuda.max_memory_allocated()
    return sample


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
