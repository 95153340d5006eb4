"""Memory of the GPU that nothing needs any more."""

from __future__ import annotations

import gc
import sys


def release_device_memory() -> None:
    """Give back what was held on the GPU, before another model is loaded there."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
