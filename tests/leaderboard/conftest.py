"""Results folders of every sort, and the app over each, run headless."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from app_pages import APP, Open
from browsing import CHROMIUM, free_port, serving
from record_factory import write_board, write_hostile, write_many, write_record
from streamlit.testing.v1 import AppTest

from bench.records import store
from bench.records.store import load_record
from bench.schema import Split


@pytest.fixture(scope="session")
def folders(sample_split: Split, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("results")
    folders = {name: home / name for name in ("empty", "one", "board", "many", "partial", "hostile")}
    folders["empty"].mkdir()
    write_record(folders["one"], sample_split, "last-item-text")
    write_board(folders["board"], sample_split)
    write_many(folders["many"], sample_split, 40, models=25)
    _write_partial(folders["partial"], sample_split)
    write_hostile(folders["hostile"], sample_split)
    return folders


def _write_partial(folder: Path, split: Split) -> None:
    """Records that lack something: users, ranks, lists, a readable file, validity."""
    write_record(folder, split, "whole")
    write_record(folder, split, "few-users", status="partial")
    load_record(write_record(folder, split, "no-ranks")).ranks_path.unlink()
    bare = load_record(write_record(folder, split, "no-files"))
    bare.ranks_path.unlink()
    bare.lists_path.unlink()
    broken = load_record(write_record(folder, split, "broken-files"))
    for path in (broken.ranks_path, broken.lists_path):
        path.write_bytes(path.read_bytes()[:50])
    store.invalidate(load_record(write_record(folder, split, "withdrawn")), "trained on <b>test</b> items")


@pytest.fixture
def open_app(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Open:
    def open_page(folder: str | Path, **params: str | list[str]) -> AppTest:
        results = folders[folder] if isinstance(folder, str) else folder
        monkeypatch.setenv("GENREC_BENCH_RESULTS", str(results))
        app = AppTest.from_file(APP, default_timeout=120)
        for name, value in {"page": "leaderboard", **params}.items():
            app.query_params[name] = value
        return app.run()

    return open_page


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory, sample_split: Split) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    write_board(folder / "board", sample_split)
    write_hostile(folder / "hostile", sample_split)
    return folder


@pytest.fixture(scope="session")
def board(home: Path) -> Iterator[str]:
    """The app over a small board, started as users start it."""
    port = free_port()
    command = [sys.executable, "-c", "from bench.cli import main; main()", "leaderboard", "--port", str(port)]
    with serving(command, home / "board", port) as address:
        yield address


@pytest.fixture(scope="session")
def hostile(home: Path) -> Iterator[str]:
    """The app over hostile records, started plainly and from another folder."""
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", str(APP), "--server.port", str(port)]
    with serving(command, home / "hostile", port) as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One browser for all tests."""
    reason = "playwright is missing: pip install playwright"
    playwright = pytest.importorskip("playwright.sync_api", reason=reason)
    with playwright.sync_playwright() as driver:
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        launched = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield launched
        launched.close()
