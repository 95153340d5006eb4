"""What a submitted file says of its protocol, and whether that is what is asked for.

A file may say it itself (parquet metadata, `# ties: shuffled:0` lines at the start of a text, a first JSON
line of `{"ties": ..., "fingerprint": ...}`), by a sidecar (`<file>.dataset.json`, or the `dataset.json`
that `data export` writes, in the same folder), or in the model card.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.datasets import load
from bench.datasets.protocol_facts import PROTOCOL_KEYS, SIDECAR, facts_in_metadata, known_facts
from bench.datasets.rules.split_rules import LOO, parse_split
from bench.datasets.rules.tie_rules import FILE, parse_ties
from bench.datasets.splits import split_interactions
from bench.errors import ConfigError
from bench.schema import Split
from bench.submission.card import ModelCard
from bench.submission.reading.compression import PARQUET, check_regular, first_bytes
from bench.submission.report import SubmissionError, shown

DEFAULT_DATASET = "beauty2014"
TRIED_SEEDS = 5
_HEAD_BYTES = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """The data that lists are scored on, and who says that they were made for it."""

    dataset: str
    ties: str
    split: str
    fingerprint: str | None
    """As stated, else None."""
    stated_by: str | None
    """None: nobody says, these are the submitter's options or the defaults."""

    @property
    def line(self) -> str:
        """One line for the submitter."""
        said = f"protocol: {self.dataset}, ties {self.ties}, split {self.split}"
        if self.stated_by is not None:
            return f"{said}, stated by {self.stated_by}"
        return (
            f"{said}; neither the file, a sidecar nor the card says so: put the {SIDECAR} of the exported "
            "inputs beside the file, and lists of another protocol are refused instead of scored"
        )


def settle_protocol(
    path: Path, card: ModelCard, *, dataset: str | None, ties: str | None, split: str | None
) -> Protocol:
    """Decide what a file is scored on: its own statement, and the options given (None: not given).

    Raises SubmissionError where statements and options contradict each other, ConfigError for unknown
    rules.
    """
    facts: dict[str, str] = {}
    stated_by: list[str] = []
    for source, said in _statements(path, card):
        for key, value in said.items():
            if facts.setdefault(key, value) != value:
                raise SubmissionError(
                    f"{source} says {key} {shown(value)}, but {stated_by[0]} says {shown(facts[key])}; "
                    "one of them belongs to other lists"
                )
        if said:
            stated_by.append(source)
    for key, given in (("dataset", dataset), ("ties", ties), ("split", split)):
        stated = facts.get(key)
        if given is not None and stated is not None and _plain(key, given) != _plain(key, stated):
            raise SubmissionError(
                f"{key} {shown(given)} is asked for, but {' and '.join(stated_by)} says that the lists are "
                f"for {key} {shown(stated)}; choose that, or make lists from inputs exported with the other"
            )
    return Protocol(
        dataset=dataset or facts.get("dataset") or DEFAULT_DATASET,
        ties=ties or facts.get("ties") or FILE,
        split=split or facts.get("split") or LOO,
        fingerprint=facts.get("fingerprint"),
        stated_by=" and ".join(stated_by) if {"ties", "fingerprint"} & set(facts) else None,
    )


def _plain(key: str, value: str) -> str:
    """Give a rule's stored name, so that `loo` and `leave-one-out` are one."""
    if key == "split":
        return parse_split(value).name
    if key == "ties":
        parse_ties(value)
    return value


def _statements(path: Path, card: ModelCard) -> Iterator[tuple[str, Mapping[str, str]]]:
    yield f"'{path.name}' itself", _in_file(path)
    own = path.with_name(f"{path.name}.{SIDECAR}")
    for sidecar in (own, path.with_name(SIDECAR)):
        if sidecar.is_file():
            yield f"'{sidecar.name}'", _in_sidecar(sidecar)
            break
    said = {"ties": card.ties, "split": card.split, "fingerprint": card.fingerprint}
    yield "the card", {key: value for key, value in said.items() if value}


def _in_file(path: Path) -> dict[str, str]:
    try:
        check_regular(path)
        start = first_bytes(path, _HEAD_BYTES)
    except SubmissionError:
        return {}  # the reader says what is wrong with the file
    if start.startswith(PARQUET):
        return facts_in_metadata(_parquet_metadata(path))
    lines = start.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").splitlines()
    found: dict[str, str] = {}
    for line in lines:
        if line.startswith("#"):
            key, _, value = line.lstrip("# ").partition(":")
            if key.strip().lower() in PROTOCOL_KEYS and value.strip():
                found[key.strip().lower()] = value.strip()[:200]
        elif line.strip():
            return found | _in_first_object(line)
    return found


def _in_first_object(line: str) -> dict[str, str]:
    """Read a first JSON line that holds nothing but the protocol."""
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return known_facts(content) if isinstance(content, dict) and set(content) <= set(PROTOCOL_KEYS) else {}


def _parquet_metadata(path: Path) -> Mapping[bytes, bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_schema(path).metadata or {}
    except (pa.ArrowException, OSError):
        return {}


def _in_sidecar(path: Path) -> dict[str, str]:
    try:
        body = path.read_bytes()[: _HEAD_BYTES + 1]
        content = json.loads(body) if len(body) <= _HEAD_BYTES else None
    except (OSError, ValueError, RecursionError):
        content = None
    found = known_facts(content)
    if not found:
        raise SubmissionError(
            f"'{path.name}' beside the file does not say what the lists are for: it must be a JSON object "
            f"with {', '.join(PROTOCOL_KEYS)}, as `genrec-bench data export` writes it"
        )
    return found


def other_rules(split: Split, data_dir: Path | None, recorded: Iterable[str] = ()) -> dict[str, Split]:
    """Split the same data by the other tie rules that lists may have been made for: 'ties <rule>' -> split.

    Tried are `file`, five seeds, and the rules of `recorded` rows.
    """
    rules = dict.fromkeys([FILE, *(f"shuffled:{seed}" for seed in range(TRIED_SEEDS)), *recorded])
    interactions = load(split.dataset, data_dir)
    return {
        f"ties {ties}": split_interactions(interactions, dataset=split.dataset, ties=ties, split=split.name)
        for ties in rules
        if ties != split.ties
    }


def check_stated(protocol: Protocol, fingerprint: str) -> None:
    """Refuse a file made for other data than those that its protocol names here."""
    if protocol.fingerprint is not None and protocol.fingerprint.lower() != fingerprint:
        raise ConfigError(
            f"{protocol.stated_by} says that the lists were made for fingerprint "
            f"{shown(protocol.fingerprint, 64)}, but {protocol.dataset}, ties {protocol.ties}, split "
            f"{protocol.split}, is {fingerprint} here: see `genrec-bench data verify {protocol.dataset}`"
        )
