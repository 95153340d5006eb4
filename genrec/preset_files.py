"""Presets: YAML files that fill the settings. An unknown key is an error that names the closest one."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from bench.errors import ConfigError, unknown_name
from genrec.config import Preset
from genrec.overrides import apply_setting, known_keys


def preset_names() -> list[str]:
    """Names of the presets that come with the package."""
    return sorted(
        path.name.removesuffix(".yaml")
        for path in files("genrec.presets").iterdir()
        if path.name.endswith(".yaml")
    )


def load_preset(name_or_path: str, settings: Iterable[str] = ()) -> Preset:
    """Load a preset by name or YAML path and apply overrides such as 'finetune.lora_r=32'.

    Raises ConfigError for an unknown name or key (naming the closest), broken YAML, or a bad value.
    """
    if name_or_path.endswith((".yaml", ".yml")):
        path = Path(name_or_path)
        if not path.is_file():
            raise ConfigError(f"there is no preset file '{path}'")
        text = path.read_text(encoding="utf-8")
    elif name_or_path in preset_names():
        text = (files("genrec.presets") / f"{name_or_path}.yaml").read_text(encoding="utf-8")
    else:
        raise unknown_name("preset", name_or_path, preset_names())
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"preset '{name_or_path}' is not valid YAML: {error}") from None
    if not isinstance(tree, dict):
        raise ConfigError(f"preset '{name_or_path}' must be a mapping of settings, got {type(tree).__name__}")
    if "like" in tree:
        tree = _like(tree)
    for setting in settings:
        apply_setting(tree, setting)
    return _validated(tree, name_or_path)


def _like(tree: dict[str, Any]) -> dict[str, Any]:
    """Lay a preset's settings over those of the preset that it names under `like`, whose weights it uses."""
    parent = str(tree["like"])
    if parent not in preset_names():
        raise unknown_name("preset under 'like'", parent, preset_names())
    merged: dict[str, Any] = load_preset(parent).model_dump(mode="json") | {"weights_of": parent}
    for name, value in tree.items():
        if name != "like":
            both = isinstance(value, dict) and isinstance(merged.get(name), dict)
            merged[name] = merged[name] | value if both else value
    return merged


def override(preset: Preset, settings: Iterable[str], name: str) -> Preset:
    """Apply overrides such as 'generate.num_beams=10' to a preset; raises ConfigError like `load_preset`."""
    tree = preset.model_dump(mode="json")
    for setting in settings:
        apply_setting(tree, setting)
    return _validated(tree, name)


def _validated(tree: dict[str, Any], name: str) -> Preset:
    try:
        return Preset.model_validate(tree)
    except ValidationError as error:
        known = set(known_keys(Preset))
        for problem in error.errors():
            key = ".".join(str(part) for part in problem["loc"])
            if problem["type"] == "extra_forbidden":
                raise unknown_name(f"setting in preset '{name}'", key, known) from None
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "preset"
        raise ConfigError(f"preset '{name}': {key}: {first['msg']} (got {first.get('input')!r})") from None
