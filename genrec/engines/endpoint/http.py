"""One request to a server: sent again only where that cannot cost twice.

A server that answers 429, 500, 502, 503 or 529 says that it did no work, and one that was not reached did
none: such a request is sent again, after a growing pause or as long as `Retry-After` says, which holds back
all requests. A request that was sent whole and not answered may have been worked on and charged; it is an
`Unanswered`, which is sent again only where the settings say so. Redirects are not followed: the key would
go along.
"""

from __future__ import annotations

import email.utils
import http.client
import json
import os
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from bench.errors import ConfigError, ModelError
from genrec.engines.settings import EndpointSettings

FREE_STATUSES = frozenset({429, 500, 502, 503, 529})
"""The server says that it did no work."""
LONGEST_WAIT = 600.0
"""Seconds of `Retry-After` that are waited; a server that asks for more ends the run."""
LONGEST_PAUSE = 60.0
LONGEST_BODY = 64 << 20
"""Bytes of an answer."""


class EndpointError(ModelError):
    """The server did not do what was asked."""


class Unreachable(EndpointError):
    """No connection came about."""


class Unanswered(EndpointError):
    """A request was sent and not answered: it may have been charged."""


class Stopped(EndpointError):
    """Another request failed for good, so this one was not sent."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a server answered with status 200."""

    body: bytes
    seconds: float
    """From sending to the last byte, of the try that was answered."""


