"""Which nodes of the catalogue's trie a user's beams may not enter, so that seen items are not written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from bench.schema import Int32Array, Int64Array
from genrec.decoding.trie import Trie


class SeenTexts:
    """Finds the nodes below which there are texts of given items only."""

    def __init__(self, trie: Trie, catalogue_texts: Sequence[str], distinct: Sequence[str]) -> None:
        """`distinct` are the texts that the trie was built from, `catalogue_texts` those of all items."""
        number = {text: place for place, text in enumerate(distinct)}
        self._trie = trie
        self._text_of = np.array([number[text] for text in catalogue_texts], dtype=np.int64)
        self._holders = np.bincount(self._text_of, minlength=len(distinct))

    def nodes(self, items: Int32Array) -> Int64Array:
        """Nodes, ascending, for distinct items, by row; a text that another item shares may be written."""
        texts, held = np.unique(self._text_of[items], return_counts=True)
        return self._trie.blocked(texts[held == self._holders[texts]].tolist())


def padded(nodes: Sequence[Int64Array], device: Any) -> Any:
    """(users, most nodes of a user), rows filled up with a number above all nodes."""
    width = max(1, *(len(row) for row in nodes)) if nodes else 1
    table = np.full((len(nodes), width), np.iinfo(np.int64).max)
    for place, row in zip(table, nodes, strict=True):
        place[: len(row)] = row
    return torch.from_numpy(table).to(device)
