"""Models with random weights in the exact shapes, and real texts to run them on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.progress import report
from bench.retrieval.item_text import item_texts as catalogue_texts
from bench.schema import Examples, TrainingData
from genrec.config import Preset
from genrec.preset_files import load_preset
from genrec.prompt_format import item_texts, prompts
from genrec.speed.setting import Setting
from genrec.weights.random_weights import write_random_checkpoint

VALIDATION_TEXTS = 8
"""Kept short: what is timed is training, and a run must evaluate once to finish."""

LONGEST = 4
"""Sequences of the most items that every sample holds, so that its memory peak is the whole run's."""


def random_base(setting: Setting, size: str) -> Path:
    """Folder of the random checkpoint of a size, written if it is not there."""
    folder = setting.work / "speed" / f"random-{setting.scale.name}-{size}"
    report(f"random weights {size}", 0, 1)
    texts = catalogue_texts(setting.split.catalogue)
    return write_random_checkpoint(folder, setting.scale.shapes[size], texts, seed=setting.seed)


def base_preset(setting: Setting, size: str, overrides: Sequence[str] = ()) -> Preset:
    """The published settings of a size, on its random checkpoint."""
    path = json.dumps(str(random_base(setting, size)))  # quoted: a path may look like YAML
    return load_preset(f"llama-{size}", [f"base_model={path}", *setting.scale.base_settings, *overrides])


def training_sample(data: TrainingData, texts: int) -> TrainingData:
    """`texts` training sequences spread over all of them, the longest among them; few validation ones."""
    lengths = data.train.lengths
    usable = np.flatnonzero(lengths >= 2)
    longest = usable[np.argsort(-lengths[usable], kind="stable")[:LONGEST]]
    others = np.setdiff1d(usable, longest)
    wanted = min(len(others), max(0, texts - len(longest)))
    spread = others[np.linspace(0, len(others) - 1, num=wanted).astype(np.int64)]
    few = np.arange(min(VALIDATION_TEXTS, len(data.validation)))
    validation = Examples(histories=data.validation.histories.take(few), targets=data.validation.targets[few])
    return replace(data, train=data.train.take(np.concatenate([longest, spread])), validation=validation)


def real_prompts(setting: Setting, preset: Preset, count: int) -> list[str]:
    """`count` prompts of test users, spread evenly over all of them, in the order of the data set."""
    histories = setting.split.test.histories
    rows = np.unique(np.linspace(0, len(histories) - 1, num=min(count, len(histories))).astype(np.int64))
    texts = item_texts(setting.split.catalogue, preset)
    return prompts(histories.take(rows), texts, preset, setting.split.catalogue.wording)
