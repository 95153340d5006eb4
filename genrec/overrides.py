"""Settings given one by one, as 'finetune.lora_r=32', laid over a tree of settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import yaml
from pydantic import BaseModel

from bench.errors import ConfigError


def apply_setting(tree: dict[str, Any], setting: str) -> None:
    """Set one value in place; raises ConfigError where it is not written key=value."""
    path, equals, value = setting.partition("=")
    if not equals or not path:
        raise ConfigError(f"a setting is written key=value, e.g. finetune.lora_r=32; got '{setting}'")
    *parents, last = path.strip().split(".")
    node = tree
    for parent in parents:
        if node.get(parent) is None:
            node[parent] = {}
        node = node[parent]
        if not isinstance(node, dict):
            raise ConfigError(f"'{parent}' in '{path}' holds one value and has no keys below it")
    try:
        node[last] = yaml.safe_load(value)
    except yaml.YAMLError:
        raise ConfigError(f"the value in '{setting}' is not valid YAML") from None


def known_keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Give the names of all settings, those of parts as 'part.name'."""
    for name, info in model.model_fields.items():
        yield prefix + name
        for part in (info.annotation, *get_args(info.annotation)):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from known_keys(part, f"{prefix}{name}.")
