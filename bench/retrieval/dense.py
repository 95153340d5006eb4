"""Sentence embeddings of texts, and the search for the texts nearest to a query.

An encoder is a folder, or `package:<name>` for an installed package that holds one: a transformers model
with its tokenizer. A text's embedding is the mean of its tokens' last states, scaled to length 1
(Reimers & Gurevych, Sentence-BERT, EMNLP 2019), so that a dot product is a cosine. Equal scores are ranked
by lower row, as for BM25.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Self

import numpy as np
import platformdirs
from numpy.typing import NDArray

from bench.errors import ConfigError, Unavailable
from bench.progress import report
from bench.retrieval.bm25 import TopK
from bench.retrieval.settings import ENCODER
from bench.schema import NO_ITEM, Int64Array

_PACKAGE = "package:"
_BATCH = 64
_LONGEST = 128
"""Tokens of a text that are read."""
_QUERIES_PER_CHUNK = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class DenseIndex:
    """Embeddings of texts; documents are named by their row."""

    encoder: str
    documents: NDArray[np.float32]
    """(texts, width), each of length 1."""

    @classmethod
    def build(cls, texts: Sequence[str], encoder: str = ENCODER) -> Self:
        """Embed the texts; raises ValueError where there is none, Unavailable without the encoder."""
        if not texts:
            raise ValueError("a dense index needs at least one text")
        return cls(encoder=encoder, documents=embed(texts, encoder))

    def top_k(self, queries: Sequence[str], depth: int) -> TopK:
        """Find the `depth` nearest documents of each query, by cosine, then by lower row."""
        return nearest(embed(queries, self.encoder), self.documents, depth)


def nearest(queries: NDArray[np.float32], documents: NDArray[np.float32], depth: int) -> TopK:
    """Rank documents by dot product; lists are padded with NO_ITEM and 0 where there are fewer."""
    kept = min(depth, len(documents))
    items = np.full((len(queries), depth), NO_ITEM, dtype=np.int32)
    scores = np.zeros((len(queries), depth), dtype=np.float32)
    for start in range(0, len(queries), _QUERIES_PER_CHUNK):
        chunk = slice(start, start + _QUERIES_PER_CHUNK)
        found = queries[chunk] @ documents.T
        order = _best(found, kept)
        items[chunk, :kept] = order
        scores[chunk, :kept] = np.take_along_axis(found, order, axis=1)
    return TopK(items=items, scores=scores)


def _best(scores: NDArray[np.float32], kept: int) -> Int64Array:
    """(queries, kept) columns of the largest scores, equal ones by lower column, also at the cut."""
    cut = np.partition(scores, -kept, axis=1)[:, -kept]
    order = np.empty((len(scores), kept), dtype=np.int64)
    for row, (values, least) in enumerate(zip(scores, cut, strict=True)):
        columns = np.flatnonzero(values >= least)
        order[row] = columns[np.argsort(-values[columns], kind="stable")[:kept]]
    return order


def embed(texts: Sequence[str], encoder: str = ENCODER) -> NDArray[np.float32]:
    """(texts, width) embeddings of length 1; those of many texts are kept in the user's cache folder.

    Raises Unavailable, with the command that gets it, where the encoder or torch is missing.
    """
    folder = encoder_folder(encoder)
    distinct = list(dict.fromkeys(texts))
    place = {text: row for row, text in enumerate(distinct)}
    digest = hashlib.sha256(json.dumps([distinct, _revision(folder), _LONGEST]).encode()).hexdigest()
    path = Path(platformdirs.user_cache_dir("genrec-bench")) / "embeddings" / f"{digest[:32]}.npy"
    vectors = _read(path, len(distinct))
    if vectors is None:
        vectors = _encode(folder, distinct)
        if len(distinct) >= _BATCH:
            _write(path, vectors)
    return vectors[[place[text] for text in texts]]


def encoder_folder(encoder: str) -> Path:
    """Find the folder that holds the encoder's configuration, weights and tokenizer."""
    if not encoder.startswith(_PACKAGE):
        folder = Path(encoder).expanduser()
        if not (folder / "config.json").is_file():
            raise Unavailable(f"there is no encoder in '{encoder}': a folder with a config.json is wanted")
        return folder
    package = encoder.removeprefix(_PACKAGE)
    try:
        files = metadata.files(package) or []
    except (metadata.PackageNotFoundError, ValueError):
        get = "pip install 'genrec-bench[dense]'" if encoder == ENCODER else f"pip install {package}"
        raise Unavailable(
            f"the package '{package}', which holds the encoder, is not installed; get it with: {get}"
        ) from None
    found = {Path(str(file.locate())).parent for file in files if file.name == "model.safetensors"}
    if len(found) != 1:
        raise ConfigError(f"the package '{package}' holds {len(found)} encoders, and one is wanted")
    return found.pop()


def _encode(folder: Path, texts: Sequence[str]) -> NDArray[np.float32]:
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("transformers") is None:
        raise Unavailable(
            "sentence embeddings need torch and transformers: pip install 'genrec-bench[dense]'"
        )
    import torch
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # its bars would tear up the harness's live line
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32, local_files_only=True).eval()
    vectors = np.empty((len(texts), model.config.hidden_size), dtype=np.float32)
    by_length = np.argsort([len(text) for text in texts], kind="stable")
    for start in range(0, len(texts), _BATCH):
        rows = by_length[start : start + _BATCH]
        batch = tokenizer(
            [texts[row] for row in rows],
            padding=True,
            truncation=True,
            max_length=_LONGEST,
            return_tensors="pt",
        )
        with torch.inference_mode():
            vectors[rows] = _pooled(model(**batch).last_hidden_state, batch["attention_mask"])
        report("embed", min(start + _BATCH, len(texts)), len(texts))
    return vectors


def _pooled(states: Any, mask: Any) -> NDArray[np.float32]:
    """Mean over the real tokens, scaled to length 1."""
    weights = mask[:, :, None].float()
    mean = (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
    pooled: NDArray[np.float32] = (mean / mean.norm(dim=1, keepdim=True).clamp(min=1e-12)).numpy()
    return pooled


def _revision(folder: Path) -> str:
    with (folder / "model.safetensors").open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: Path, rows: int) -> NDArray[np.float32] | None:
    """Read kept embeddings; None where there are none, or damaged ones."""
    try:
        vectors: NDArray[np.float32] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return vectors if vectors.ndim == 2 and len(vectors) == rows else None


def _write(path: Path, vectors: NDArray[np.float32]) -> None:
    """Keep embeddings, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    with temporary.open("wb") as file:
        np.save(file, vectors, allow_pickle=False)
    temporary.replace(path)
