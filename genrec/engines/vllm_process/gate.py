"""vLLM behind its parity gate: nothing is written before both engines wrote the same for some users."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from genrec.config import GenerateSettings
from genrec.engines.interface import Weights
from genrec.engines.settings import VllmSettings
from genrec.engines.vllm_process.engine import VllmEngine, VllmProcess
from genrec.engines.vllm_process.parity import TEXTS, compare, keep, kept
from genrec.generation.generator import TextGenerator
from genrec.weights.device_memory import release_device_memory
from genrec.weights.tokenizer import load_tokenizer


class GatedVllm:
    """The process, started when it is first needed, and what the gate found."""

    def __init__(
        self, weights: Weights, generate: GenerateSettings, vllm: VllmSettings, *, seed: int, path: Path
    ) -> None:
        """`path` keeps what the gate found, so that a run that goes on need not ask again."""
        self._weights, self._generate, self._vllm, self._seed = weights, generate, vllm, seed
        self._checkpoint = weights.checkpoint()
        self._path = path
        self._process: VllmProcess | None = None
        self.tokenizer = load_tokenizer(self._checkpoint.tokenizer)
        self.facts: dict[str, Any] | None = None

    def check(self, prompts: Sequence[str]) -> None:
        """Compare both engines on some of the prompts, unless that was done for these texts before.

        Raises ModelError where they differ too much.
        """
        if self.facts is None and prompts:
            self.facts = kept(self._path) or self._compared(list(dict.fromkeys(prompts)))
            keep(self._path, self.facts)

    def engine(self) -> VllmEngine:
        """Give the engine that writes as the settings say."""
        return VllmEngine(self._started(), self.tokenizer, self._generate, seed=self._seed)

    def _started(self) -> VllmProcess:
        if self._process is None:
            width = 2 * max(TEXTS, self._generate.continuations)
            self._process = VllmProcess(self._checkpoint, self._generate, self._vllm, width=width)
        return self._process

    def _compared(self, prompts: list[str]) -> dict[str, Any]:
        count = min(self._vllm.parity_users, len(prompts))
        chosen = [prompts[row] for row in np.unique(np.linspace(0, len(prompts) - 1, num=count).astype(int))]
        changes = {"strategy": "beam", "num_beams": TEXTS, "exclude_seen": False, "stop": "end"}
        beam = self._generate.model_copy(update=changes)
        model, tokenizer = self._weights.load(beam.precision)
        ours = TextGenerator.own(model, tokenizer, beam, seed=self._seed).generate(chosen)
        parameters = int(model.num_parameters())
        del model
        release_device_memory()  # vLLM takes what is free when it starts
        theirs = TextGenerator(
            lambda _: VllmEngine(self._started(), tokenizer, beam, seed=self._seed),
            beam,
            pace={},
            packages=(),
        ).generate(chosen)
        found = compare(chosen, ours, theirs, threshold=self._vllm.parity)
        return found | {"total_parameters": parameters}
