"""Fetch published files: with progress, resumed after a break, in their place whole or not at all."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import json
import shutil
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from bench.datasets.entry import DatasetEntry, SourceFile
from bench.errors import DataError
from bench.progress import report

PIECE_BYTES = 1 << 18
TIMEOUT_SECONDS = 60


class Fetched(NamedTuple):
    """A file in its place."""

    path: Path
    sha256: str
    size_bytes: int
    was_here: bool
    """It lay there before, so nothing was downloaded."""


def download(entry: DatasetEntry, folder: Path, *, mirror: str | None = None) -> list[Fetched]:
    """Fetch a data set's files into `folder`, from its addresses or from the folder URL `mirror`.

    Raises DataError; what has arrived by then is kept and the next call goes on from there.
    """
    by_hand = [file.name for file in entry.files if not file.addresses]
    if by_hand and mirror is None:
        raise DataError(
            f"{entry.name} is handed out by its owner only: get {', '.join(by_hand)} from "
            f"{entry.homepage} and put them into {folder}"
        )
    return [_fetch_any(file, folder, mirror) for file in entry.files]


def _fetch_any(file: SourceFile, folder: Path, mirror: str | None) -> Fetched:
    """Fetch a file from the first of its addresses that gives it; the last one's error is raised."""
    member = "" if mirror else file.member
    path = folder / (file.member.partition("/")[0] + ".zip" if member else file.name)
    addresses = (f"{mirror.rstrip('/')}/{file.name}",) if mirror else file.addresses
    for address in addresses[:-1]:
        try:
            found = fetch(address, path)
            break
        except DataError:
            continue
    else:
        found = fetch(addresses[-1], path)
    if not found.was_here and file.sha256 not in (None, found.sha256):
        path.unlink()
        raise DataError(
            f"what arrived as {file.name} has the SHA-256 {found.sha256}, the published file {file.sha256}; "
            "it was deleted, try again or try a mirror"
        )
    return _unpack(found, file, folder) if member else found


def _unpack(archive: Fetched, file: SourceFile, folder: Path) -> Fetched:
    """Take one file out of a zip file."""
    path = folder / file.name
    part = path.with_name(path.name + ".part")
    try:
        with (
            zipfile.ZipFile(archive.path) as packed,
            packed.open(file.member) as source,
            part.open("wb") as target,
        ):
            shutil.copyfileobj(source, target)
        part.replace(path)
    except (zipfile.BadZipFile, KeyError, OSError, zlib.error) as error:
        raise DataError(
            f"{archive.path} does not give {file.member} ({error}); delete it and download again"
        ) from None
    return Fetched(path, _sha256(path), path.stat().st_size, archive.was_here)


def fetch(url: str, path: Path) -> Fetched:
    """Fetch one file; its SHA-256 is kept beside it in `<name>.sha256`, as sha256sum writes it."""
    if not url.startswith(("http://", "https://")):
        raise DataError(f"cannot download '{url}': give an address that starts with http:// or https://")
    try:
        if path.exists():
            return _already_here(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        _receive(url, part)
        if path.suffix == ".gz":
            _check_gzip(url, part)
        digest = _sha256(part)
        _hash_file(path).write_text(f"{digest}  {path.name}\n", encoding="utf-8")
        part.replace(path)
        _origin_file(part).unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from None
    return Fetched(path, digest, path.stat().st_size, was_here=False)


def _already_here(path: Path) -> Fetched:
    digest = _sha256(path)
    noted = _hash_file(path)
    if noted.exists() and noted.read_text(encoding="utf-8").split()[:1] != [digest]:
        raise DataError(
            f"{path} has changed since it was downloaded (see {noted.name}); delete it to get it again"
        )
    return Fetched(path, digest, path.stat().st_size, was_here=True)


def _receive(url: str, part: Path) -> None:
    """Complete `part`: from where it ends if the server still has the same file, else from the start."""
    have = part.stat().st_size if part.exists() else 0
    validator = _validator(part, url)
    headers = {"User-Agent": "genrec-bench", "Accept-Encoding": "identity"}
    if have and validator:
        headers |= {"Range": f"bytes={have}-", "If-Range": validator}
    with _open(urllib.request.Request(url, headers=headers)) as response:  # noqa: S310
        resumed = response.status == http.client.PARTIAL_CONTENT and have > 0
        total = _total_bytes(response, have if resumed else 0)
        _note_origin(part, url, response)
        done = have if resumed else 0
        with part.open("ab" if resumed else "wb") as stream:
            for piece in _pieces(response, url):
                stream.write(piece)
                done += len(piece)
                report(f"download {part.stem}", done, total)
    if total and done != total:
        raise DataError(
            f"{url}: the connection ended after {done:,} of {total:,} bytes; run it again to go on from there"
        )


def _open(request: urllib.request.Request) -> http.client.HTTPResponse:
    url = request.full_url
    try:
        return urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)  # type: ignore[no-any-return]
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            request.remove_header("Range")
            return _open(request)
        raise DataError(f"{url}: the server answers {error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException) as error:
        raise DataError(f"cannot reach {url}: {getattr(error, 'reason', None) or error}") from None


def _pieces(response: IO[bytes], url: str) -> Iterator[bytes]:
    while True:
        try:
            piece = response.read(PIECE_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise DataError(
                f"{url}: the connection broke ({error}); run it again to go on from there"
            ) from None
        if not piece:
            return
        yield piece


def _total_bytes(response: http.client.HTTPResponse, have: int) -> int:
    """Give the size of the whole file, or 0 where the server does not say."""
    length = response.headers.get("Content-Length", "")
    return have + int(length) if length.isdigit() else 0


def _note_origin(part: Path, url: str, response: http.client.HTTPResponse) -> None:
    """Keep what tells later whether the server's file is still the one that `part` is a part of."""
    tag = response.headers.get("ETag", "")
    strong_tag = tag if tag.startswith('"') else None
    origin = {"url": url, "validator": strong_tag or response.headers.get("Last-Modified")}
    _origin_file(part).write_text(json.dumps(origin), encoding="utf-8")


def _validator(part: Path, url: str) -> str | None:
    try:
        origin = json.loads(_origin_file(part).read_text(encoding="utf-8"))
        return str(origin["validator"]) if origin["url"] == url and origin["validator"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _check_gzip(url: str, part: Path) -> None:
    """Unpack the whole file once; one that cannot be unpacked is deleted, as no resuming mends it."""
    try:
        with gzip.open(part) as stream:
            while stream.read(PIECE_BYTES):
                pass
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        with part.open("rb") as stream:
            start = stream.read(40)
        part.unlink()
        raise DataError(
            f"{url}: what arrived is no sound gzip file ({error}; it starts {start!r}) and was deleted; "
            "try again, or try a mirror"
        ) from None


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _hash_file(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _origin_file(part: Path) -> Path:
    return part.with_name(part.name + ".json")
