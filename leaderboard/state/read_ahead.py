"""Data sets read in the background while the first page is looked at, each once for all sessions.

A page that needs the data set finds it read, or waits for the rest. The packages that only later
pages use are imported on the way.
"""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import Future
from functools import cache
from importlib import import_module
from threading import Lock, Thread

from bench.datasets.splits import load_split
from bench.errors import BenchError
from bench.schema import Split

KEPT = 2
"""Data sets held at a time; Beauty takes under 100 MB."""
_LATER_PACKAGES = ("scipy.sparse", "pyarrow.compute")

_lock = Lock()
_reading: OrderedDict[tuple[str, str, str, str], Future[Split | str]] = OrderedDict()


def split(dataset: str, rule: str, ties: str, data_dir: str) -> Future[Split | str]:
    """Start to read a data set, unless that is done or under way; the result is why where it cannot be read.

    `rule` is the split's name; `data_dir` tells copies of a data set apart. What could not be read is tried
    again when asked for again.
    """
    key = (dataset, rule, ties, data_dir)
    with _lock:
        known = _reading.get(key)
        if known is None or (known.done() and (known.exception() or isinstance(known.result(), str))):
            _reading[key] = Future()
            # a daemon: stopping the app does not wait for it
            Thread(target=_read, args=(dataset, rule, ties, _reading[key]), daemon=True).start()
        _reading.move_to_end(key)
        while len(_reading) > KEPT:
            _reading.popitem(last=False)
        return _reading[key]


@cache
def warm_up() -> None:
    """Import, in the background and once, what later pages use."""
    Thread(target=lambda: [import_module(name) for name in _LATER_PACKAGES], daemon=True).start()


def _read(dataset: str, rule: str, ties: str, found: Future[Split | str]) -> None:
    try:
        found.set_result(load_split(dataset, ties=ties, split=rule).masked())
    except BenchError as error:
        found.set_result(str(error))
    except BaseException as error:
        found.set_exception(error)
