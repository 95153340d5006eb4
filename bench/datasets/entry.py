"""What is known of a data set before it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.schema import Wording


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Size of the raw files as published, before anything is dropped."""

    users: int
    items: int
    interactions: int


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """A published file."""

    name: str
    addresses: tuple[str, ...] = ()
    """Tried in this order; none for a file that its owner hands out by hand."""
    member: str = ""
    """Path inside the zip file that the addresses give; empty where they give the file itself."""
    sha256: str | None = None
    """Of the published bytes, where known."""


@dataclass(frozen=True, kw_only=True)
class DatasetEntry:
    """One data set: its folder under the data folder, its files, and what is known of its content."""

    name: str
    display_name: str
    family: str = ""
    """Data sets of one family come from one place and are read alike."""
    folder: str = ""
    """Empty for a data set that needs no files."""
    files: tuple[SourceFile, ...] = ()
    reader: str = ""
    """'module:function' that takes the files' paths in this order and gives Interactions."""
    counts: Counts | None = None
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    """Tie rule -> fingerprint of the leave-one-out split of the standard copy."""
    wording: Wording = Wording()
    """How items and histories are put in words for a language model."""
    parts: Mapping[str, str] = field(default_factory=dict)
    """Part of the content -> its digest in the standard copy, to say what differs in another."""
    copies: Mapping[str, str] = field(default_factory=dict)
    """Fingerprint (ties file) of a known copy that is not the published one -> what differs."""
    note: str = ""
    """What a reader of its rows must know."""
    homepage: str = ""
    """Where the data and their terms are described."""
    private: bool = False
    """Ids and titles stay out of records and of the board."""

    @property
    def embedded(self) -> bool:
        """Whether the data set is generated and needs no files."""
        return not self.folder

    @property
    def own(self) -> bool:
        """Whether a user added it."""
        return self.family == OWN


OWN = "own data"
