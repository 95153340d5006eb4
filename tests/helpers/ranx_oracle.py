"""ranx as an independent judge, in a process of its own with numba's compiler off.

Compiling ranx takes a minute, which is more than its uncompiled arithmetic needs for any test.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

import pytest

_PROGRAM = """
import json, sys
import ranx
given = json.load(sys.stdin)
run = ranx.Run(given["run"])
means = ranx.evaluate(ranx.Qrels(given["qrels"]), run, given["metrics"])
print(json.dumps({"means": {k: float(v) for k, v in means.items()},
                  "users": {k: {u: float(s) for u, s in v.items()} for k, v in run.scores.items()}}))
"""

Scored = Mapping[str, Mapping[str, float]]


def ranx_scores(
    qrels: Mapping[str, Mapping[str, int]], run: Scored, metrics: Sequence[str]
) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Give the mean of each of two or more metrics, and metric -> user -> score."""
    pytest.importorskip("ranx")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _PROGRAM],
        input=json.dumps({"qrels": qrels, "run": run, "metrics": list(metrics)}),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    return found["means"], found["users"]
