"""Beam search over branches, free or inside a trie.

Free search gives what Hugging Face `generate(num_beams=k, num_return_sequences=k)` gives with
`early_stopping=False`: a finished text is valued by its log-likelihood divided by its length to the
power `length_penalty`, and a user is done when the best open beam, valued at its present length,
does not beat the worst of k finished texts.

Inside a trie every finished text is a text of the trie and is valued by its log-likelihood, so that
no open beam that could still win is given up for a finished one. Log-likelihoods are the language
model's own, over its whole vocabulary. They are not renormalised over the tokens that the trie
allows: so they compare across strategies, and equal the exhaustive score of each catalogue text.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import torch

from genrec.decoding.branches import COMPACT_BELOW, Branches, look_every
from genrec.decoding.trie import Trie


@dataclass(frozen=True, kw_only=True)
class BeamRules:
    """How to search."""

    beams: int
    steps: int
    """Tokens written at most; inside a trie, its depth."""
    end: int
    """The end token."""
    length_penalty: float
    trie: Trie | None = None
    leave_when_done: bool = True
    """Whether users that are done leave the batch before all are."""
    stop_when_decided: bool = False
    """Inside a trie, whether a text is finished where only one text goes on; its likelihood is then that of
    its beginning."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _PerUser:
    """Tensors with one row a user."""

    def keep(self, rows: Any) -> Self:
        return type(self)(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


@dataclass(frozen=True, kw_only=True, eq=False)
class Open(_PerUser):
    """Beams that go on, best first; a dead one has score -inf."""

    scores: Any
    """(users, beams) log-likelihood so far."""
    tokens: Any
    """(users, beams, steps)."""
    nodes: Any
    """(users, beams) where in the trie."""
    blocked: Any
    """(users, any) nodes of the trie that may not be entered, ascending; filled up with the last number."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Finished(_PerUser):
    """Texts that have ended, best first; an entry that was never filled has value -inf."""

    values: Any
    """(users, beams) log-likelihood / length ** length_penalty."""
    log_likelihoods: Any
    """(users, beams) sum over the tokens, the end token included."""
    tokens: Any
    """(users, beams, steps)."""
    lengths: Any
    """(users, beams) tokens, the end token included."""
    nodes: Any
    """(users, beams) leaf of the trie."""

    def put(self, rows: Any, other: Finished) -> None:
        """Write the users of `other` into these rows."""
        for field in fields(self):
            getattr(self, field.name)[rows] = getattr(other, field.name)


def beam_search(branches: Branches, rules: BeamRules, blocked: Any = None) -> Finished:
    """Search until every user is done or `rules.steps` tokens are written.

    `blocked`, (users, any), are nodes of the trie that a user's beams may not enter (see `Open`).
    """
    users, device = branches.logits.shape[0], branches.logits.device
    result, finished, beams = (
        _nothing(users, rules, device),
        _nothing(users, rules, device),
        _one_open(users, rules, device, blocked),
    )
    rows = torch.arange(users, device=device)
    every = look_every(device)
    for step in range(rules.steps):
        beams, finished, parents = _advance(beams, finished, branches.logits, rules, step)
        if step + 1 == rules.steps:
            break
        if step % every == 0:
            left = torch.isfinite(beams.scores[:, 0]).nonzero()[:, 0]
            if not len(left):
                break
            if rules.leave_when_done and len(left) < COMPACT_BELOW * len(rows):
                result.put(rows, finished)
                rows, beams, finished, parents = (
                    rows[left],
                    beams.keep(left),
                    finished.keep(left),
                    parents[left],
                )
                branches.keep(left)
        branches.step(beams.tokens[:, :, step], parents)
    result.put(rows, finished)
    return result


def _advance(
    beams: Open, finished: Finished, logits: Any, rules: BeamRules, step: int
) -> tuple[Open, Finished, Any]:
    """Write one token: the best 2k continuations, of which those that end are finished and k go on."""
    log_probs, tokens, nodes = _continuations(beams.nodes, logits, rules, step)
    if beams.blocked.shape[1]:
        log_probs = log_probs.masked_fill(_is_blocked(nodes, beams.blocked), -torch.inf)
    width = tokens.shape[2]
    scores, best = (beams.scores[:, :, None] + log_probs).flatten(1).topk(2 * rules.beams)
    parents, tokens, nodes = (
        best // width,
        tokens.flatten(1).gather(1, best),
        nodes.flatten(1).gather(1, best),
    )
    sequences = _gather(beams.tokens, parents)
    sequences[:, :, step] = tokens
    if rules.trie is None:
        ends = (tokens == rules.end) | (step + 1 == rules.steps)
        # As in Hugging Face: an end counts only if it is among the best k continuations.
        counts = ends & (torch.arange(2 * rules.beams, device=ends.device) < rules.beams)
    else:
        ends = tokens == rules.end
        if rules.stop_when_decided:
            ends |= rules.trie.decided(nodes) >= 0
        counts = ends
    candidates = Finished(
        values=(scores / (step + 1) ** rules.length_penalty).masked_fill(~counts, -torch.inf),
        log_likelihoods=scores,
        tokens=sequences,
        lengths=torch.full_like(tokens, step + 1),
        nodes=nodes,
    )
    finished = _best(finished, candidates, rules.beams)
    open_scores, going = scores.masked_fill(ends, -torch.inf).topk(rules.beams)
    improves = open_scores[:, :1] / (step + 1) ** rules.length_penalty > finished.values[:, -1:]
    beams = Open(
        scores=open_scores.masked_fill(~improves, -torch.inf),
        tokens=_gather(sequences, going),
        nodes=nodes.gather(1, going),
        blocked=beams.blocked,
    )
    return beams, finished, parents.gather(1, going)


def _continuations(nodes: Any, logits: Any, rules: BeamRules, step: int) -> tuple[Any, Any, Any]:
    """Give each beam's next tokens: log-probability, token and node, (users, beams, at least 2k)."""
    log_probs = torch.log_softmax(logits, dim=-1)
    if rules.trie is None:
        best, tokens = log_probs.topk(2 * rules.beams)
        return best, tokens, torch.zeros_like(tokens)
    tokens, below, exists = rules.trie.children(nodes, step, at_least=2 * rules.beams)
    return log_probs.gather(2, tokens).masked_fill(~exists, -torch.inf), tokens, below


def _is_blocked(nodes: Any, blocked: Any) -> Any:
    """Whether each of (users, beams, width) nodes is among the user's blocked ones."""
    flat = nodes.flatten(1).contiguous()
    place = torch.searchsorted(blocked, flat).clamp(max=blocked.shape[1] - 1)
    return (blocked.gather(1, place) == flat).view(nodes.shape)


def _best(finished: Finished, candidates: Finished, beams: int) -> Finished:
    values, chosen = torch.cat([finished.values, candidates.values], dim=1).topk(beams)
    both = {
        field.name: torch.cat([getattr(finished, field.name), getattr(candidates, field.name)], dim=1)
        for field in fields(Finished)
    }
    return Finished(**{name: _gather(part, chosen) for name, part in both.items()})


def _gather(part: Any, columns: Any) -> Any:
    """Give (users, columns, ...) the chosen columns of each user."""
    index = columns.reshape(*columns.shape, *[1] * (part.dim() - 2))
    return part.gather(1, index.expand(-1, -1, *part.shape[2:]))


def _one_open(users: int, rules: BeamRules, device: Any, blocked: Any) -> Open:
    return Open(
        scores=torch.zeros((users, 1), device=device),
        tokens=torch.zeros((users, 1, rules.steps), dtype=torch.long, device=device),
        nodes=torch.zeros((users, 1), dtype=torch.long, device=device),
        blocked=torch.zeros((users, 0), dtype=torch.long, device=device) if blocked is None else blocked,
    )


def _nothing(users: int, rules: BeamRules, device: Any) -> Finished:
    scores = torch.full((users, rules.beams), -torch.inf, device=device)
    numbers = torch.zeros((users, rules.beams), dtype=torch.long, device=device)
    return Finished(
        values=scores,
        log_likelihoods=scores.clone(),
        tokens=torch.zeros((users, rules.beams, rules.steps), dtype=torch.long, device=device),
        lengths=numbers,
        nodes=numbers.clone(),
    )