class Client:
    """Sends requests to one server; its methods may be called from several threads."""

    def __init__(self, settings: EndpointSettings) -> None:
        """Read the key from the environment; it leaves this object as a header only."""
        if settings.base_url is None:
            raise ConfigError("the engine 'openai' needs the address of a server: --base-url URL")
        self._settings = settings
        self._at = urlsplit(settings.base_url)
        self._key = os.environ.get(settings.key_variable, "").strip()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._not_before = 0.0

    def stop(self) -> None:
        """Have requests that wait for a try give up, until `start`."""
        self._stop.set()

    def start(self) -> None:
        """Let requests be sent again."""
        self._stop.clear()

    def post(self, place: str, payload: Mapping[str, Any]) -> Reply:
        """Send `payload` to `<base_url>/<place>`; raises EndpointError, Unreachable or Unanswered."""
        return self._request("POST", place, json.dumps(payload).encode())

    def get(self, place: str) -> Reply:
        """Read `<base_url>/<place>`, with the same errors."""
        return self._request("GET", place, None)

    def _request(self, method: str, place: str, body: bytes | None) -> Reply:
        tries = self._settings.retries + 1
        for attempt in range(tries):
            self._wait(attempt)
            try:
                return self._once(method, place, body)
            except _AtNoCost as failure:
                last: Exception = failure.error
            except Unanswered as error:
                if not self._settings.resend_unanswered:
                    raise
                last = error
        raise type(last)(f"{last} ({tries} tries)")

    def _wait(self, attempt: int) -> None:
        """Wait for this try's turn: a growing pause, and as long as a server told any of the requests."""
        pause = 0.0 if attempt == 0 else min(LONGEST_PAUSE, 0.5 * 2**attempt) * random.uniform(0.5, 1.0)
        until = time.monotonic() + pause
        while (left := max(until, self._not_before) - time.monotonic()) > 0:
            if self._stop.wait(left):
                break
        if self._stop.is_set():
            raise Stopped("another request failed")

    def _once(self, method: str, place: str, body: bytes | None) -> Reply:
        start = time.monotonic()
        connection = self._connection()
        try:
            try:
                connection.connect()
            except OSError as error:
                raise _AtNoCost(Unreachable(f"{self._server} cannot be reached: {error}")) from None
            try:
                path = f"{self._at.path}/{place}"
                connection.request(method, path, body, self._headers(body))
                socket = connection.sock  # the answer takes it over and lives as long as it is read
                with connection.getresponse() as response:
                    content = self._read(response, socket, start)
            except TimeoutError:
                raise Unanswered(
                    f"{self._server} gave no whole answer in {self._settings.timeout_seconds:g} s; the "
                    "request may have been charged. Raise endpoint.timeout_seconds and run again: what was "
                    "answered is kept"
                ) from None
            except (OSError, http.client.HTTPException) as error:
                raise Unanswered(
                    f"{self._server} closed the connection before its answer was there whole "
                    f"({type(error).__name__}); the request may have been charged. Run again to go on: what "
                    "was answered is kept; endpoint.resend_unanswered=true sends such a request again"
                ) from None
        finally:
            connection.close()
        if response.status == 200:
            return Reply(body=content, seconds=time.monotonic() - start)
        problem = f"answered {response.status}: {self._excerpt(content)}"
        if response.status in FREE_STATUSES:
            self._hold_back(response.headers.get("Retry-After"), problem)
            raise _AtNoCost(EndpointError(f"{self._server} {problem}"))
        raise self._refusal(response.status, response.headers.get("Location"), problem)

    def _read(self, response: http.client.HTTPResponse, socket: Any, start: float) -> bytes:
        """Read the body until the deadline, however slowly it comes."""
        parts: list[bytes] = []
        size = 0
        while True:
            left = self._settings.timeout_seconds - (time.monotonic() - start)
            if left <= 0:
                raise TimeoutError
            if socket.fileno() >= 0:  # it is gone once the answer is whole
                socket.settimeout(left)
            part = response.read1(1 << 16)
            if not part:
                if response.length:
                    raise http.client.IncompleteRead(b"", response.length)
                return b"".join(parts)
            parts.append(part)
            size += len(part)
            if size > LONGEST_BODY:
                raise EndpointError(f"{self._server} answered with more than {LONGEST_BODY >> 20} MiB")

    def _connection(self) -> http.client.HTTPConnection:
        """One a request: a kept one that the server closes meanwhile leaves open whether it worked."""
        secure = self._at.scheme == "https"
        make = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        return make(str(self._at.hostname), self._at.port, timeout=self._settings.timeout_seconds)

    def _headers(self, body: bytes | None) -> dict[str, str]:
        headers = {"Accept": "application/json", "Connection": "close", "User-Agent": "genrec-bench"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        return headers

    def _hold_back(self, retry_after: str | None, problem: str) -> None:
        seconds = _seconds(retry_after)
        if seconds > LONGEST_WAIT:
            raise EndpointError(
                f"{self._server} {problem}, and asks to wait {seconds:.0f} s; run again then: what was "
                "answered is kept"
            )
        with self._lock:
            self._not_before = max(self._not_before, time.monotonic() + seconds)

    def _refusal(self, status: int, location: str | None, problem: str) -> Exception:
        if status in (401, 403):
            has = "is not taken" if self._key else "is not set"
            return ConfigError(
                f"{self._server} wants a key, and that of the environment variable "
                f"{self._settings.key_variable} {has} ({problem})"
            )
        if 300 <= status < 400:
            return ConfigError(
                f"{self._server} sends elsewhere: {self.without_key(str(location)[:300])}; give that as "
                "--base-url"
            )
        if status in (408, 504):
            return Unanswered(f"{self._server} {problem}; the request may have been charged")
        return EndpointError(f"{self._server} {problem}")

    @property
    def _server(self) -> str:
        return f"the server at {self._settings.base_url}"

    def without_key(self, text: str) -> str:
        """Take the key out of what a server says."""
        return text.replace(self._key, "<key>") if self._key else text

    def _excerpt(self, content: bytes) -> str:
        text = self.without_key(content[:4000].decode(errors="replace"))
        try:
            error = json.loads(text)
            error = error.get("error", error)
            text = str(error.get("message", error) if isinstance(error, dict) else error)
        except (ValueError, AttributeError):
            pass
        printable = "".join(sign if sign.isprintable() else " " for sign in text)
        return " ".join(printable.split())[:300] or "nothing"


class _AtNoCost(Exception):
    """The server did no work, so that the request may be sent again; `error` is what it comes to at last."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


def _seconds(retry_after: str | None) -> float:
    """Read `Retry-After`: seconds, or a date; 0 where it says neither."""
    if retry_after is None:
        return 0.0
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        until = email.utils.parsedate_to_datetime(retry_after)
    except ValueError:
        return 0.0
    return max(0.0, until.timestamp() - time.time())
