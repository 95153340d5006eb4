"""The environment block: the commit is the code's own, and a change to the code makes it dirty."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bench.cost.environment import commit_of_checkout, describe_environment, installed_versions


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_commit_and_dirty(tmp_path: Path) -> None:
    assert commit_of_checkout(tmp_path) == ("unknown", None)
    git(tmp_path, "init", "-q")
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "environment.py").write_text("a = 1\n")
    assert commit_of_checkout(tmp_path) == ("unknown", None)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert commit_of_checkout(tmp_path) == (head, False)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "new.json").write_text("{}")
    assert commit_of_checkout(tmp_path) == (head, False)  # a new record is not a change of the code
    (tmp_path / "bench" / "environment.py").write_text("a = 2\n")
    assert commit_of_checkout(tmp_path) == (head, True)


def test_environment_names_what_moves_a_result() -> None:
    environment = describe_environment()
    assert {"numpy", "scipy", "bm25s"} <= set(environment.packages)
    assert environment.cpu and environment.os and environment.python
    assert installed_versions(("no-such-package",)) == {}
