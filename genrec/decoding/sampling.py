"""Sampling with temperature, top-k and top-p; every prompt draws from a random stream of its own.

The numbers behind a prompt's samples depend on the seed and the prompt alone, so that a user gets
the same texts in any batch and in any order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from genrec.decoding.branches import COMPACT_BELOW, Branches, look_every


@dataclass(frozen=True, kw_only=True)
class SampleRules:
    """How to draw."""

    samples: int
    steps: int
    """Tokens written at most."""
    end: int
    """The end token."""
    temperature: float
    top_k: int
    """0: no limit."""
    top_p: float
    leave_when_done: bool = True
    """Whether samples and users that are done leave the batch before all are."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """What was drawn."""

    log_likelihoods: Any
    """(users, samples) sum over the tokens, the end token included, of the model's own log-probabilities:
    without temperature and over the whole vocabulary."""
    tokens: Any
    """(users, samples, steps)."""
    lengths: Any
    """(users, samples) tokens, the end token included."""
    ended: Any
    """(users, samples) whether the end token was drawn."""

    def record(self, where: Any, step: int, tokens: Any, log_probs: Any, end: int) -> None:
        """Write one step's tokens to the samples `where` (user rows, samples) that have not ended."""
        is_open = ~self.ended[where]
        self.tokens[(*where, step)] = tokens.masked_fill(~is_open, end)
        self.log_likelihoods[where] += log_probs.masked_fill(~is_open, 0.0)
        self.lengths[where] += is_open
        self.ended[where] |= tokens == end


def uniforms(seed: int, keys: Sequence[str], samples: int, steps: int) -> Any:
    """(keys, samples, steps) float32 numbers in [0, 1), a stream of its own for each seed and key."""
    drawn = np.empty((len(keys), samples, steps), dtype=np.float32)
    for row, key in enumerate(keys):
        digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
        stream = np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16])))
        stream.random(out=drawn[row], dtype=np.float32)
    return torch.from_numpy(drawn)


def sample(branches: Branches, rules: SampleRules, draws: Any) -> Samples:
    """Draw `rules.samples` texts a user; `draws` is (users, samples, steps) as `uniforms` gives it.

    What has ended leaves the batch: users whose samples have all ended, and of each user's ended
    samples as many as the user with the most open ones can spare.
    """
    users, device = branches.logits.shape[0], branches.logits.device
    draws = draws.to(device)
    drawn = _nothing(users, rules, device)
    rows = torch.arange(users, device=device)
    # (users, running) the sample that each branch writes
    lanes = torch.arange(rules.samples, device=device).expand(users, -1)
    every = look_every(device)
    for step in range(rules.steps):
        logits = branches.logits.expand(-1, lanes.shape[1], -1)
        tokens = draw(logits, rules, draws[rows, :, step].gather(1, lanes))
        log_probs = torch.log_softmax(logits, dim=-1).gather(2, tokens[:, :, None])[:, :, 0]
        drawn.record((rows[:, None], lanes), step, tokens, log_probs, rules.end)
        if step + 1 == rules.steps:
            break
        running = torch.arange(lanes.shape[1], device=device).expand(len(rows), -1)
        if step % every == 0:
            ended = drawn.ended[rows].gather(1, lanes)
            most_open = (~ended).sum(dim=1)
            left = most_open.nonzero()[:, 0]
            if not len(left):
                break
            if rules.leave_when_done and len(left) < COMPACT_BELOW * len(rows):
                rows, lanes, tokens, ended = rows[left], lanes[left], tokens[left], ended[left]
                branches.keep(left)
            if rules.leave_when_done:
                running = ended.int().argsort(dim=1, stable=True)[:, : int(most_open.max())]
        lanes, tokens = lanes.gather(1, running), tokens.gather(1, running)
        branches.step(tokens, running if step else torch.zeros_like(running))
    return drawn


def draw(logits: Any, rules: SampleRules, numbers: Any) -> Any:
    """Draw one token from each (..., vocabulary) by its (...) number in [0, 1).

    Temperature, then the `top_k` likeliest, then of these the fewest that together reach `top_p`:
    the order and meaning of Hugging Face's warpers. The number picks by the inverse of the
    cumulative distribution, likeliest token first.
    """
    size = logits.shape[-1]
    best, tokens = (logits / rules.temperature).topk(min(rules.top_k or size, size))
    probabilities = torch.softmax(best, dim=-1)
    before = probabilities.cumsum(dim=-1) - probabilities
    reachable = (before < rules.top_p).sum(dim=-1, keepdim=True)
    total = (before + probabilities).gather(-1, reachable - 1)
    place = (before + probabilities <= numbers[..., None] * total).sum(dim=-1, keepdim=True)
    return tokens.gather(-1, torch.minimum(place, reachable - 1))[..., 0]


def _nothing(users: int, rules: SampleRules, device: Any) -> Samples:
    zeros = torch.zeros((users, rules.samples), dtype=torch.long, device=device)
    return Samples(
        log_likelihoods=torch.zeros((users, rules.samples), device=device),
        tokens=torch.full((users, rules.samples, rules.steps), rules.end, device=device),
        lengths=zeros,
        ended=zeros.bool(),
    )
