"""The row `rerank`: an instruct model orders a cheap row's candidates.

The first `top` unseen items of the row's list are shown in an order that the seed shuffles for each user, so
that the row's own order does not leak into the answer. What the model names stands in front, in its order;
the candidates that it does not name follow as the row has them, then the rest of the row's list.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import ConfigError
from bench.metrics.ranking import remove_seen
from bench.models import create, find_model
from bench.retrieval.generated import GeneratedTexts
from bench.schema import NO_ITEM, FloatArray, Histories, Rankings, TrainingData
from genrec import artefact
from genrec.candidate_ranker import reordered
from genrec.config import Preset
from genrec.engines.opening import OpenedEngine, open_engine, parameters_in_force
from genrec.preset_files import load_preset
from genrec.prompt_format import item_texts, last_items
from genrec.prompted.answers import Order, order
from genrec.prompted.instructions import order_wanted
from genrec.prompted.position import position_bias
from genrec.prompted.settings import RerankSettings
from genrec.prompted.weights import base_weights, check_untrained


@dataclass(frozen=True, kw_only=True, eq=False)
class _Shown:
    """What the asked users were shown."""

    users: list[int]
    """Rows of those with at least two candidates."""
    shuffled: list[list[int]]
    """Of each, the row's candidates by their place in the row's order, as they stood in the prompt."""
    texts: list[list[str]]


class Reranker:
    """A recommender of the kind `hybrid`: a cheaper model finds, an instruct model orders.

    Arguments are those of `GenerativeRecommender`; answers are kept and taken up again like its texts.
    """

    kind = "hybrid"

    def __init__(
        self, preset: str, seed: int, settings: Sequence[str] = (), work_dir: Path | None = None
    ) -> None:
        self.name = Path(preset).stem
        self.preset: Preset = load_preset(preset, settings)
        if self.preset.rerank is None:
            raise ConfigError(f"preset '{preset}' has no section 'rerank', which names the row to be ordered")
        self.rerank: RerankSettings = self.preset.rerank
        self._seed, self._work = seed, artefact.work_dir(work_dir)
        self._engine: OpenedEngine | None = None
        self._facts: dict[str, Any] = {}

    @property
    def parameters(self) -> dict[str, Any]:
        """The settings in force, for the record."""
        return parameters_in_force(self.preset)

    def check_available(self, data: TrainingData) -> None:
        """Raise Unavailable, saying what is missing and what gets it."""
        check_untrained(self.preset, self.name)

    def fit(self, data: TrainingData) -> None:
        """Fit the row and open the engine; the language model learns nothing."""
        self._row = create(find_model(self.rerank.row), seed=self._seed)
        self._row.fit(data)
        self._texts = item_texts(data.catalogue, self.preset)
        self._wording = data.catalogue.wording
        self._engine = open_engine(
            self.preset,
            self.preset.generate,
            base_weights(self.preset, self._work),
            seed=self._seed,
            fingerprint=data.generative_fingerprint,
            work=self._work,
        )

    def recommend(self, histories: Histories, depth: int) -> Rankings:
        """Order the row's candidates; answers that were given before are read."""
        lists, orders, shown, generated = self._ranked(histories, depth, keep=True)
        self._facts = self._described(orders, shown, generated)
        return lists

    def recommend_afresh(self, histories: Histories, depth: int) -> Rankings:
        """Like `recommend`, but without reading or keeping answers, unless they are paid for."""
        return self._ranked(histories, depth, keep=False)[0]

    def row_lists(self, histories: Histories, depth: int) -> Rankings:
        """Give the lists of the row alone."""
        return self._row.recommend(histories, depth)

    def request_seconds(self) -> list[float] | None:
        """Time of each request to a server in this run; None where users can be timed by asking again."""
        return self._opened.request_seconds()

    def details(self) -> dict[str, Any]:
        """Facts of the last fit and recommend."""
        engine = self._opened
        return {
            "engine": self.preset.engine,
            "total_parameters": engine.total_parameters,
            "strategy": f"the model's order of the first {self.rerank.top} of {self.rerank.row}",
            **engine.facts(),
            **self._facts,
        }

    def generations(self) -> None:
        """No text of an item is written."""
        return None

    @property
    def _opened(self) -> OpenedEngine:
        if self._engine is None:
            raise ConfigError(f"model '{self.name}' was asked for lists before it was fitted")
        return self._engine

    def _ranked(
        self, histories: Histories, depth: int, *, keep: bool
    ) -> tuple[Rankings, list[Order], _Shown, GeneratedTexts]:
        engine = self._opened
        lists = self.row_lists(histories, depth)
        candidates = remove_seen(lists, histories)[:, : self.rerank.top]
        shown = self._show(candidates)
        count = self.preset.history_items
        told = histories if count is None else last_items(histories, count)
        prompts = [
            order_wanted([self._texts[item] for item in told[user].tolist()], texts, self._wording)
            for user, texts in zip(shown.users, shown.texts, strict=True)
        ]
        generated = engine.write(prompts, keep=keep)
        answers = [generated.texts[start] if start < end else "" for start, end in _bounds(generated)]
        orders = [order(answer, texts) for answer, texts in zip(answers, shown.texts, strict=True)]
        return reordered(lists, candidates, _scores(candidates, shown, orders)), orders, shown, generated

    def _show(self, candidates: Rankings) -> _Shown:
        """Shuffle each user's candidates by the seed and by what they are, not by who is asked beside."""
        users, shuffled, texts = [], [], []
        for user, row in enumerate(candidates):
            items = row[row != NO_ITEM]
            if len(items) < 2:
                continue
            digest = hashlib.sha256(f"{self._seed}:{items.tolist()}".encode()).digest()
            places = np.random.default_rng(int.from_bytes(digest[:16])).permutation(len(items)).tolist()
            users.append(user)
            shuffled.append(places)
            texts.append([self._texts[items[place]] for place in places])
        return _Shown(users=users, shuffled=shuffled, texts=texts)

    def _described(self, orders: list[Order], shown: _Shown, generated: GeneratedTexts) -> dict[str, Any]:
        counts = [len(texts) for texts in shown.texts]
        total = sum(counts)
        return {
            "carried_seconds": {"recommend": round(generated.carried_seconds, 3)},
            "generation_seconds": round(generated.seconds, 3),
            "rerank": {
                "users_asked": len(orders),
                "candidates_named": round(sum(len(one.named) for one in orders) / total, 4)
                if total
                else None,
                "users_without_an_order": sum(not one.named for one in orders),
                "users_with_invented_items": sum(one.invented > 0 for one in orders),
                "invented_items": sum(one.invented for one in orders),
                "repeated_items": sum(one.repeated for one in orders),
                "cut_answers": int(generated.truncated.sum()),
                "position_bias": position_bias(orders, counts, seed=self._seed),
            },
        }


def _bounds(generated: GeneratedTexts) -> list[tuple[int, int]]:
    return list(zip(generated.indptr[:-1].tolist(), generated.indptr[1:].tolist(), strict=True))


def _scores(candidates: Rankings, shown: _Shown, orders: Sequence[Order]) -> FloatArray:
    """(users, top): what was named by its place in the answer, all else behind it as the row has it."""
    width = candidates.shape[1]
    scores = np.tile(-(width + np.arange(width, dtype=np.float64)), (len(candidates), 1))
    for user, places, answered in zip(shown.users, shown.shuffled, orders, strict=True):
        for rank, number in enumerate(answered.named):
            scores[user, places[number]] = -rank
    return scores
