from __future__ import annotations

import gzip
import hashlib
import io
import random
import re
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench.datasets import DATASETS
from bench.datasets import download as downloads
from bench.datasets.download import download, fetch
from bench.datasets.entry import DatasetEntry, SourceFile
from bench.errors import DataError
from bench.progress import listening

BODY = gzip.compress(random.Random(0).randbytes(200_000))


class Server(ThreadingHTTPServer):
    """Serves `files`; can break off, refuse ranges, and change its files. Notes the ranges asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {"/data/file.gz": BODY}
        self.break_after: int | None = None
        self.ranges = True
        self.validators = True
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/data"


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        body = self.server.files.get(self.path)
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        if body is None:
            self.send_error(404)
            return
        etag = f'"{hashlib.md5(body).hexdigest()}"'
        start = 0
        if wanted and self.server.ranges and self.headers.get("If-Range") == etag:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
            if start >= len(body):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if self.server.validators:
            self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        sent = body[start:]
        if self.server.break_after is not None:
            sent = sent[: self.server.break_after]
            self.close_connection = True
        self.wfile.write(sent)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "new" / "file.gz"


def test_fetches_a_file_and_keeps_its_hash(server: Server, target: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    with listening(lambda what, done, total, note: seen.append((what, done, total))):
        got = fetch(f"{server.url}/file.gz", target)
    digest = hashlib.sha256(BODY).hexdigest()
    assert target.read_bytes() == BODY
    assert (got.path, got.sha256, got.size_bytes, got.was_here) == (target, digest, len(BODY), False)
    assert (target.parent / "file.gz.sha256").read_text() == f"{digest}  file.gz\n"
    assert sorted(path.name for path in target.parent.iterdir()) == ["file.gz", "file.gz.sha256"]
    assert seen[-1] == ("download file.gz", len(BODY), len(BODY))


def test_a_file_that_is_here_is_not_fetched_again(server: Server, target: Path) -> None:
    fetch(f"{server.url}/file.gz", target)
    again = fetch(f"{server.url}/file.gz", target)
    assert again.was_here and again.sha256 == hashlib.sha256(BODY).hexdigest()
    assert len(server.asked) == 1
    target.write_bytes(BODY + b"x")
    with pytest.raises(DataError, match="has changed since it was downloaded"):
        fetch(f"{server.url}/file.gz", target)
    assert target.read_bytes() == BODY + b"x"


@pytest.mark.parametrize("break_after", [0, 1, 70_000, len(BODY) - 1])
def test_goes_on_where_the_connection_broke(server: Server, target: Path, break_after: int) -> None:
    server.break_after = break_after
    with pytest.raises(DataError, match="run it again to go on from there"):
        fetch(f"{server.url}/file.gz", target)
    assert not target.exists()
    server.break_after = None
    fetch(f"{server.url}/file.gz", target)
    assert target.read_bytes() == BODY
    assert server.asked == [None, f"bytes={break_after}-" if break_after else None]


def test_breaks_again_and_again(server: Server, target: Path) -> None:
    server.break_after = 60_000
    for _ in range(3):
        with pytest.raises(DataError, match="run it again"):
            fetch(f"{server.url}/file.gz", target)
    fetch(f"{server.url}/file.gz", target)
    assert target.read_bytes() == BODY
    assert server.asked[1:] == ["bytes=60000-", "bytes=120000-", "bytes=180000-"]


@pytest.mark.parametrize("change", ["file", "no ranges", "no validators", "other url", "lost note"])
def test_starts_anew_when_the_rest_may_not_fit(server: Server, target: Path, change: str) -> None:
    url = f"{server.url}/file.gz"
    if change == "no validators":
        server.validators = False
    server.break_after = 70_000
    with pytest.raises(DataError):
        fetch(url, target)
    server.break_after = None
    expected = BODY
    if change == "file":
        expected = server.files["/data/file.gz"] = gzip.compress(random.Random(1).randbytes(150_000))
    elif change == "no ranges":
        server.ranges = False
    elif change == "other url":
        expected = server.files["/data/other.gz"] = gzip.compress(b"other")
        url = f"{server.url}/other.gz"
    elif change == "lost note":
        (target.parent / "file.gz.part.json").write_text("{")
    fetch(url, target)
    assert target.read_bytes() == expected


def test_part_as_long_as_the_file(server: Server, target: Path) -> None:
    """Killed after the last byte and before the move: the server answers 416, and all is fetched anew."""
    server.break_after = len(BODY) - 1
    with pytest.raises(DataError):
        fetch(f"{server.url}/file.gz", target)
    server.break_after = None
    (target.parent / "file.gz.part").write_bytes(BODY)
    fetch(f"{server.url}/file.gz", target)
    assert target.read_bytes() == BODY


@pytest.mark.parametrize(
    "body", [b"<!DOCTYPE html>not here", BODY[:-20], BODY[:1000] + b"\0" * 500 + BODY[1500:]]
)
def test_what_cannot_be_unpacked_is_not_kept(server: Server, target: Path, body: bytes) -> None:
    server.files["/data/file.gz"] = body
    with pytest.raises(DataError, match="no sound gzip file"):
        fetch(f"{server.url}/file.gz", target)
    assert not target.exists() and not (target.parent / "file.gz.part").exists()
    server.files["/data/file.gz"] = BODY
    fetch(f"{server.url}/file.gz", target)
    assert target.read_bytes() == BODY


def test_missing_on_the_server(server: Server, target: Path) -> None:
    with pytest.raises(DataError, match="the server answers 404"):
        fetch(f"{server.url}/none.gz", target)
    assert not target.exists()


def test_no_server(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "TIMEOUT_SECONDS", 1)
    with pytest.raises(DataError, match="cannot reach http://127.0.0.1:1/file.gz"):
        fetch("http://127.0.0.1:1/file.gz", target)


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://example.org/x", "data:,x", "x"])
def test_only_http(url: str, target: Path) -> None:
    with pytest.raises(DataError, match="starts with http:// or https://"):
        fetch(url, target)


def test_folder_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot write"):
        fetch(f"{server.url}/file.gz", tmp_path / "file" / "file.gz")


def zipped(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"ml/{name}.dat", content)
    return packed.getvalue()


def entry_of(*files: SourceFile) -> DatasetEntry:
    return DatasetEntry(name="toy", display_name="Toy", folder="toy", files=files, homepage="https://toy.org")


def test_files_out_of_a_zip_file(server: Server, tmp_path: Path) -> None:
    server.files = {"/data/ml.zip": zipped(ratings=b"1::2", movies=b"2::Film")}
    names = ("ratings.dat", "movies.dat")
    entry = entry_of(
        *(SourceFile(name=name, addresses=(f"{server.url}/ml.zip",), member=f"ml/{name}") for name in names)
    )
    assert [file.path.read_bytes() for file in download(entry, tmp_path)] == [b"1::2", b"2::Film"]
    assert len(server.asked) == 1


def test_a_zip_file_without_the_file(server: Server, tmp_path: Path) -> None:
    server.files = {"/data/ml.zip": zipped(other=b"")}
    file = SourceFile(name="u.data", addresses=(f"{server.url}/ml.zip",), member="ml/u.data")
    with pytest.raises(DataError, match="does not give ml/u.data .* delete it and download again"):
        download(entry_of(file), tmp_path)
    assert not (tmp_path / "u.data").exists()


def test_the_second_address_is_asked_where_the_first_does_not_answer(server: Server, tmp_path: Path) -> None:
    server.files = {"/data/b/x.csv": b"second"}
    file = SourceFile(name="x.csv", addresses=(f"{server.url}/a/x.csv", f"{server.url}/b/x.csv"))
    (found,) = download(entry_of(file), tmp_path)
    assert found.path.read_bytes() == b"second"
    with pytest.raises(DataError, match="b/y.csv: the server answers 404"):
        gone = SourceFile(name="y.csv", addresses=(f"{server.url}/a/y.csv", f"{server.url}/b/y.csv"))
        download(entry_of(gone), tmp_path)


def test_bytes_that_are_not_the_published_ones_are_not_kept(server: Server, tmp_path: Path) -> None:
    server.files = {"/data/x.csv": b"other"}
    file = SourceFile(name="x.csv", addresses=(f"{server.url}/x.csv",), sha256="0" * 64)
    with pytest.raises(DataError, match="the published file 0000.*it was deleted"):
        download(entry_of(file), tmp_path)
    assert not (tmp_path / "x.csv").exists()


def test_data_handed_out_by_hand(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="get x.csv from https://toy.org and put them into"):
        download(entry_of(SourceFile(name="x.csv")), tmp_path)


def test_a_data_set_from_a_mirror(server: Server, tmp_path: Path) -> None:
    entry = DATASETS["toys2014"]
    names = (entry.files[0].name, entry.files[1].name)
    server.files = {f"/data/{name}": gzip.compress(name.encode()) for name in names}
    files = download(entry, tmp_path, mirror=server.url + "/")
    assert [file.path for file in files] == [tmp_path / name for name in names]
    assert [gzip.decompress(file.path.read_bytes()).decode() for file in files] == list(names)
