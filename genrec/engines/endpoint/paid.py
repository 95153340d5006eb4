"""What was paid for: every answer on disk the moment it comes, tokens and money counted, the limit held.

`<key>.paid.jsonl` lies beside the store of texts. A line says that a request goes out, or what became of it:
an answer with its texts; one that could not be used, as the server sent it; or none, which may have been
charged all the same, and so is what a killed run left without an end. A request whose answer is there is
never sent again, whatever became of the run that sent it.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from bench.errors import ConfigError
from genrec.engines.endpoint.dialect import Asked, Usage
from genrec.engines.settings import EndpointSettings
from genrec.generation.kept_texts import Written, read_written

Status = Literal["sent", "free", "answered", "refused", "unanswered", "probe", "facts"]
MILLION = 1_000_000
OVERHEAD = 64
"""Tokens that a server may put around a message, at most."""
LATENCIES = 10_000
"""Times of the newest requests that are kept in memory."""


@dataclass(frozen=True, kw_only=True)
class Bill:
    """Totals over all requests for one row, earlier runs included."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    unanswered: int = 0
    refused: int = 0
    uncounted: int = 0
    """Requests of which the server said no tokens; they are in no sum but that of money, at the most."""

    def cost(self, settings: EndpointSettings) -> float | None:
        """Money, or None where no price is stated."""
        if settings.price_in is None or settings.price_out is None:
            return None
        return (
            self.prompt_tokens * settings.price_in + self.completion_tokens * settings.price_out
        ) / MILLION


class LimitReached(ConfigError):
    """The next request could cost more than is left."""


def request_digest(payload: Mapping[str, Any]) -> str:
    """Name a request by its body."""
    return hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest()[:32]


