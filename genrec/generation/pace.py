"""What decides how fast a model writes here, besides its settings: it names stored work that has a time."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from bench.cost.environment import cpu_name
from genrec.decoding.techniques import USUAL, Techniques
from genrec.weights.threads import threads_for


def pace_of(model: Any, techniques: Techniques = USUAL) -> dict[str, Any]:
    """Give device, precision, CPU threads and techniques: with others, the same work takes another time."""
    import torch

    on_gpu = model.device.type == "cuda"
    with threads_for(model):
        threads = None if on_gpu else torch.get_num_threads()
    return {
        "device": torch.cuda.get_device_name(model.device) if on_gpu else cpu_name(),
        "dtype": str(model.dtype),
        "threads": threads,
        "techniques": asdict(techniques),
    }
