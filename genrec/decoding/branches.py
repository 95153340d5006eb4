"""A prompt run once, and many continuations ("branches") of it over that one copy of keys and values.

A step writes one new position a branch behind the prompt, in the user's own row of the cache, and a
mask says which of those positions lie on a branch's own path. So a prompt is neither run nor read
once a beam, and to reorder beams is to reorder a few mask bits: keys and values never move. (Tree
attention: Miao et al., SpecInfer, arXiv 2305.09781; one shared prompt: Athiwaratkun et al.,
Bifurcated Attention, arXiv 2403.08845.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from bench.schema import Int32Array
from genrec.decoding.cache import cached, fork, keep, new_cache
from genrec.decoding.prompt_tokens import left_padded

COMPACT_BELOW = 0.75
"""Users that are done leave when less than this share is left: leaving costs a copy of the cache."""


def look_every(device: Any) -> int:
    """Steps between two looks at who is done; each look makes a GPU wait for the host."""
    return 4 if device.type == "cuda" else 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Prefix:
    """The first tokens of many prompts, run once."""

    length: int
    cache: Any


def run_prefix(model: Any, ids: Int32Array) -> Prefix:
    """Run the tokens that prompts begin with."""
    cache = new_cache(model, len(ids))
    tokens = torch.tensor(ids, dtype=torch.long, device=model.device)[None]
    model(input_ids=tokens, logits_to_keep=1, **cached(model, cache))
    return Prefix(length=len(ids), cache=cache)


class Branches:
    """The continuations of one batch of prompts; `logits` holds the model's last word."""

    def __init__(
        self,
        model: Any,
        prompts: Sequence[Int32Array],
        *,
        room: int,
        filler: int,
        prefix: Prefix | None = None,
    ) -> None:
        """Run the prompts; `room` bounds the positions written after one prompt, all branches together.

        With `prefix`, every prompt begins with it. Shorter prompts are filled on the left, behind the
        prefix.
        """
        self._model = model
        skipped = prefix.length if prefix else 0
        tokens = left_padded([prompt[skipped:] for prompt in prompts], filler)
        users, width = tokens.shape
        capacity = skipped + width + room
        self._cache = fork(prefix.cache, users, capacity) if prefix else new_cache(model, capacity)
        lengths = torch.tensor([len(prompt) for prompt in prompts])
        mask = _prompt_mask(skipped, width, lengths)
        plain = not skipped and bool(mask.all())
        self._lengths, self._prompt_mask = lengths.to(model.device), mask.to(model.device)
        self._path = torch.zeros((users, 1, 0), dtype=torch.bool, device=model.device)
        self._steps = 0
        positions = skipped + torch.arange(width) - (skipped + width - lengths)[:, None]
        self.logits = self._model(
            input_ids=torch.from_numpy(tokens).to(model.device),
            attention_mask=None if plain else self._causal_mask(skipped),
            position_ids=positions.clamp(min=0).to(model.device),
            logits_to_keep=1,
            **cached(model, self._cache),
        ).logits.float()
        """(users, branches, vocabulary) float32 logits of each branch's next token."""

    def step(self, tokens: Any, parents: Any) -> None:
        """Let branch j of a user continue branch `parents[:, j]` of the step before by `tokens[:, j]`.

        Both are (users, branches); the number of branches may differ from the step before.
        """
        users, branches = tokens.shape
        inherited = self._path.gather(1, parents[:, :, None].expand(-1, -1, self._path.shape[2]))
        own = torch.eye(branches, dtype=torch.bool, device=tokens.device).expand(users, -1, -1)
        self._path = torch.cat([inherited, own], dim=2)
        prompt = self._prompt_mask[:, None].expand(-1, branches, -1)
        mask = torch.cat([prompt, self._path], dim=2)[:, None]
        positions = (self._lengths + self._steps)[:, None].expand(-1, branches)
        self._steps += 1
        self.logits = self._model(
            input_ids=tokens,
            attention_mask=mask,
            position_ids=positions,
            **cached(self._model, self._cache),
        ).logits.float()

    def look(self, tokens: Any, paths: Any, depths: Any) -> Any:
        """Run a whole tree of continuations behind each prompt in one pass; no step may follow.

        `tokens` and `depths` (tokens between it and the prompt) are (users, nodes), `paths` (users,
        nodes, nodes) says which nodes each node sees. Gives (users, nodes, vocabulary) float32 logits.
        """
        prompt = self._prompt_mask[:, None].expand(-1, tokens.shape[1], -1)
        logits = self._model(
            input_ids=tokens,
            attention_mask=torch.cat([prompt, paths], dim=2)[:, None],
            position_ids=self._lengths[:, None] + depths,
            **cached(self._model, self._cache),
        ).logits.float()
        return logits

    def keep(self, rows: Any) -> None:
        """Drop all users but these."""
        keep(self._cache, rows)
        self._lengths, self._prompt_mask, self._path = (
            part[rows] for part in (self._lengths, self._prompt_mask, self._path)
        )
        self.logits = self.logits[rows]

    def _causal_mask(self, skipped: int) -> Any:
        """(users, 1, prompt positions that are run, all prompt positions)."""
        columns = torch.arange(self._prompt_mask.shape[1], device=self._prompt_mask.device)
        rows = columns[skipped:, None]
        # A filler sees itself, since attention to nothing is not a number.
        return ((self._prompt_mask[:, None] & (columns <= rows)) | (columns == rows))[:, None]


def _prompt_mask(skipped: int, width: int, lengths: Any) -> Any:
    """(users, skipped + width): whether a position holds a token of the prompt and not a filler."""
    columns = torch.arange(skipped + width)
    return (columns < skipped) | (columns >= skipped + width - (lengths - skipped)[:, None])
