"""New records as a pull request: a branch and a commit of their files alone, pushed, opened with `gh`.

The checkout is left as it is: the commit is made in an index of its own on top of the remote's main
branch, so that nothing else that a user has changed gets into it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import ConfigError, RecordError
from bench.records.store import StoredRecord

TIMEOUT_SECONDS = 300
REMOTE = "origin"
_SUFFIXES = (".json", ".parquet", ".ranks.parquet", ".texts.parquet", ".cleared.json")


@dataclass(frozen=True, kw_only=True)
class Published:
    """What was done, and what is left to do by hand."""

    branch: str
    pushed: bool
    url: str | None
    """Of the pull request, where `gh` opened it."""
    steps: tuple[str, ...]
    """Commands for what could not be done here."""


def files_of(stored: StoredRecord) -> list[Path]:
    """Give the files of a record that are there, its JSON first."""
    return [path for path in map(stored.path.with_suffix, _SUFFIXES) if path.is_file()]


def publish(stored: StoredRecord, comment: str, *, remote: str = REMOTE) -> Published:
    """Put a record on a branch of its own, push it and open a pull request whose text is `comment`.

    Without a remote, or without `gh`, the steps that are left are given instead. Raises RecordError with
    git's or gh's own words where one of them fails, ConfigError outside a git checkout.
    """
    record = stored.record
    folder = stored.path.parent
    root = Path(_git(folder, "rev-parse", "--show-toplevel").strip())
    branch = f"add-{record.model.name}-{record.dataset.name}-{stored.path.stem.lower()}"
    title = f"Add {record.model.name} on {record.dataset.name}"
    has_remote = remote in _git(root, "remote").split()
    base = _base(root, remote) if has_remote else "HEAD"
    commit = _commit(root, base, files_of(stored), title)
    _git(root, "branch", branch, commit)
    open_it = f"gh pr create --head {branch} --title '{title}' --body '...'"
    if not has_remote:
        steps = (f"git remote add {remote} <address of your fork>", f"git push -u {remote} {branch}", open_it)
        return Published(branch=branch, pushed=False, url=None, steps=steps)
    _git(root, "push", "--quiet", remote, f"refs/heads/{branch}:refs/heads/{branch}")
    if shutil.which("gh") is None:
        by_hand = f"open a pull request for the branch {branch} on the page of {remote}, or: {open_it}"
        return Published(branch=branch, pushed=True, url=None, steps=(by_hand,))
    words = ["gh", "pr", "create", "--head", branch, "--title", title, "--body-file", "-"]
    url = _run(words, root, text=comment).strip()
    return Published(branch=branch, pushed=True, url=url, steps=())


def _base(root: Path, remote: str) -> str:
    """Find the branch that the pull request is for; what was fetched last, or what is checked out."""
    for name in (f"{remote}/HEAD", f"{remote}/main", f"{remote}/master"):
        try:
            return _git(root, "rev-parse", "--verify", "--quiet", f"refs/remotes/{name}^{{commit}}").strip()
        except RecordError:
            continue
    return "HEAD"


def _commit(root: Path, base: str, files: Sequence[Path], title: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        _git(root, "read-tree", base, extra=index)
        _git(root, "add", "--force", "--", *map(str, files), extra=index)
        tree = _git(root, "write-tree", extra=index).strip()
    return _git(root, "commit-tree", tree, "-p", base, "-m", title).strip()


def _git(folder: Path, *arguments: str, extra: dict[str, str] | None = None) -> str:
    return _run(["git", "-C", str(folder), *arguments], folder, extra=extra)


def _run(words: Sequence[str], folder: Path, *, text: str = "", extra: dict[str, str] | None = None) -> str:
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GH_PROMPT_DISABLED": "1", **(extra or {})}
    try:
        done = subprocess.run(
            words,
            cwd=folder,
            env=environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=True,
        )
    except FileNotFoundError:
        raise ConfigError(f"--pr needs {words[0]}, which is not installed") from None
    except subprocess.TimeoutExpired:
        raise RecordError(f"{words[0]} took over {TIMEOUT_SECONDS} seconds") from None
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout or "").strip().splitlines()
        name = " ".join(words[:2]) if words[0] == "gh" else f"git {words[3]}"
        raise RecordError(f"{name}: {said[0] if said else 'failed'}") from None
    return done.stdout
