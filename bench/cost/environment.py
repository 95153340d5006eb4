"""Where a run takes place: commit, packages, processor, GPU. What cannot be known is null."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.cost.gpu import open_gpus
from bench.record_parts import Environment

PACKAGES = (
    "genrec-bench", "numpy", "scipy", "pyarrow", "bm25s", "pydantic", "torch", "transformers", "tokenizers",
    "peft", "bitsandbytes", "accelerate", "unsloth",
)  # fmt: skip
"""Packages whose version can move a result."""

CODE = ("bench", "genrec", "baselines", "pyproject.toml")
"""Paths of the checkout that a result depends on; a change elsewhere does not make a run dirty."""


def describe_environment() -> Environment:
    """Read the environment of this process."""
    commit, dirty = commit_of_checkout(Path(__file__).resolve().parents[2])
    gpus = open_gpus()
    return Environment(
        commit=commit,
        dirty=dirty,
        packages=installed_versions(PACKAGES),
        cpu=cpu_name(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        gpu=gpus.name if gpus else None,
        driver=gpus.driver if gpus else None,
        os=platform.platform(),
        python=platform.python_version(),
    )


def commit_of_checkout(root: Path) -> tuple[str, bool | None]:
    """Give (commit, whether the code has uncommitted changes), or ('unknown', None) outside a checkout."""
    if _git(root, "ls-files", "--error-unmatch", "bench/cost/environment.py") is None:
        return "unknown", None
    commit = _git(root, "rev-parse", "HEAD")
    status = _git(root, "status", "--porcelain", "--", *CODE)
    return (commit or "unknown"), (None if status is None else bool(status))


def installed_versions(names: tuple[str, ...]) -> dict[str, str]:
    """Versions of those packages that are installed."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def cpu_name() -> str:
    """Name the processor as the system does."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
