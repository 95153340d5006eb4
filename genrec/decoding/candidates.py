"""How likely given texts are after a prompt, without any search.

The prompt runs once. The texts of one user go behind it as one tree, in a single pass: what several texts
begin with is run once, and a mask lets every position see the prompt and its own path. The
log-likelihoods are those that a beam search gives the same texts: the model's own, over its whole
vocabulary, the end token included.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from bench.errors import ConfigError
from bench.schema import BoolArray, FloatArray, Int32Array, Int64Array
from genrec.decoding.attention import decoding_attention
from genrec.decoding.batches import token_budget
from genrec.decoding.branches import Branches, Prefix, run_prefix
from genrec.decoding.prompt_tokens import common_prefix, encode

CPU_POSITIONS = 2048
"""Positions in one batch on a CPU, prompts and trees together: their logits are held at one time."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Tree:
    """Token sequences with their common beginnings merged. A node is a token that others follow."""

    tokens: Int64Array
    """(nodes,) the token of each node; a node stands behind the one that it follows."""
    parents: Int64Array
    """(nodes,) the node before, -1 for the prompt."""
    last_nodes: Int64Array
    """(texts,) the node at which each text ends, -1 for an empty text."""

    @classmethod
    def of(cls, texts: Sequence[Sequence[int]]) -> Tree:
        """Merge the texts, given without end tokens."""
        known: dict[tuple[int, int], int] = {}
        tokens: list[int] = []
        parents: list[int] = []
        ends = []
        for text in texts:
            node = -1
            for token in text:
                found = known.get((node, token))
                if found is None:
                    found = known[node, token] = len(tokens)
                    tokens.append(token)
                    parents.append(node)
                node = found
            ends.append(node)
        arrays = (np.array(part, dtype=np.int64) for part in (tokens, parents, ends))
        return cls(**dict(zip(("tokens", "parents", "last_nodes"), arrays, strict=True)))

    @property
    def paths(self) -> BoolArray:
        """(nodes, nodes): whether the second lies on the first's path; each lies on its own."""
        paths = np.eye(len(self.tokens), dtype=bool)
        for node, parent in enumerate(self.parents.tolist()):
            if parent >= 0:
                paths[node] |= paths[parent]
        return paths


class CandidateScorer:
    """A model and the texts that it is asked about."""

    def __init__(self, model: Any, tokenizer: Any, texts: Sequence[Sequence[int]], *, longest: int) -> None:
        """`texts` are token sequences without end tokens, `longest` bounds a prompt with one of them."""
        self._model, self._tokenizer = model.eval(), tokenizer
        self._texts, self._longest = texts, longest
        self._end: int = tokenizer.eos_token_id
        self._room = longest - 1 - max(map(len, texts), default=0)
        if self._room < 1:
            raise ConfigError(
                f"the longest candidate leaves no room for a prompt in {longest} tokens; raise "
                "generate.max_seq_length"
            )

    def score(
        self, prompts: Sequence[str], candidates: Sequence[Int32Array]
    ) -> Iterator[tuple[Int64Array, list[FloatArray]]]:
        """Give batches of prompt numbers, and of each the log-likelihoods of its candidates' texts."""
        rows = encode(self._tokenizer, prompts, self._room)
        with torch.inference_mode(), decoding_attention(self._model, self._longest):
            shared = common_prefix(rows) if all(len(row) < self._room for row in rows) else 0
            prefix = run_prefix(self._model, rows[0][:shared]) if shared else None
            trees = [Tree.of([self._texts[number] for number in chosen]) for chosen in candidates]
            sizes = np.array([len(row) + len(tree.tokens) for row, tree in zip(rows, trees, strict=True)])
            for batch in _batches(sizes, self._positions()):
                members = batch.tolist()
                yield batch, self._run([rows[n] for n in members], [trees[n] for n in members], prefix)

    def _positions(self) -> int:
        """Positions in one batch; log-probabilities stand beside the logits, so half of a GPU's budget."""
        if self._model.device.type != "cuda":
            return CPU_POSITIONS
        return max(CPU_POSITIONS, token_budget(self._model, longest=self._longest, steps=1) // 2)

    def _run(self, prompts: list[Int32Array], trees: list[Tree], prefix: Prefix | None) -> list[FloatArray]:
        width = max(1, *(len(tree.tokens) for tree in trees)) if trees else 1
        branches = Branches(self._model, prompts, room=width, filler=self._end, prefix=prefix)
        first = torch.log_softmax(branches.logits[:, 0], dim=-1)
        tokens, depths, paths = _padded(trees, width, self._end)
        device = first.device
        inside = branches.look(
            torch.from_numpy(tokens).to(device),
            torch.from_numpy(paths).to(device),
            torch.from_numpy(depths).to(device),
        )
        found = []
        for user, tree in enumerate(trees):
            steps = torch.cat([first[user : user + 1], torch.log_softmax(inside[user], dim=-1)])
            found.append(_likelihoods(tree, steps, self._end))
        return found


def _likelihoods(tree: Tree, steps: Any, end: int) -> FloatArray:
    """Sum each text's log-probabilities; `steps` are those behind the prompt, then behind each node."""
    nodes = len(tree.tokens)
    behind = torch.as_tensor(tree.parents + 1, device=steps.device)
    own = steps[behind, torch.as_tensor(tree.tokens, device=steps.device)].double().cpu().numpy()
    ends = steps[: nodes + 1, end].double().cpu().numpy()
    total: FloatArray = np.zeros(nodes + 1)
    for node, parent in enumerate(tree.parents.tolist()):
        total[node + 1] = total[parent + 1] + own[node]
    chosen: FloatArray = (total + ends)[tree.last_nodes + 1]
    return chosen


def _padded(trees: Sequence[Tree], width: int, filler: int) -> tuple[Int64Array, Int64Array, BoolArray]:
    """(users, width) tokens and depths, (users, width, width) paths; a filler sees itself."""
    tokens = np.full((len(trees), width), filler, dtype=np.int64)
    depths = np.zeros((len(trees), width), dtype=np.int64)
    paths = np.tile(np.eye(width, dtype=bool), (len(trees), 1, 1))
    for user, tree in enumerate(trees):
        nodes = len(tree.tokens)
        own = tree.paths
        tokens[user, :nodes] = tree.tokens
        depths[user, :nodes] = own.sum(axis=1) - 1
        paths[user, :nodes, :nodes] = own
    return tokens, depths, paths


def _batches(sizes: Int64Array, positions: int) -> Iterator[Int64Array]:
    """Put prompts of like size together, longest first, in batches of at most `positions` or one prompt."""
    order = np.argsort(-sizes, kind="stable")
    starts = [0]
    while starts[-1] < len(order):
        starts.append(starts[-1] + max(1, positions // int(sizes[order[starts[-1]]])))
    return (order[start:stop] for start, stop in pairwise(starts))
