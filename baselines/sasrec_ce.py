"""SASRec with cross-entropy: a small causal transformer over item ids, full softmax over the catalogue.

The architecture is a transformers configuration (GPT-2: learned positions, GELU, tied output weights), not
layers of ours. Every place of a training sequence predicts the next item. Sources: Kang & McAuley,
"Self-attentive sequential recommendation" (ICDM 2018); full cross-entropy in place of sampled losses as in
Klenitskiy & Vasilev, "Turning dross into gold loss" (RecSys 2023).

Training stops when nDCG@10 of the validation users has not risen for `patience` epochs and keeps the best
epoch. After every epoch the state is written to the work folder, so that a stopped run goes on where it was.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import platformdirs
from numpy.typing import NDArray
from pydantic import Field

from baselines.neighbours.constants import Constants, TunableModel
from baselines.repeat_last import newest_items
from bench.errors import Unavailable
from bench.metrics.ranking import target_ranks, user_outcomes
from bench.progress import report
from bench.retrieval.best import best_in_dense
from bench.schema import NO_ITEM, Generations, Histories, Rankings, TrainingData
from bench.tuning.space import Real, Whole

USERS_PER_CHUNK = 256
TARGETS_PER_PIECE = 256
"""Places of a batch whose logits over the catalogue are held at a time, 12 MB on Beauty."""
UNTIL = ("epochs", "patience")
"""Constants that only say when to stop: a run that is given more of them goes on with what there is."""
POOL = 32
"""Batches that are drawn together and sorted by length."""


class SASRecSettings(Constants):
    """Constants of the model and its training."""

    width: Annotated[int, Field(ge=4, le=1024), Whole(32, 128, log=True)] = 64
    layers: Annotated[int, Field(ge=1, le=24), Whole(1, 3)] = 2
    heads: Annotated[int, Field(ge=1, le=16)] = 2
    length: Annotated[int, Field(ge=2, le=512)] = 50
    dropout: Annotated[float, Field(ge=0, lt=1), Real(0.2, 0.7)] = 0.5
    rate: Annotated[float, Field(gt=0, le=1), Real(3e-4, 3e-3, log=True)] = 1e-3
    batch: Annotated[int, Field(ge=1, le=4096)] = 128
    epochs: Annotated[int, Field(ge=1, le=1000)] = 40
    patience: Annotated[int, Field(ge=1, le=100)] = 4


class SASRecCE(TunableModel):
    """Lists hold no item of the user's own history; an empty history gets an empty list."""

    kind = "sequential"
    display_name = "SASRec, cross-entropy"
    Settings = SASRecSettings

    def check_available(self, data: TrainingData) -> None:
        """Raise Unavailable where torch or transformers is missing."""
        try:
            import torch  # noqa: F401
            import transformers  # noqa: F401
        except ImportError:
            raise Unavailable(
                "sasrec-ce needs torch and transformers: pip install 'genrec-bench[llm]'"
            ) from None

    def fit(self, data: TrainingData) -> None:
        """Train until the validation users are served no better."""
        import torch

        generator = torch.Generator().manual_seed(self.seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self._items = len(data.catalogue)
            self._model = self._network()
            self._train(data, generator)
        self._model.eval()

    def recommend(self, histories: Histories, depth: int) -> Rankings:
        """Rank the whole catalogue but the history by the logits after its last item."""
        lists = np.full((len(histories), depth), NO_ITEM, dtype=np.int32)
        begun = np.flatnonzero(histories.lengths)
        for start in range(0, len(begun), USERS_PER_CHUNK):
            rows = begun[start : start + USERS_PER_CHUNK]
            chunk = histories.take(rows)
            scores = self._scores(chunk)
            scores[np.repeat(np.arange(len(chunk)), chunk.lengths), chunk.items] = -np.inf
            lists[rows] = best_in_dense(scores, depth)
        return lists

    def details(self) -> Mapping[str, Any]:
        """Give what training did, epoch by epoch."""
        return self._details

    def generations(self) -> Generations | None:
        """It writes no texts."""
        return None

    def _network(self) -> Any:
        from transformers import GPT2Config, GPT2LMHeadModel

        settings = self.settings
        return GPT2LMHeadModel(
            GPT2Config(
                vocab_size=self._items + 1,  # the last id is padding
                n_positions=settings.length,
                n_embd=settings.width,
                n_layer=settings.layers,
                n_head=settings.heads,
                resid_pdrop=settings.dropout,
                embd_pdrop=settings.dropout,
                attn_pdrop=settings.dropout,
                bos_token_id=None,
                eos_token_id=None,
                use_cache=False,
            )
        )

    def _train(self, data: TrainingData, generator: Any) -> None:
        import torch

        settings = self.settings
        optimizer = torch.optim.Adam(self._model.parameters(), lr=settings.rate)
        inputs = torch.from_numpy(right_padded(data.train, settings.length + 1, self._items))
        inputs = inputs[(inputs != self._items).sum(dim=1) >= 2]
        folder = self._state_path(data)
        state = self._resumed(folder, optimizer, generator)
        carried = state["seconds"]
        begun = time.perf_counter()
        while state["epoch"] < settings.epochs and state["waited"] < settings.patience and len(inputs):
            self._model.train()
            losses = [
                self._step(inputs[rows], optimizer)
                for rows in like_lengths((inputs != self._items).sum(dim=1), settings.batch, generator)
            ]
            value = self._validation(data)
            better = value > state["best"]
            state |= {"epoch": state["epoch"] + 1, "waited": 0 if better else state["waited"] + 1}
            state["curve"].append({"loss": round(float(np.mean(losses)), 4), "ndcg@10": round(value, 5)})
            if better:
                state |= {"best": value, "weights": copy.deepcopy(self._model.state_dict())}
            state["seconds"] = carried + time.perf_counter() - begun
            self._keep(folder, state, optimizer, generator)
            report("epochs", state["epoch"], settings.epochs, f"validation ndcg@10 {value:.4f}")
        if state["weights"] is not None:
            self._model.load_state_dict(state["weights"])
        self._details = {
            "loss_curve": [{"step": epoch, **point} for epoch, point in enumerate(state["curve"], start=1)],
            "validation_ndcg@10": max(state["best"], 0.0),
            "carried_seconds": {"fit": round(carried, 3)},
        }

    def _step(self, sequences: Any, optimizer: Any) -> float:
        import torch

        longest = int((sequences != self._items).sum(dim=1).max())
        sequences = sequences[:, :longest]
        known, following = sequences[:, :-1], sequences[:, 1:]
        asked = following != self._items
        hidden = self._model.transformer(input_ids=known).last_hidden_state[asked]
        optimizer.zero_grad()
        # piece by piece: the logits of a whole batch are hundreds of MB, whose pages cost more than the sums
        leaf, loss = hidden.detach().requires_grad_(), 0.0
        for states, wanted in zip(
            leaf.split(TARGETS_PER_PIECE), following[asked].split(TARGETS_PER_PIECE), strict=True
        ):
            logits = self._model.lm_head(states)
            piece = torch.nn.functional.cross_entropy(logits, wanted, reduction="sum") / len(leaf)
            piece.backward()
            loss += float(piece.detach())
        hidden.backward(leaf.grad)
        optimizer.step()
        return loss

    def _validation(self, data: TrainingData) -> float:
        """nDCG@10 of the validation users, seen items left out; of the loss where there are none, 0."""
        if not len(data.validation):
            return 0.0
        self._model.eval()
        ranks = target_ranks(self.recommend(data.validation.histories, 10), data.validation.targets)
        return float(user_outcomes(ranks, "ndcg@10").mean())

    def _scores(self, histories: Histories) -> NDArray[np.float32]:
        import torch

        table = right_padded(histories, self.settings.length, self._items)
        lengths = (table != self._items).sum(axis=1)
        with torch.no_grad():
            states = self._model.transformer(input_ids=torch.from_numpy(table)).last_hidden_state
            last = states[torch.arange(len(table)), torch.from_numpy(lengths - 1)]
            logits: NDArray[np.float32] = self._model.lm_head(last)[:, : self._items].float().numpy()
        return logits

    def _state_path(self, data: TrainingData) -> Path:
        kept = {name: value for name, value in self.parameters.items() if name not in UNTIL}
        parts = [kept, self.seed, data.fingerprint, len(data.train.items), len(data.validation)]
        digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
        work = os.environ.get("GENREC_BENCH_WORK") or platformdirs.user_cache_dir("genrec-bench")
        return Path(work) / "sasrec-ce" / f"{digest}.pt"

    def _resumed(self, path: Path, optimizer: Any, generator: Any) -> dict[str, Any]:
        import torch

        fresh: dict[str, Any] = {"epoch": 0, "waited": 0, "best": -1.0, "weights": None, "curve": []}
        fresh["seconds"] = 0.0
        try:
            kept = torch.load(path, weights_only=True)
        except FileNotFoundError:
            return fresh
        except (OSError, RuntimeError, EOFError, ValueError):  # cut off or of another version: train anew
            return fresh
        self._model.load_state_dict(kept["model"])
        optimizer.load_state_dict(kept["optimizer"])
        generator.set_state(kept["generator"])
        torch.set_rng_state(kept["rng"])
        return {name: kept[name] for name in fresh}

    def _keep(self, path: Path, state: Mapping[str, Any], optimizer: Any, generator: Any) -> None:
        import torch

        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}")
        kept = {
            **state,
            "model": self._model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "generator": generator.get_state(),
            "rng": torch.get_rng_state(),
        }
        torch.save(kept, temporary)
        temporary.replace(path)


def like_lengths(lengths: Any, batch: int, generator: Any) -> list[Any]:
    """Draw batches of rows, each of sequences of like length, so that little of a batch is padding.

    Each row comes once. Rows are drawn into pools of 32 batches; a pool is sorted and cut, and all batches
    are put in random order.
    """
    import torch

    order = torch.randperm(len(lengths), generator=generator)
    pools = [pool[lengths[pool].argsort(stable=True)] for pool in order.split(batch * POOL)]
    batches = [rows for pool in pools for rows in pool.split(batch)]
    return [batches[place] for place in torch.randperm(len(batches), generator=generator).tolist()]


def right_padded(histories: Histories, length: int, padding: int) -> NDArray[np.int64]:
    """(users, length) the newest items of each history, oldest of them first, then `padding`."""
    newest = newest_items(histories, length)[:, ::-1].astype(np.int64)
    kept = np.minimum(histories.lengths, length)
    places = np.arange(length)
    table = np.full(newest.shape, padding, dtype=np.int64)
    inside = places < kept[:, None]
    table[inside] = newest[places >= length - kept[:, None]]
    return table
