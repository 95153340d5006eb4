"""Where the app reads from."""

from __future__ import annotations

import os
from pathlib import Path

RESULTS_VARIABLE = "GENREC_BENCH_RESULTS"
DATA_VARIABLE = "GENREC_BENCH_DATA"
_CHECKOUT_RESULTS = Path(__file__).resolve().parents[2] / "results"


def results_dir(given: Path | None = None) -> Path:
    """Give the results folder: as given, $GENREC_BENCH_RESULTS, `results/` here, or the checkout's."""
    if given is not None:
        return given
    if from_environment := os.environ.get(RESULTS_VARIABLE):
        return Path(from_environment).expanduser()
    here = Path("results")
    return here if here.is_dir() else _CHECKOUT_RESULTS