class Paid:
    """The answers of one row. Open it with `open_paid`; its methods may be called from several threads."""

    def __init__(
        self, settings: EndpointSettings, path: Path | None, lines: Iterable[dict[str, Any]]
    ) -> None:
        self._settings, self._path = settings, path
        self._changed = threading.Condition(threading.RLock())
        self._reserved: dict[str, float] = {}
        """The most that each request under way can cost."""
        self.answers: dict[str, Written] = {}
        self.seconds: deque[float] = deque(maxlen=LATENCIES)
        """Of the requests answered in this run, each from sending to its last byte."""
        self.bill = Bill()
        self.models: set[str] = set()
        """As the server called them in its answers."""
        self.facts: dict[str, Any] | None = None
        """What was found out about the server; None where that was not done."""
        self._extra = 0.0
        for line in lines:
            self._count(line)
        for digest, most in list(self._reserved.items()):
            self._keep(_unanswered(digest, most, "the run ended before its answer"))

    @property
    def spent(self) -> float:
        """Money so far; a request that may have been charged counts with the most it can have cost."""
        return (self.bill.cost(self._settings) or 0.0) + self._extra

    def reserve(self, digest: str, asked: Asked) -> None:
        """Set aside the most that a request can cost, waiting for others under way if need be.

        Raises LimitReached where it does not fit even so.
        """
        limit, most = self._settings.spend_limit, self.most(asked)
        with self._changed:
            while limit is not None and self.spent + sum(self._reserved.values()) + most > limit:
                if not self._reserved:
                    raise LimitReached(
                        f"the next request may cost up to {most:.6f}, and {self.spent:.6f} of the limit of "
                        f"{limit:g} is spent; what was answered is kept: raise endpoint.spend_limit "
                        "(--spend-limit) and run again"
                    )
                self._changed.wait()
            self._keep({"request": digest, "status": "sent", "most": most})

    def free(self, digest: str) -> None:
        """Give back what was set aside for a request that cost nothing: not sent, or turned down."""
        self._keep({"request": digest, "status": "free"})

    def most(self, asked: Asked) -> float:
        """The most that a request can cost: no tokenizer makes more tokens than a text has bytes."""
        if self._settings.price_in is None or self._settings.price_out is None:
            return 0.0
        read = len(asked.prompt.encode()) + OVERHEAD
        return (read * self._settings.price_in + self._out(asked) * self._settings.price_out) / MILLION

    @staticmethod
    def _out(asked: Asked) -> int:
        return asked.texts * (asked.max_tokens + 1)

    def answered(
        self, digest: str, written: Written, usage: Usage, model: str | None, *, probe: bool = False
    ) -> None:
        """Keep an answer, and the name that the server gives the model."""
        status: Status = "probe" if probe else "answered"
        about = {"model": model, "written": asdict(written)}
        self._keep({"request": digest, "status": status, **asdict(usage), **about})

    def keep_facts(self, facts: Mapping[str, Any]) -> None:
        """Keep what was found out about the server, so that a run that goes on need not ask again."""
        self._keep({"request": "", "status": "facts", "facts": dict(facts)})

    def refused(self, digest: str, asked: Asked, usage: Usage, body: str, reason: str) -> None:
        """Keep an answer that cannot be used, as it came."""
        about = {"most": self._unknown(usage, asked), "reason": reason, "body": body}
        self._keep({"request": digest, "status": "refused", **asdict(usage), **about})

    def unanswered(self, digest: str, asked: Asked, reason: str) -> None:
        """Keep that a request was sent and not answered."""
        self._keep(_unanswered(digest, self.most(asked), reason))

    def _unknown(self, usage: Usage, asked: Asked) -> float:
        return self.most(asked) if None in (usage.prompt_tokens, usage.completion_tokens) else 0.0

    def _keep(self, line: dict[str, Any]) -> None:
        with self._changed:
            if self._path is not None:
                with self._path.open("ab") as file:
                    file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
                    file.flush()
                    os.fsync(file.fileno())
            self._count(line)
            if line["status"] == "answered":
                self.seconds.append(line["written"]["seconds"])
            self._changed.notify_all()

    def _count(self, line: dict[str, Any]) -> None:
        digest, status = line["request"], line["status"]
        if status == "sent":
            self._reserved[digest] = line["most"]
            return
        self._reserved.pop(digest, None)
        if status == "facts":
            self.facts = line["facts"]
        if status in ("facts", "free"):
            return
        if line.get("model"):
            self.models.add(line["model"])
        if status == "answered":
            self.answers[digest] = read_written(line["written"])
        reads, writes = line["prompt_tokens"], line["completion_tokens"]
        known = reads is not None and writes is not None
        bill = self.bill
        self.bill = Bill(
            requests=bill.requests + 1,
            prompt_tokens=bill.prompt_tokens + (reads if known else 0),
            completion_tokens=bill.completion_tokens + (writes if known else 0),
            unanswered=bill.unanswered + (status == "unanswered"),
            refused=bill.refused + (status == "refused"),
            uncounted=bill.uncounted + (not known),
        )
        self._extra += line.get("most", 0.0)


def _unanswered(digest: str, most: float, reason: str) -> dict[str, Any]:
    nothing = asdict(Usage(prompt_tokens=None, completion_tokens=None))
    return {"request": digest, "status": "unanswered", **nothing, "most": most, "reason": reason}


@contextmanager
def open_paid(path: Path | None, settings: EndpointSettings) -> Iterator[Paid]:
    """Open the file of answers for one process, or keep them in memory.

    Raises ConfigError where another process holds it.
    """
    if path is None:
        yield Paid(settings, None, [])
        return
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path.with_suffix(".lock"), timeout=0):
            yield Paid(settings, path, _lines(path))
    except Timeout:
        raise ConfigError(f"another process is asking for {path}; wait for it to end") from None


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Read the lines; what a kill cut off at the end is taken away, what a crash spoiled passed over."""
    data = path.read_bytes() if path.is_file() else b""
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        with path.open("r+b") as file:
            file.truncate(whole)
    for line in data[:whole].splitlines():
        try:
            read = json.loads(line)
        except ValueError:
            continue
        if isinstance(read, dict) and "request" in read and "status" in read:
            yield read
