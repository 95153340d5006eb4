"""What generation does to be fast, each part with a switch, so that it can be measured by itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Techniques:
    """Each decides how long the texts take, and none which texts are written."""

    shared_prefix: bool = True
    """The tokens that all prompts begin with are run once."""
    leave_when_done: bool = True
    """Users whose texts have ended leave the batch; else it stays whole until all have."""


USUAL = Techniques()
"""What generation does unless told otherwise."""
