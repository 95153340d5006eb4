"""Progress that a model may report and whoever runs it may show; silent when nobody listens."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[str, int, int, str], None]
"""Called with what is done, how many, of how many, and a note such as 'loss 0.41'."""

_listener: ContextVar[Listener | None] = ContextVar("genrec_bench_progress", default=None)


def report(what: str, done: int, total: int, note: str = "") -> None:
    """Tell the listener, if there is one, how far the work has come (`done` of `total` units)."""
    listener = _listener.get()
    if listener is not None:
        listener(what, done, total, note)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Send reports made inside this block to `listener`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@contextmanager
def also_listening(listener: Listener) -> Iterator[None]:
    """Send reports made inside this block to `listener`, and to whoever listens outside."""
    outer = _listener.get()

    def both(what: str, done: int, total: int, note: str) -> None:
        listener(what, done, total, note)
        if outer is not None:
            outer(what, done, total, note)

    with listening(both):
        yield
