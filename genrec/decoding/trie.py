"""The catalogue's texts as a trie of tokens, held on the device as flat arrays.

Nodes are numbered level by level, and the children of a node lie side by side. A text ends by the
end token, which leads to a leaf of its own, so that one text may be the beginning of another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from bench.schema import Int64Array


class Trie:
    """Which tokens may follow, for many branches at once.

    Built from distinct token sequences without the end token. `depth` is the number of tokens in
    the longest, its end token counted.
    """

    def __init__(self, texts: Sequence[Sequence[int]], end: int, device: Any = "cpu") -> None:
        levels = _edges(_table(texts, end), end)
        self.depth = len(levels)
        tokens, parents, leaves = (np.concatenate(column) for column in zip(*levels, strict=True))
        # Node 0 is the root, and the i-th edge of all levels leads to node i + 1.
        children = np.bincount(parents, minlength=len(tokens) + 1)
        self._widths = [int(children[parents].max()) for _, parents, _ in levels]
        self._children = torch.as_tensor(children, device=device)
        self._first_child = torch.as_tensor(1 + np.cumsum(children) - children, device=device)
        self._tokens = torch.as_tensor(np.concatenate([[end], tokens]), device=device)
        self._parents = np.concatenate([[-1], parents])
        self._leaves = _leaf_of_text(np.concatenate([[-1], leaves]), len(texts))
        below = _leaves_below(self._parents, self._leaves)
        self._below = below
        decided = _decided(self._parents, below, np.concatenate([[-1], leaves]))
        self._decided = torch.as_tensor(decided, device=device)
        self._texts = torch.as_tensor(np.concatenate([[-1], leaves]), device=device)

    def children(self, nodes: Any, depth: int, at_least: int) -> tuple[Any, Any, Any]:
        """Give the children of (users, branches) nodes that lie `depth` tokens below the root.

        Returns tokens, nodes and whether there is such a child, each (users, branches, width). The
        width, known without asking the device, is the most children of any node at this depth, and
        no less than `at_least`.
        """
        columns = torch.arange(max(self._widths[depth], at_least), device=nodes.device)
        exists = columns < self._children[nodes][:, :, None]
        below = torch.where(exists, self._first_child[nodes][:, :, None] + columns, 0)
        return self._tokens[below], below, exists

    def texts(self, nodes: Any) -> Any:
        """Number of the text that ends at each node, -1 where none does."""
        return self._texts[nodes]

    def decided(self, nodes: Any) -> Any:
        """Number of the only text that ends at or below each node, -1 where there are several."""
        return self._decided[nodes]

    def blocked(self, texts: Sequence[int]) -> Int64Array:
        """Nodes, ascending, at or below which no other text ends than these."""
        counts: dict[int, int] = {}
        for text in dict.fromkeys(texts):
            node = int(self._leaves[text])
            while node > 0:
                counts[node] = counts.get(node, 0) + 1
                node = int(self._parents[node])
        whole = [node for node, count in counts.items() if count == self._below[node]]
        return np.array(sorted(whole), dtype=np.int64)


def _leaf_of_text(texts: Int64Array, count: int) -> Int64Array:
    """(texts,) the node at which each text ends."""
    leaves = np.zeros(count, dtype=np.int64)
    nodes = np.flatnonzero(texts >= 0)
    leaves[texts[nodes]] = nodes
    return leaves


def _leaves_below(parents: Int64Array, leaves: Int64Array) -> Int64Array:
    """(nodes,) texts that end at or below each node; a node's number is above its parent's."""
    below = np.zeros(len(parents), dtype=np.int64)
    below[leaves] = 1
    for node in range(len(parents) - 1, 0, -1):
        below[parents[node]] += below[node]
    return below


def _decided(parents: Int64Array, below: Int64Array, texts: Int64Array) -> Int64Array:
    """(nodes,) the only text at or below each node, -1 where there are several."""
    only = np.where(below == 1, texts, -1)
    for node in range(len(parents) - 1, 0, -1):
        if only[node] >= 0 and below[parents[node]] == 1:
            only[parents[node]] = only[node]
    return only


def _table(texts: Sequence[Sequence[int]], end: int) -> Int64Array:
    """(texts, longest + 1) tokens with the end token behind each text, then -1."""
    lengths = np.array([len(ids) for ids in texts], dtype=np.int64)
    table = np.full((len(texts), lengths.max() + 1), -1, dtype=np.int64)
    flat = [token for ids in texts for token in ids]
    table[np.arange(table.shape[1]) < lengths[:, None]] = np.array(flat, dtype=np.int64)
    table[np.arange(len(texts)), lengths] = end
    return table


def _edges(table: Int64Array, end: int) -> list[tuple[Int64Array, Int64Array, Int64Array]]:
    """For each level, the edges into it: token, node above, and the text that ends there or -1."""
    order = np.lexsort(table.T[::-1])
    table = table[order]
    node = np.zeros(len(table), dtype=np.int64)
    made = 1
    levels = []
    for column in table.T:
        rows = np.flatnonzero(column >= 0)
        token, above = column[rows], node[rows]
        # Among sorted texts, an edge begins where the token or the path above differs from the row before.
        begins = np.ones(len(rows), dtype=bool)
        begins[1:] = (token[1:] != token[:-1]) | (above[1:] != above[:-1])
        node[rows] = made + np.cumsum(begins) - 1
        made += int(begins.sum())
        leaf = np.where(token == end, order[rows], -1)
        levels.append((token[begins], above[begins], leaf[begins]))
    return levels
