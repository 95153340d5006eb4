"""Users shared among workers: two real ones of Ray on this machine, one of them killed."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from bench.errors import ConfigError
from bench.models import model_from_file
from bench.records import store
from bench.run import session
from bench.run.cluster import Cluster
from bench.run.runner import Outcome, Request, run
from bench.schema import Split

MODEL = '''
import os, time
from pathlib import Path
import numpy as np

class Killed:
    """Lists by the histories alone; where it is asked first, it leaves its worker's number and waits."""

    def __init__(self, seed, folder):
        self.folder = Path(folder)

    def fit(self, data):
        self.items = len(data.catalogue)

    def recommend(self, histories, depth):
        mark = self.folder / str(int(histories.users[0]))
        with (self.folder / "begun").open("a") as begun:
            begun.write(f"{histories.users[0]} {len(histories)}\\n")
        if len(histories) > 1 and histories.users[0] > 0 and not mark.exists():
            mark.with_suffix(".new").write_text(str(os.getppid()))
            mark.with_suffix(".new").rename(mark)
            time.sleep(300)
        last = histories.items[histories.indptr[1:] - 1]
        return (last[:, None] + 1 + np.arange(depth)) % self.items
'''


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    path = tmp_path / "killed.py"
    path.write_text(MODEL, encoding="utf-8")
    return path


def ran(split: Split, folder: Path, entry: Any, **options: Any) -> Outcome:
    request = Request(
        entry=entry, load=lambda: (split, 0.0), results_dir=folder, command="as typed", **options
    )
    return run(request)


def same_but_for_cost(one: Outcome, other: Outcome) -> None:
    measured = {"created", "cost", "details", "environment"}
    left, right = (outcome.record.model_dump(exclude=measured) for outcome in (one, other))
    assert left == right
    assert one.record.lists_sha256 is not None


@pytest.mark.slow
def test_two_workers_one_of_them_killed_give_the_record_of_one_process(
    sample_split: Split, tmp_path: Path, model_file: Path
) -> None:
    pytest.importorskip("ray", reason="needs Ray: pip install -e '.[ray]'")
    folder = tmp_path / "marks"
    folder.mkdir()
    half = len(sample_split.test) // 2
    mark = folder / str(half)

    def kill() -> None:
        until = time.monotonic() + 240
        while not mark.exists() and time.monotonic() < until:
            time.sleep(0.05)
        os.kill(int(mark.read_text(encoding="utf-8")), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    options = {"entry": model_from_file(f"{model_file}:Killed"), "arguments": {"folder": str(folder)}}
    shared = ran(sample_split, tmp_path / "shared", cluster=Cluster(workers=2), **options)
    killer.join()
    begun = [line for line in (folder / "begun").read_text().split("\n") if line.endswith(f" {half}")]
    assert sorted(begun) == [f"0 {half}", f"{half} {half}", f"{half} {half}"]  # only one shard was done again
    alone = ran(sample_split, tmp_path / "alone", **options)
    same_but_for_cost(shared, alone)

    workers = shared.record.details["workers"]
    assert [worker["users"] for worker in workers] == [half, half]
    assert all(worker["wall_seconds"]["recommend"] >= 0 for worker in workers)
    lists = store.load_record(shared.path).lists_path.read_bytes()
    assert lists == store.load_record(alone.path).lists_path.read_bytes()


def test_without_ray_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setattr(session, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install -e '\.\[ray\]'"):
        session._cluster("2", None)


@pytest.mark.parametrize(
    ("workers", "address", "words"),
    [("0", None, "--workers takes a whole number"), (None, "auto", "say by --workers N")],
)
def test_wrong_options_are_named(workers: str | None, address: str | None, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        session._cluster(workers, address)
    assert session._cluster(None, None) is None
