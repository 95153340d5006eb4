"""Keys and values of past positions; each position is written once and never moved."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import Any

import torch
from transformers import Cache
from transformers.cache_utils import DynamicLayer


class AppendLayer(DynamicLayer):  # type: ignore[misc]
    """One layer's keys and values in a buffer of fixed capacity, so that a step copies only what is new."""

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.capacity = capacity
        self._buffers: tuple[Any, Any] | None = None

    def update(self, key_states: Any, value_states: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        """Append (rows, heads, new positions, width) and give all that is filled."""
        if self._buffers is None:
            self._allocate(key_states, value_states)
        start = self.get_seq_length()
        self._write(start, key_states, value_states)
        return self.keys, self.values

    def fork(self, rows: int, capacity: int) -> AppendLayer:
        """Copy this one-row layer to the start of a layer of `rows` rows."""
        copy = AppendLayer(capacity)
        keys = self.keys.expand(rows, -1, -1, -1)
        values = self.values.expand(rows, -1, -1, -1)
        copy._allocate(keys, values)
        copy._write(0, keys, values)
        return copy

    def keep(self, rows: Any) -> None:
        """Drop all rows but these."""
        keys, values = self.keys[rows], self.values[rows]
        self._allocate(keys, values)
        self._write(0, keys, values)

    def _allocate(self, keys: Any, values: Any) -> None:
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True
        self._buffers = (
            keys.new_empty(*keys.shape[:2], self.capacity, keys.shape[3]),
            values.new_empty(*values.shape[:2], self.capacity, values.shape[3]),
        )
        self.keys, self.values = (buffer[:, :, :0] for buffer in self._buffers)

    def _write(self, start: int, keys: Any, values: Any) -> None:
        assert self._buffers is not None
        stop = start + keys.shape[2]
        if stop > self.capacity:
            raise ValueError(f"the cache holds {self.capacity} positions, {stop} were asked for")
        self._buffers[0][:, :, start:stop] = keys
        self._buffers[1][:, :, start:stop] = values
        self.keys, self.values = (buffer[:, :, :stop] for buffer in self._buffers)


def new_cache(model: Any, capacity: int) -> Any:
    """Make an empty cache for the model with room for `capacity` positions."""
    layers = model.config.get_text_config().num_hidden_layers
    return Cache(layers=[AppendLayer(capacity) for _ in range(layers)])


def cached(model: Any, cache: Any) -> dict[str, Any]:
    """Give the arguments by which a forward pass of the model goes on from the cache and adds to it."""
    kind: Any = type(model.get_base_model() if hasattr(model, "get_base_model") else model)
    return {_cache_argument(kind): cache, "use_cache": True}


@lru_cache
def _cache_argument(kind: Any) -> str:
    # transformers 5.24 renamed `past_key_values` and warns at the former name; 5.40 drops it
    return "cache" if "cache" in inspect.signature(kind.forward).parameters else "past_key_values"


def fork(cache: Any, rows: int, capacity: int) -> Any:
    """Make a cache of `rows` rows that all begin with the one row of `cache`."""
    return Cache(layers=[layer.fork(rows, capacity) for layer in cache.layers])


def keep(cache: Any, rows: torch.Tensor) -> None:
    """Drop from every layer all rows but these."""
    for layer in cache.layers:
        layer.keep(rows)
