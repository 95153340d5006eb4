"""Models for the tests of the runner, to be run in processes of their own; `log` is a file of JSON lines."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import DataError, Unavailable
from bench.guard import array_digests
from bench.progress import report
from bench.schema import Examples, Generations, Histories, Rankings, Split, TrainingData


class Spy:
    """Lists each user's last item and the ones after it, and writes down what it is asked and given."""

    parameters: Mapping[str, Any] = {"step": 1}

    def __init__(self, seed: int, log: str = os.devnull) -> None:
        self._log = Path(log)
        self.note("init", seed=seed, pid=os.getpid())

    def note(self, call: str, **facts: Any) -> None:
        with self._log.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"call": call, **facts}) + "\n")

    def fit(self, data: TrainingData) -> None:
        self.items = len(data.catalogue)
        self.note("fit", attributes=sorted(vars(data)), digests=hexed(data=data))

    def recommend(self, histories: Histories, depth: int) -> Rankings:
        self.note("recommend", users=len(histories), depth=depth)
        return self.lists(histories, depth)

    def lists(self, histories: Histories, depth: int) -> Rankings:
        last = histories.items[histories.indptr[1:] - 1]
        return ((last[:, None] + np.arange(min(depth, self.items))) % self.items).astype(np.int32)


def hexed(**parts: Any) -> dict[str, str]:
    return {path: digest.hex() for path, digest in array_digests(parts).items()}


class Whole(Spy):
    """Has every optional method, and changes its own report with each question."""

    answers = 0
    kind, display_name = "hybrid", "The whole of it"
    authors, link = "They", "https://example.org/whole"

    def check_available(self, data: TrainingData) -> None:
        self.note("check_available", dataset=data.dataset)

    def fit(self, data: TrainingData) -> None:
        super().fit(data)
        self._data = data
        report("learn", 1, 3, "loss 0.5")

    def recommend(self, histories: Histories, depth: int) -> Rankings:
        self.answers += 1
        self._histories = histories
        return super().recommend(histories, depth)

    def recommend_afresh(self, histories: Histories, depth: int) -> Rankings:
        self.answers += 1
        self.note("recommend_afresh", users=len(histories), depth=depth)
        return self.lists(histories, depth)

    def details(self) -> dict[str, Any]:
        self.note("details", answers=self.answers)
        return {
            "answers": self.answers,
            "carried_seconds": {"fit": 1000.0, "recommend": 500.0},
            "carried_peak_bytes": {"rss": 5 * 10**15, "allocated": 3 * 10**15},
        }

    def generations(self) -> Generations:
        users = len(self._histories)
        return Generations(
            users=self._histories.users,
            indptr=np.arange(users + 1, dtype=np.int64),
            texts=tuple(f"text {user}, ümlaut" for user in range(users)),
            log_likelihoods=-np.arange(users, dtype=np.float64),
            items=np.zeros(users, dtype=np.int32),
        )


class Searcher(Spy):
    """Looks through the whole process for the answers."""

    def recommend(self, histories: Histories, depth: int) -> Rankings:
        objects = gc.get_objects()
        splits = sum(isinstance(found, Split) for found in objects)
        sizes = [len(found) for found in objects if isinstance(found, Examples)]
        unlocked = []
        for path, array in {"items": histories.items, "users": histories.users}.items():
            try:
                array.flags.writeable = True
                unlocked.append(path)
            except ValueError:
                pass
        self.note("search", splits=splits, examples=sizes, unlocked=unlocked)
        return super().recommend(histories, depth)


class Hungry(Spy):
    def fit(self, data: TrainingData) -> None:
        super().fit(data)
        np.ones(250 * 2**20, dtype=np.uint8)


class Chatty(Spy):
    """Prints in every way there is, between reports and in their form."""

    def fit(self, data: TrainingData) -> None:
        super().fit(data)
        print('["fit", 1, 1, ""]')
        sys.stdout.write("no line end")
        sys.stdout.flush()
        os.write(1, b"\xff raw\n")
        subprocess.run([sys.executable, "-c", "print('from a child'); input()"], check=False)


class Sly(Spy):
    """Writes past NumPy."""

    def recommend(self, histories: Histories, depth: int) -> Rankings:
        lists = super().recommend(histories, depth)
        ctypes.memset(histories.items.ctypes.data, 1, 4)
        return lists


class Shuffles(Spy):
    def fit(self, data: TrainingData) -> None:
        np.random.shuffle(data.train.items)


class Raises(Spy):
    def recommend(self, histories: Histories, depth: int) -> Rankings:
        raise RuntimeError("CUDA out of memory")


class Exits(Spy):
    def fit(self, data: TrainingData) -> None:
        raise SystemExit(3)


class ExitsAtOnce(Spy):
    def fit(self, data: TrainingData) -> None:
        os._exit(5)


class Killed(Spy):
    def fit(self, data: TrainingData) -> None:
        report("learn", 3, 10)
        os.kill(os.getpid(), signal.SIGKILL)


class Crashes(Spy):
    def recommend(self, histories: Histories, depth: int) -> Rankings:
        os.kill(os.getpid(), signal.SIGSEGV)
        raise AssertionError("not reached")


class CrashesBesideAWorker(Spy):
    """Ends while a process that it forked goes on, as a data loader's may."""

    def fit(self, data: TrainingData) -> None:
        worker = os.fork()
        if worker == 0:
            time.sleep(60)
            os._exit(0)
        self.note("forked", pid=worker)
        os._exit(6)


class CannotBeMade(Spy):
    def __init__(self, seed: int, log: str = os.devnull) -> None:
        raise ValueError("no such file: weights.bin")


class Absent(Spy):
    def check_available(self, data: TrainingData) -> None:
        raise Unavailable("needs a part; get it with: pip install part")


class Refuses(Spy):
    def fit(self, data: TrainingData) -> None:
        raise DataError("weights.bin is damaged")


class NotANumber(Spy):
    def details(self) -> dict[str, Any]:
        return {"loss": float("nan")}

    def generations(self) -> None:
        return None


class Unprintable(Spy):
    @property
    def parameters(self) -> Mapping[str, Any]:  # type: ignore[override]
        return {"rate": np.float32(1)}


class Repeats(Spy):
    def lists(self, histories: Histories, depth: int) -> Rankings:
        return np.zeros((len(histories), 2), dtype=np.int32)


class TooDeep(Spy):
    def lists(self, histories: Histories, depth: int) -> Rankings:
        return super().lists(histories, depth + 1)


class Sleeps(Spy):
    def fit(self, data: TrainingData) -> None:
        self.note("asleep", pid=os.getpid())
        time.sleep(600)
