"""The row `prompted`: an instruct model writes the titles that come next, zero-shot or with examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import ConfigError
from bench.retrieval.generated import GeneratedTexts
from bench.schema import Histories, TrainingData
from genrec.engines.interface import Weights
from genrec.prompt_format import last_items
from genrec.prompted.answers import titles
from genrec.prompted.instructions import draw_examples, titles_wanted
from genrec.prompted.settings import PromptedSettings
from genrec.prompted.weights import base_weights, check_untrained
from genrec.recommender import GenerativeRecommender


class PromptedRecommender(GenerativeRecommender):
    """A generative recommender without training: each line of the answer is a text of the next item.

    Arguments are those of `GenerativeRecommender`. Lines rank as they are written; the log-likelihood that a
    record keeps with a line is that of the whole answer.
    """

    def __init__(
        self, preset: str, seed: int, settings: Sequence[str] = (), work_dir: Path | None = None
    ) -> None:
        super().__init__(preset, seed, settings, work_dir)
        if self.preset.prompted is None:
            raise ConfigError(f"preset '{preset}' has no section 'prompted', which says how many titles")
        self._prompted: PromptedSettings = self.preset.prompted

    def check_available(self, data: TrainingData) -> None:
        """Raise Unavailable, saying what is missing and what gets it."""
        check_untrained(self.preset, self.name)

    def _weights(self, data: TrainingData) -> Weights | None:
        rng = np.random.default_rng([self._seed, 15])
        asked = self._prompted
        drawn = (
            draw_examples(self._told(data.train), asked.examples, asked.titles, rng) if asked.examples else []
        )
        self._examples = [(self._lines(before), self._lines(after)) for before, after in drawn]
        return base_weights(self.preset, self._work)

    def _prompts(self, histories: Histories) -> list[str]:
        count, wording = self._prompted.titles, self._wording
        return [
            titles_wanted(self._lines(items.tolist()), count, wording, self._examples)
            for items in self._told(histories)
        ]

    def _read(self, generated: GeneratedTexts) -> GeneratedTexts:
        return split_lines(generated, self._prompted.titles)

    def _told(self, histories: Histories) -> Histories:
        count = self.preset.history_items
        return histories if count is None else last_items(histories, count)

    def _lines(self, items: Sequence[int]) -> list[str]:
        return [self._texts[item] for item in items]

    def details(self) -> dict[str, Any]:
        """Facts of the last fit and recommend, with the examples that stood in the prompt."""
        return super().details() | {
            "prompted": {"titles": self._prompted.titles, "examples": len(self._examples)}
        }


def split_lines(generated: GeneratedTexts, limit: int) -> GeneratedTexts:
    """Make a text of each title in the answers; an answer's tokens are shared out among its lines."""
    lines = [titles(text, limit) for text in generated.texts]
    counts = np.array([len(found) for found in lines], dtype=np.int64)
    before = np.concatenate([[0], counts.cumsum()])
    tokens = [
        np.diff(np.linspace(0, total, num=count + 1).round())
        for total, count in zip(generated.tokens.tolist(), counts.tolist(), strict=True)
    ]
    return replace(
        generated,
        indptr=before[generated.indptr],
        texts=tuple(line for found in lines for line in found),
        log_likelihoods=np.repeat(generated.log_likelihoods, counts),
        tokens=np.concatenate([np.empty(0), *tokens]).astype(np.int32),
        truncated=np.repeat(generated.truncated, counts),
    )
