"""The environment block: the commit is the code's own, and a change to the code makes it dirty."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bench.cost import environment
from bench.cost.environment import commit_of_checkout, describe_environment, installed_versions

ENVIRONMENT = Path(environment.__file__).relative_to(Path(environment.__file__).parents[2])


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_commit_and_dirty(tmp_path: Path) -> None:
    assert commit_of_checkout(tmp_path) == ("unknown", None)
    git(tmp_path, "init", "-q")
    (tmp_path / ENVIRONMENT).parent.mkdir(parents=True)
    (tmp_path / ENVIRONMENT).write_text("a = 1\n")
    assert commit_of_checkout(tmp_path) == ("unknown", None)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert commit_of_checkout(tmp_path) == (head, False)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "new.json").write_text("{}")
    assert commit_of_checkout(tmp_path) == (head, False)  # a new record is not a change of the code
    (tmp_path / ENVIRONMENT).write_text("a = 2\n")
    assert commit_of_checkout(tmp_path) == (head, True)


@pytest.mark.parametrize(
    ("changed", "dirty"),
    [
        ("bench/metrics.py", True),
        ("genrec/beam.py", True),
        ("baselines/random_items.py", True),
        ("pyproject.toml", True),
        ("leaderboard/app.py", False),
        ("tests/test_metrics.py", False),
        ("README.md", False),
    ],
)
@pytest.mark.parametrize("new", [True, False])
def test_any_code_that_moves_a_result_makes_a_run_dirty_and_nothing_else_does(
    changed: str, dirty: bool, new: bool, tmp_path: Path
) -> None:
    marker, path = tmp_path / ENVIRONMENT, tmp_path / changed
    for file in (marker, path):
        file.parent.mkdir(exist_ok=True, parents=True)
    marker.write_text("a = 1\n")
    if not new:
        path.write_text("a = 1\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    path.write_text("a = 2\n")
    assert commit_of_checkout(tmp_path)[1] is dirty


def test_environment_names_what_moves_a_result() -> None:
    environment = describe_environment()
    assert {"numpy", "scipy", "bm25s"} <= set(environment.packages)
    assert environment.cpu and environment.os and environment.python
    assert installed_versions(("no-such-package",)) == {}
