"""The protocol of an exported split - data set, split, ties, fingerprint - as it travels inside files."""

from __future__ import annotations

import json
from collections.abc import Mapping

from bench.schema import Split

PROTOCOL_KEYS = ("dataset", "split", "ties", "fingerprint")
SIDECAR = "dataset.json"
"""The file that says it for a whole folder."""
_PANDAS = b"PANDAS_ATTRS"
"""Where pandas keeps a frame's `attrs`: what is made from an exported table takes them along."""
_ATTRIBUTE = "genrec_bench"
_MAX_BYTES = 64 * 1024


def protocol_facts(split: Split) -> dict[str, str]:
    """Give what a file must say so that its lists are never scored by another protocol."""
    values = (split.dataset, split.name, split.ties, split.fingerprint)
    return dict(zip(PROTOCOL_KEYS, values, strict=True))


def parquet_metadata(split: Split) -> dict[bytes, bytes]:
    """Give the facts as metadata of a parquet schema: key by key, and as attributes of a pandas frame."""
    facts = protocol_facts(split)
    plain = {key.encode(): value.encode() for key, value in facts.items()}
    return plain | {_PANDAS: json.dumps({_ATTRIBUTE: facts}).encode()}


def facts_in_metadata(metadata: Mapping[bytes, bytes]) -> dict[str, str]:
    """Read the facts from the metadata of a parquet schema, made by anyone; empty where there are none."""
    found = {key: metadata[key.encode()] for key in PROTOCOL_KEYS if key.encode() in metadata}
    plain = {key: value[:200].decode("utf-8", "replace") for key, value in found.items()}
    attributes = metadata.get(_PANDAS, b"")
    if plain or len(attributes) > _MAX_BYTES:
        return plain
    try:
        return known_facts(json.loads(attributes or b"{}").get(_ATTRIBUTE))
    except (ValueError, AttributeError, RecursionError):
        return {}


def known_facts(content: object) -> dict[str, str]:
    """Keep the facts of an object read from JSON; what else it holds is none of ours."""
    if not isinstance(content, Mapping):
        return {}
    found = {key: content[key] for key in PROTOCOL_KEYS if key in content}
    return {key: value[:200] for key, value in found.items() if isinstance(value, str) and value}
