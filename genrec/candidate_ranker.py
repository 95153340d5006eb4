"""A cheap row's candidates in the order of a language model's likelihood: no text is written, none searched.

The first `top` unseen items of the row's list are scored by

    log p(text | history) - without_history * log p(text | no history) - row_weight * log(place in the list)

and stand in front, best first; the rest of the row's list follows as it was. With equal scores the row's
order stays.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import ConfigError
from bench.metrics.ranking import remove_seen
from bench.models import create, find_model
from bench.progress import report
from bench.retrieval.list_rules import collapse
from bench.schema import NO_ITEM, FloatArray, Histories, Int32Array, Rankings, TrainingData
from genrec import artefact
from genrec.config import Preset, ScoreSettings, settings_digest
from genrec.engines.opening import require_own_engine
from genrec.generation.kept_texts import MemoryStore, Written, open_store, prompt_digest
from genrec.preset_files import load_preset
from genrec.prompt_format import item_texts, prompts
from genrec.recommender import finetuning_facts
from genrec.training.finetune import Finetuned, check_model, finetune
from genrec.weights.device_memory import release_device_memory
from genrec.weights.threads import threads_for


class CandidateRanker:
    """A recommender of the kind `hybrid`: a cheaper model finds, a language model orders.

    Arguments are those of `GenerativeRecommender`; likelihoods are kept beside its texts and taken up
    again.
    """

    kind = "hybrid"

    def __init__(
        self, preset: str, seed: int, settings: Sequence[str] = (), work_dir: Path | None = None
    ) -> None:
        self.name = Path(preset).stem
        self.preset: Preset = load_preset(preset, settings)
        if self.preset.score is None:
            raise ConfigError(f"preset '{preset}' has no section 'score', which names the row to be ordered")
        require_own_engine(self.preset, "scoring candidates")
        self.score: ScoreSettings = self.preset.score
        self._seed, self._work = seed, artefact.work_dir(work_dir)
        self._finetuned: Finetuned | None = None
        self._carried_seconds = 0.0

    @property
    def parameters(self) -> dict[str, Any]:
        """The settings in force, for the record."""
        return self.preset.model_dump(mode="json")

    @property
    def _weights_name(self) -> str:
        return self.preset.weights_of or self.name

    def check_available(self, data: TrainingData) -> None:
        """Raise Unavailable, saying what is missing and what gets it."""
        check_model(self.preset, self.name, data, seed=self._seed, work=self._work)

    def fit(self, data: TrainingData) -> None:
        """Fit the row, and fine-tune the language model or take the finished one."""
        self._row = create(find_model(self.score.row), seed=self._seed)
        self._row.fit(data)
        self._finetuned = finetune(data, self.preset, self._weights_name, seed=self._seed, work=self._work)
        release_device_memory()
        self._model, self._tokenizer = artefact.load_model(
            self._finetuned.folder, self.preset.generate.precision
        )
        self._texts = item_texts(data.catalogue, self.preset)
        self._wording = data.catalogue.wording
        self._candidates: Any = None

    def recommend(self, histories: Histories, depth: int) -> Rankings:
        """Order the row's candidates; likelihoods that were computed before are read."""
        return self._ranked(histories, depth, keep=True)

    def recommend_afresh(self, histories: Histories, depth: int) -> Rankings:
        """Like `recommend`, but without reading or keeping likelihoods."""
        return self._ranked(histories, depth, keep=False)

    def details(self) -> dict[str, Any]:
        """Facts of the last fit and recommend."""
        fitted = self._fitted
        return {
            "fit_reused": fitted.reused,
            "fit_seconds": fitted.artefact.fit_seconds,
            "carried_seconds": {
                "fit": round(fitted.carried_seconds, 3),
                "recommend": round(self._carried_seconds, 3),
            },
            "artefact": fitted.folder.name,
            "total_parameters": int(self._model.num_parameters()),
            "strategy": f"likelihood of the first {self.score.top} of {self.score.row}",
            **finetuning_facts(fitted),
        }

    def generations(self) -> None:
        """Nothing is written."""
        return None

    def _ranked(self, histories: Histories, depth: int, *, keep: bool) -> Rankings:
        lists = self.row_lists(histories, depth)
        candidates = remove_seen(lists, histories)[:, : self.score.top]
        likelihoods, alone = self.likelihoods(histories, candidates, keep=keep)
        return reordered(lists, candidates, combined(likelihoods, alone, candidates, self.score))

    def row_lists(self, histories: Histories, depth: int) -> Rankings:
        """Give the lists of the row alone."""
        return self._row.recommend(histories, depth)

    def likelihoods(
        self, histories: Histories, candidates: Rankings, *, keep: bool = True
    ) -> tuple[FloatArray, FloatArray]:
        """(users, top) log-likelihoods of the candidates after each history, and (items,) without any.

        -inf where there is no candidate; the second is 0 unless the settings take it off.
        """
        asked = prompts(histories, self._texts, self.preset, self._wording)
        if keep:
            self._carried_seconds = 0.0
        table = np.full(candidates.shape, -np.inf)
        chosen = [row[row != NO_ITEM] for row in candidates]
        for user, scores in enumerate(self._scores(asked, chosen, keep=keep)):
            table[user, : len(scores)] = scores
        alone = np.zeros(len(self._texts))
        if self.score.without_history:
            nothing = prompts(Histories.from_lists([[]]), self._texts, self.preset, self._wording)
            items = np.unique(candidates[candidates != NO_ITEM])
            parts = [items[start : start + 64] for start in range(0, len(items), 64)]
            found = self._scores(nothing * len(parts), parts, keep=keep)
            for part, scores in zip(parts, found, strict=True):
                alone[part] = scores
        return table, alone

    def _scores(
        self, asked: Sequence[str], candidates: Sequence[Int32Array], *, keep: bool
    ) -> list[FloatArray]:
        """Log-likelihoods of each prompt's candidates, from the store where they are there."""
        from genrec.decoding.candidates import CandidateScorer
        from genrec.decoding.prompt_tokens import continuations

        keys = [
            prompt_digest(f"{prompt}\0{','.join(map(str, items.tolist()))}")
            for prompt, items in zip(asked, candidates, strict=True)
        ]
        with self._store(keep) as store, threads_for(self._model):
            self._carried_seconds += sum(store.written[key].seconds for key in set(keys) & set(store.written))
            missing = {key: row for row, key in enumerate(keys) if key not in store.written}
            rows = list(missing.values())
            if rows:
                if self._candidates is None:
                    texts = continuations(self._tokenizer, self._texts, asked[0])
                    self._candidates = CandidateScorer(
                        self._model, self._tokenizer, texts, longest=self.preset.generate.max_seq_length
                    )
                todo = [candidates[row] for row in rows]
                done, start = 0, time.perf_counter()
                for batch, scores in self._candidates.score([asked[row] for row in rows], todo):
                    seconds = (time.perf_counter() - start) / len(batch)
                    named = [keys[rows[number]] for number in batch.tolist()]
                    store.add(zip(named, (_kept(values, seconds) for values in scores), strict=True))
                    done, start = done + len(batch), time.perf_counter()
                    report("score", done, len(rows))
            return [np.array(store.written[key].log_likelihoods) for key in keys]

    def _store(self, keep: bool) -> Any:
        if not keep:
            return nullcontext(MemoryStore(0))
        folder = self._fitted.folder
        precision = self.preset.generate.precision
        key = settings_digest({"likelihoods": 1, "precision": precision, "model": folder.name})
        return open_store(folder / "generations", key, token_budget=0)

    @property
    def _fitted(self) -> Finetuned:
        if self._finetuned is None:
            raise ConfigError(f"model '{self.name}' was asked for lists before it was fitted")
        return self._finetuned


def combined(
    likelihoods: FloatArray, alone: FloatArray, candidates: Rankings, settings: ScoreSettings
) -> FloatArray:
    """(users, top) scores of the candidates; `alone` is by item."""
    places = np.log(np.arange(1, candidates.shape[1] + 1))
    scores: FloatArray = likelihoods - settings.without_history * alone[candidates]
    return scores - settings.row_weight * places


def reordered(lists: Rankings, candidates: Rankings, scores: FloatArray) -> Rankings:
    """Put the candidates in front, best score first, and behind them what else the lists hold."""
    order = np.argsort(np.where(candidates == NO_ITEM, np.inf, -scores), axis=1, kind="stable")
    behind = np.broadcast_to(candidates.shape[1] + np.arange(lists.shape[1]), lists.shape)
    return collapse(np.hstack([candidates, lists]), np.hstack([order, behind]), lists.shape[1])


def _kept(scores: FloatArray, seconds: float) -> Written:
    return Written(texts=(), log_likelihoods=tuple(scores.tolist()), tokens=(), ended=(), seconds=seconds)
