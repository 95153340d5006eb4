"""A real browser on the app: servers that are started for a test, and pages that keep what went wrong."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in BROWSERS if (path := shutil.which(name))), "")
MARKS = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="no chromium on the path: apt-get install chromium"),
]
"""What every test module that uses the browser is marked with."""
PATIENCE_MS = 40_000
"""To wait for anything; a busy machine is slow."""


@contextmanager
def serving(command: list[str], results: Path, port: int) -> Iterator[str]:
    environment = {**os.environ, "GENREC_BENCH_RESULTS": str(results)}
    log = results.parent / f"server-{port}.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            command, env=environment, cwd=results.parent, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            address = f"http://127.0.0.1:{port}"
            for _ in range(600):
                if server.poll() is not None:
                    raise RuntimeError(log.read_text())
                try:
                    urllib.request.urlopen(f"{address}/_stcore/health", timeout=1)
                    break
                except OSError:
                    time.sleep(0.1)
            yield address
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Visit:
    """One open page that keeps what went wrong in it."""

    def __init__(self, browser: Any, address: str, width: int = 1280, scheme: str = "light") -> None:
        self.address = address
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.faults: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.on("request", self._requested)
        self.page.on("dialog", lambda dialog: (self.faults.append("a dialog opened"), dialog.dismiss()))

    def open(self, query: str = "?page=leaderboard") -> Visit:
        self.page.goto(f"{self.address}/{query}")
        return self.settle()

    def settle(self) -> Visit:
        """Wait until the menu is drawn and the script has run to its end."""
        self.page.wait_for_selector(".menu a[aria-current]")
        self.page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
        self.page.wait_for_timeout(400)  # a run that a click asked for may not have begun
        self.page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
        return self

    def query(self) -> str:
        return str(self.page.url).partition("?")[2]

    def names(self) -> list[str]:
        """The model names of the board's rows, from the top."""
        notes = self.page.locator("td[data-column=model] small").all_inner_texts()
        return [note.split(" · ")[1] for note in notes if " · " in note]

    def wait_for_first(self, name: str) -> None:
        """Wait until this model's row is the first; fails when it does not become so."""
        for _ in range(80):
            if self.names()[:1] == [name]:
                return
            self.page.wait_for_timeout(250)
        raise AssertionError(f"first is {self.names()[:1]}, not {name}")

    def close(self) -> None:
        self.context.close()
        assert self.faults == []

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"{message.type}: {message.text}")

    def _requested(self, request: Any) -> None:
        if not request.url.startswith((self.address, "data:", "blob:", self.address.replace("http", "ws"))):
            self.faults.append(f"asked for {request.url}")
