"""The container's own command lines, run here: over records that cannot be written, with its health check."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import urllib.request
from pathlib import Path

import yaml
from browsing import free_port, serving
from record_factory import write_record

from bench.schema import Split

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def words_of(instruction: str) -> list[str]:
    """The JSON list behind an instruction, or behind the CMD of HEALTHCHECK."""
    (found,) = re.findall(rf"^{instruction} (\[.*\])$", DOCKERFILE, flags=re.MULTILINE)
    words: list[str] = json.loads(found)
    return words


def test_the_container_serves_read_only_records_and_is_healthy(sample_split: Split, tmp_path: Path) -> None:
    results = tmp_path / "results"
    write_record(results, sample_split, "a-model")
    for path in [*results.rglob("*"), results]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = {path: path.stat().st_mtime_ns for path in results.rglob("*")}
    port = free_port()
    command = [word.replace("0.0.0.0", "127.0.0.1").replace("7860", str(port)) for word in words_of("CMD")]
    check = [word.replace("7860", str(port)) for word in words_of(r" +CMD")]
    assert command[0] == "genrec-bench" and check[0] == "python"
    start = [sys.executable, "-c", "from bench.cli import main; main()", *command[1:]]
    probe = [sys.executable, *check[1:]]
    assert subprocess.run(probe, check=False, capture_output=True).returncode != 0  # nothing serves yet
    with serving(start, results, port) as address:
        subprocess.run(probe, check=True, capture_output=True)
        assert b"<html" in urllib.request.urlopen(address, timeout=10).read()
    assert {path: path.stat().st_mtime_ns for path in results.rglob("*")} == before
    for path in [results, *results.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def test_the_image_holds_what_the_board_needs_and_nothing_else() -> None:
    rules = (ROOT / ".dockerignore").read_text().split("\n")
    kept = {rule[1:] for rule in rules if rule.startswith("!")}
    assert "*" in rules and all((ROOT / name).exists() for name in kept)
    assert kept >= {"results", "leaderboard", "bench", "pyproject.toml", "constraints.txt"}
    assert not kept & {".git", "tests"}
    assert "USER 1000" in DOCKERFILE and "EXPOSE 7860" in DOCKERFILE


def test_requirements_of_a_host_are_this_package_at_known_versions() -> None:
    lines = (ROOT / "leaderboard" / "requirements.txt").read_text().splitlines()
    wanted = [line for line in lines if not line.startswith("#")]
    assert wanted == ["-c ../constraints.txt", "."]
    assert (ROOT / "leaderboard" / "../constraints.txt").resolve() == ROOT / "constraints.txt"


def test_the_workflow_exports_by_a_command_that_runs(sample_split: Split, tmp_path: Path) -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "pages.yml").read_text())
    steps = workflow["jobs"]["export"]["steps"]
    (line,) = [step["run"] for step in steps if "leaderboard export" in step.get("run", "")]
    (folder,) = [step["with"]["path"] for step in steps if "path" in step.get("with", {})]
    write_record(tmp_path / "results", sample_split, "a-model")
    command = [sys.executable, "-c", "from bench.cli import main; main()", *shlex.split(line)[1:]]
    environment = {name: value for name, value in os.environ.items() if name != "GENREC_BENCH_RESULTS"}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert (tmp_path / folder / "index.html").is_file()
