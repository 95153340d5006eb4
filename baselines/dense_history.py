"""Dense rows: the items whose texts mean the like of the purchases, by sentence embeddings.

    s(j) = sum over the history, p places before its end:  history_decay^p * max(cos(e_i_p, e_j), 0)^power

e are embeddings of title, categories and brand; the best `neighbours` of an item are kept. `last-item-dense`
is the same with history_decay 0. Source: Reimers & Gurevych, "Sentence-BERT" (EMNLP 2019). Embeddings that
were made elsewhere are taken from a file: `--set embeddings=FILE.npy`, a float array (items, width) in
catalogue order.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from baselines.neighbours.constants import Constants
from baselines.neighbours.history_ranker import Table
from baselines.neighbours.neighbour_model import NeighbourModel
from baselines.neighbours.texts import link_texts
from bench.errors import DataError
from bench.retrieval.dense import embed, encoder_folder, nearest
from bench.retrieval.settings import ENCODER
from bench.schema import Catalogue, TrainingData
from bench.tuning.space import Real


class DenseSettings(Constants):
    """Constants of the formula above."""

    neighbours: Annotated[int, Field(ge=1, le=1000)] = 200
    power: Annotated[float, Field(ge=0.1, le=50), Real(1, 16, log=True)] = 6.0
    history_decay: Annotated[float, Field(ge=0, le=1), Real(0, 1)] = 0.7
    encoder: Annotated[str, Field(max_length=500)] = ENCODER
    embeddings: Annotated[str, Field(max_length=1000)] = ""


class DenseHistory(NeighbourModel):
    """Ranks by likeness of meaning alone."""

    Settings = DenseSettings
    display_name = "Embeddings of the history"

    def check_available(self, data: TrainingData) -> None:
        """Raise Unavailable, with the command that gets it, where the encoder is missing."""
        if not self.settings.embeddings:
            encoder_folder(self.settings.encoder)

    def tables(self, data: TrainingData) -> Sequence[Table]:
        """Embed the catalogue and search for the nearest of each item."""
        settings = self.settings
        vectors = embeddings(data.catalogue, settings)
        links = cosine_links(vectors, settings.neighbours, settings.power)
        return [Table(links=links, decay=settings.history_decay)]


class LastItemDense(DenseHistory):
    """The same with the last purchase alone."""

    display_name = "Embeddings of the last item"

    def __init__(self, *, seed: int = 0, **constants: Any) -> None:
        super().__init__(seed=seed, **{"history_decay": 0.0, **constants})


def embeddings(catalogue: Catalogue, settings: DenseSettings) -> NDArray[np.float32]:
    """(items, width) unit vectors, from the file if one is named, else from the encoder."""
    if not settings.embeddings:
        return embed(link_texts(catalogue, "title+category+brand"), settings.encoder)
    path = Path(settings.embeddings).expanduser()
    try:
        vectors = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"the embeddings {path} are not a readable .npy array: {error}") from None
    if not isinstance(vectors, np.ndarray) or vectors.ndim != 2 or len(vectors) != len(catalogue):
        shape = getattr(vectors, "shape", "no array")
        raise DataError(f"the embeddings {path} must have shape ({len(catalogue)}, width), got {shape}")
    if not np.issubdtype(vectors.dtype, np.floating) or not np.isfinite(vectors).all():
        raise DataError(f"the embeddings {path} must be finite floats")
    vectors = vectors.astype(np.float32)
    unit: NDArray[np.float32] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit


def cosine_links(vectors: NDArray[np.float32], neighbours: int, power: float) -> Any:
    """Sparse (items, items): the cosine, to a power, of each item's nearest others of positive cosine."""
    found = nearest(vectors, vectors, min(neighbours + 1, len(vectors)))
    kept = (found.items != np.arange(len(vectors))[:, None]) & (found.scores > 0)
    kept &= np.cumsum(kept, axis=1) <= neighbours
    indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    scores = found.scores[kept].astype(np.float64) ** power
    links = sparse.csr_array((scores, found.items[kept], indptr), shape=(len(vectors), len(vectors)))
    links.sort_indices()
    return links
