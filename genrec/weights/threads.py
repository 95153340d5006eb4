"""How many CPU threads a model is worth."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

NARROW = 192
"""Hidden sizes up to this gain nothing from a second thread, whatever the batch."""


@contextmanager
def threads_for(model: Any) -> Iterator[None]:
    """Run a narrow model on one CPU thread; others, and those on a GPU, as torch is set.

    Matrix products of a narrow model are over in microseconds. Threads that meet after each of them
    gain nothing on an idle machine, and on a busy one wait for each other: measured on two shared
    cores, training at width 64 took 21 s with one thread and 327 s with two.
    """
    import torch

    before = torch.get_num_threads()
    narrow = model.device.type == "cpu" and getattr(model.config, "hidden_size", NARROW + 1) <= NARROW
    if narrow:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if narrow:
            torch.set_num_threads(before)
