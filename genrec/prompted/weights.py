"""The weights of a model that is not trained here."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from bench.errors import ConfigError, Unavailable
from genrec.availability import EXTRA, require_gpu
from genrec.config import Precision, Preset
from genrec.engines.interface import Checkpoint, Weights
from genrec.engines.opening import check_endpoint, check_engine

STORE = "prompted"
"""Folder below the work folder: texts of models that were not trained here."""


def check_untrained(preset: Preset, name: str) -> None:
    """Raise Unavailable where the model cannot be asked here, saying what is missing and what gets it."""
    if preset.engine == "openai":
        check_endpoint(preset)
        return
    missing = [p for p in ("torch", "transformers", "tokenizers") if importlib.util.find_spec(p) is None]
    if missing:
        raise Unavailable(f"not installed: {', '.join(missing)}; get it with: {EXTRA}")
    require_gpu(preset, name)
    check_engine(preset)
    _base(preset)


def base_weights(preset: Preset, work: Path) -> Weights | None:
    """Give the preset's base model as it comes; None where a server has the weights."""
    if preset.engine == "openai":
        return None
    from genrec.weights.base_model import default_device, load_base_model, with_precision
    from genrec.weights.tokenizer import load_tokenizer

    base = _base(preset)

    def load(precision: Precision) -> tuple[Any, Any]:
        model = load_base_model(base.folder, four_bit=False, device=default_device())
        return with_precision(model, precision), load_tokenizer(base.folder)

    return Weights(
        name=base.revision,
        store=work / STORE,
        load=load,
        checkpoint=lambda: Checkpoint(model=base.folder, tokenizer=base.folder),
    )


def _base(preset: Preset) -> Any:
    from genrec.weights.base_model import find_base_model

    if preset.base_model is None:
        raise ConfigError("a model that is asked and not trained needs a base_model")
    return find_base_model(preset.base_model, preset.revision)
