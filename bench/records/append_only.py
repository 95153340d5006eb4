"""The results folder against an earlier commit: nothing edited, nothing removed, no score moved."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.datasets.audit.data_audit import FILE_PATTERN as DATA_AUDIT
from bench.errors import ConfigError, RecordError
from bench.records.notes import is_note
from bench.records.store import Problem
from bench.reproduction.kept_report import FILE_NAME as REPRODUCTION

TIMEOUT_SECONDS = 120
_WHAT = {"M": "was edited", "D": "was removed", "T": "was turned into another kind of file"}


def changes_since(base: str, results_dir: Path) -> list[Problem]:
    """Name every file of the folder that was edited or removed since this branch left `base`.

    Files may only be added; reproduction report and data audits, which are derived, may be replaced.
    """
    root = Path(_git(results_dir, "rev-parse", "--show-toplevel").strip())
    commit = _commit(results_dir, base)
    listed = _git(results_dir, "diff", "--name-status", "--no-renames", "-z", commit, "--", ".")
    return list(_problems(listed.split("\0"), root, results_dir, commit))


def added_since(base: str, results_dir: Path) -> list[Path]:
    """Give the records, in order of their paths, that were added since this branch left `base`.

    Those that git does not track yet are among them.
    """
    root = Path(_git(results_dir, "rev-parse", "--show-toplevel").strip())
    commit = _commit(results_dir, base)
    filters = ("--name-only", "--diff-filter=A", "--no-renames", "-z")
    added = _git(results_dir, "diff", *filters, commit, "--", ".").split("\0")
    loose = _git(root, "ls-files", "--others", "--exclude-standard", "-z", "--", str(results_dir.resolve()))
    paths = sorted({root / name for name in (*added, *loose.split("\0")) if name.endswith(".json")})
    return [path for path in paths if not is_note(path) and path.name != REPRODUCTION and path.is_file()]


def tracked_files(results_dir: Path) -> set[Path] | None:
    """Resolved paths of the folder's files that git tracks; None where git cannot tell."""
    folder = results_dir.resolve()
    try:
        listed = _git(folder, "ls-files", "-z", "--", ".")
    except (ConfigError, RecordError):
        return None
    return {folder / name for name in listed.split("\0") if name}


def _commit(folder: Path, base: str) -> str:
    try:
        _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{base}^{{commit}}")
    except RecordError:
        raise ConfigError(f"git knows no commit '{base}'; give a branch, tag or commit with --base") from None
    return _git(folder, "merge-base", base, "HEAD").strip()


def _problems(fields: list[str], root: Path, folder: Path, commit: str) -> Iterator[Problem]:
    for status, name in zip(fields[::2], fields[1::2], strict=False):
        path = root / name
        if status == "A" or path.name == REPRODUCTION or DATA_AUDIT.fullmatch(path.name):
            continue
        message = (
            f"{_WHAT.get(status, f'changed ({status})')} since {commit[:12]}; records are only ever added"
        )
        if status == "M" and name.endswith(".json"):
            before = _git(folder, "show", f"{commit}:{name}")
            message += _moved(before, path)
        yield Problem(path=path, message=message)


def _moved(before: str, path: Path) -> str:
    """List the scores that differ between two versions of a record."""
    try:
        old, new = json.loads(before), json.loads(path.read_bytes())
        pairs = [
            (f"{view} {metric}", old["metrics"][view][metric]["value"], new["metrics"][view][metric]["value"])
            for view in ("seen_kept", "seen_removed")
            for metric in old["metrics"][view]
        ]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""
    moved = [f"{name} {left} -> {right}" for name, left, right in pairs if left != right]
    return f"; scores moved: {', '.join(moved[:6])}" if moved else ""


def _git(folder: Path, *arguments: str) -> str:
    command: list[Any] = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_SECONDS, check=True)
    except FileNotFoundError:
        raise ConfigError("git is not installed, and the history of the results is read with it") from None
    except subprocess.TimeoutExpired:
        raise RecordError(f"git {arguments[0]} took over {TIMEOUT_SECONDS} seconds") from None
    except subprocess.CalledProcessError as error:
        reason = error.stderr.decode("utf-8", "replace").strip().splitlines()
        raise RecordError(f"git {arguments[0]}: {reason[0] if reason else 'failed'}") from None
    return done.stdout.decode("utf-8", "surrogateescape")
