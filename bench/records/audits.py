"""Checks of a set of ranked lists that need no knowledge of the model: badges of a record.

Each check states what was seen and gives a verdict: `pass`; `info` (a fact of the model, such as no
personal signal); `flag` (someone should look); `fail` (the lists or their scoring are broken).
Top 10 of the lists is what is looked at, with seen items kept unless a check says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bench.metrics.ranking import ranks_in_view
from bench.record import Audit, View
from bench.records.target_ranks import Ranks
from bench.reported.rows import load_reported
from bench.schema import NO_ITEM, FloatArray, Int32Array, Rankings, Split
from bench.statistics.draws import bit_generator, permutation

TOP = 10
PERMUTATIONS = 20
SIGMAS = 4.0
"""Standard errors beyond which a control counts as off: once in 16,000 by chance."""
IDENTICAL_SHARE = 0.10
"""Share of users with one and the same list above which a model is not personal."""
COPY_SHARE = 0.50
"""Share of users with exactly another row's list above which it is looked at as a copy."""
COPY_OVERLAP = 0.90
SURPRISING_GAIN = 1.15
"""Times the best known value above which a result is looked at as too good to be true."""
POPULAR_ITEMS = 100
POPULAR_SHARE = 0.80
DRAWN = ("shuffled_users", "permuted_targets")
"""Audits whose value is a mean over random orders."""
AGAINST_OTHERS = ("too_good", "copy")
"""Audits that depend on what else was known when they were made."""


def audit(
    split: Split, rankings: Rankings, known: Mapping[str, Rankings] | None = None, *, seed: int = 0
) -> list[Audit]:
    """Check ranked lists (users, depth) against the split and against `known` rows (name -> lists).

    The result is the same for the same input: random controls draw from `seed`. Without users there
    is nothing to check.
    """
    if not len(rankings):
        return []
    bits = bit_generator(seed)
    top = np.ascontiguousarray(rankings[:, :TOP])
    targets = split.test.targets
    hits = _hits(top, targets)
    chance = _chance(top, targets, len(split.catalogue))
    counts = np.bincount(split.train.items, minlength=len(split.catalogue))
    return [
        _target_in_history(split),
        _shuffled_users(top, targets, hits, chance, counts, bits),
        _permuted_targets(top, targets, len(split.catalogue), bits),
        _identical_lists(top),
        _popularity_only(top, hits, chance, counts),
        _too_good(split, rankings, known or {}),
        *([_copy(rankings, known)] if known else []),
    ]


def audit_outcomes(
    split: Split, ranks: Int32Array, view: View, depth: int, known: Mapping[str, Ranks] | None = None
) -> list[Audit]:
    """Check published outcomes, (users,) places in lists of `depth` items, against `known` rows' ranks.

    What only lists can show, such as popularity alone, stays unknown.
    """
    if not len(ranks):
        return []
    cutoff = min(TOP, depth)
    measured = {name: _recall(others["seen_removed"], cutoff) for name, others in (known or {}).items()}
    words = view.replace("_", " items ")
    return [
        _target_in_history(split),
        _surprise(split, cutoff, _recall(ranks, cutoff), measured, words),
        *([_same_outcomes(ranks, view, cutoff, known)] if known else []),
    ]


def _same_outcomes(ranks: Int32Array, view: View, cutoff: int, known: Mapping[str, Ranks]) -> Audit:
    """Find the known row with the most equal places, among users for whom either has a hit."""

    def likeness(others: Int32Array) -> float:
        left, right = (np.where(one <= cutoff, one, 0) for one in (ranks, others))
        either = (left > 0) | (right > 0)
        return float((left == right)[either].mean()) if either.any() else 0.0

    found = {name: likeness(others[view]) for name, others in known.items()}
    name = max(found, key=found.__getitem__)
    text = f"closest known row is {name}: {found[name]:.1%} of the users with a hit have the same place"
    verdict = "flag" if found[name] > COPY_OVERLAP else "pass"
    return Audit(name="copy", verdict=verdict, value=found[name], message=text)


def _hits(top: Rankings, targets: Int32Array) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (top == targets[:, None]).any(axis=1)
    return found


def _chance(top: Rankings, targets: Int32Array, items: int) -> float:
    """Expected recall if users and lists were paired at random: sum over items of p(listed) p(target)."""
    listed = np.bincount(top[top != NO_ITEM], minlength=items) / len(top)
    wanted = np.bincount(targets, minlength=items) / len(targets)
    return float(listed @ wanted)


def _error(share: float, users: int) -> float:
    return float(np.sqrt(max(share * (1 - share), 0.0) / users))


def _target_in_history(split: Split) -> Audit:
    histories = split.test.histories
    repeated = np.repeat(split.test.targets, histories.lengths) == histories.items
    owners = np.repeat(np.arange(len(histories)), histories.lengths)
    users = len(np.unique(owners[repeated]))
    share = users / len(histories)
    if users == 0:
        message = "no user's target is in the history that models are given"
        return Audit(name="target_in_history", verdict="pass", value=0.0, message=message)
    message = f"{users:,} users buy an item again: the view without seen items cannot find their target"
    return Audit(name="target_in_history", verdict="flag", value=share, message=message)


def _shuffled_users(
    top: Rankings,
    targets: Int32Array,
    hits: NDArray[np.bool_],
    chance: float,
    counts: NDArray[np.int64],
    bits: np.random.BitGenerator,
) -> Audit:
    """Score each list against another user's target: a personal list must lose its hits."""
    users = len(top)
    shuffled = float(
        np.mean([_hits(top, targets[permutation(users, bits)]).mean() for _ in range(PERMUTATIONS)])
    )
    real = float(hits.mean())
    popular = np.argsort(-counts, kind="stable")[:TOP]
    ceiling = float(np.isin(targets, popular).mean())
    text = f"recall@{TOP} {real:.4f}, with users shuffled {shuffled:.4f}"
    if shuffled > ceiling + SIGMAS * max(_error(ceiling, users), 1 / users):
        message = (
            f"{text}: above the most popular training items' {ceiling:.4f}, as if test purchases were known"
        )
        return Audit(name="shuffled_users", verdict="flag", value=shuffled, message=message)
    if not _above_chance(real, chance, users):
        message = f"{text}: the lists do no better for their own users"
        return Audit(name="shuffled_users", verdict="info", value=shuffled, message=message)
    return Audit(
        name="shuffled_users", verdict="pass", value=shuffled, message=f"{text}: collapses to chance"
    )


def _above_chance(real: float, chance: float, users: int) -> bool:
    return real > chance + SIGMAS * max(_error(chance, users), 0.25 / users)


def _permuted_targets(top: Rankings, targets: Int32Array, items: int, bits: np.random.BitGenerator) -> Audit:
    """Rename the targets at random: recall must be what drawing items blindly gives, length / items."""
    expected = float((top != NO_ITEM).sum(axis=1).mean()) / max(items, 1)
    renamed = (permutation(items, bits).astype(np.int32)[targets] for _ in range(PERMUTATIONS))
    found = np.array([_hits(top, others).mean() for others in renamed])
    value = float(found.mean())
    error = max(float(found.std(ddof=1)) / PERMUTATIONS**0.5, 1 / (len(top) * PERMUTATIONS))
    text = f"recall@{TOP} with permuted targets {value:.5f}, blind chance {expected:.5f}"
    if abs(value - expected) > 1.5 * SIGMAS * error:
        message = f"{text}: they differ, so lists repeat items or the scoring is broken"
        return Audit(name="permuted_targets", verdict="fail", value=value, message=message)
    return Audit(name="permuted_targets", verdict="pass", value=value, message=text)


def _identical_lists(top: Rankings) -> Audit:
    rows = np.unique(top, axis=0, return_counts=True)[1]
    share = float(rows.max(initial=0)) / len(top)
    text = f"{len(rows):,} distinct top {TOP} among {len(top):,} users; the commonest serves {share:.1%}"
    verdict = "flag" if share > IDENTICAL_SHARE and len(top) > 1 else "pass"
    return Audit(name="identical_lists", verdict=verdict, value=share, message=text)


def _popularity_only(
    top: Rankings, hits: NDArray[np.bool_], chance: float, counts: NDArray[np.int64]
) -> Audit:
    listed = top[top != NO_ITEM]
    popular = np.zeros(len(counts), dtype=bool)
    popular[np.argsort(-counts, kind="stable")[: min(POPULAR_ITEMS, max(len(counts) // 20, 1))]] = True
    share = float(popular[listed].mean()) if listed.size else 0.0
    times = float(counts[listed].mean() / max(counts.mean(), 1e-12)) if listed.size else 0.0
    text = f"{share:.1%} of places hold the {int(popular.sum())} most popular items"
    text += f"; listed items are bought {times:.1f} times the mean"
    impersonal = not _above_chance(float(hits.mean()), chance, len(top))
    if share > POPULAR_SHARE or (impersonal and times > 2):
        return Audit(name="popularity_only", verdict="flag", value=share, message=f"{text}: popularity alone")
    return Audit(name="popularity_only", verdict="pass", value=share, message=text)


def _too_good(split: Split, rankings: Rankings, known: Mapping[str, Rankings]) -> Audit:
    """Compare with the best value known for the data, seen items removed, where lists score highest."""

    def recall(lists: Rankings) -> float:
        return _recall(ranks_in_view(lists, split.test, "seen_removed"), TOP)

    others = {name: recall(lists) for name, lists in known.items()}
    return _surprise(split, TOP, recall(rankings), others, "seen items removed")


def _recall(ranks: Int32Array, cutoff: int) -> float:
    return float(((ranks > 0) & (ranks <= cutoff)).mean())


def _surprise(split: Split, cutoff: int, value: float, measured: Mapping[str, float], view: str) -> Audit:
    """Compare a recall with the best that was measured or comparably reported."""
    metric = f"recall@{cutoff}"
    others = {
        row.model: row.metrics.get(metric, 0.0) for row in load_reported(split.dataset) if row.comparable
    } | dict(measured)
    best = max(others, key=others.__getitem__, default=None)
    if best is None or others[best] <= 0:
        message = f"{metric} {value:.4f}, {view}; nothing is known to compare it with"
        return Audit(name="too_good", verdict="info", value=None, message=message)
    ratio = value / others[best]
    text = f"{metric} {value:.4f}, {view}, is {ratio:.2f} times the best known ({best}, {others[best]:.4f})"
    allowed = others[best] * SURPRISING_GAIN + SIGMAS * _error(others[best], len(split.test))
    return Audit(name="too_good", verdict="flag" if value > allowed else "pass", value=ratio, message=text)


def _copy(rankings: Rankings, known: Mapping[str, Rankings]) -> Audit:
    """Find the known row that these lists resemble most: same lists, and mean overlap of the top 10."""
    found = {name: _likeness(rankings, lists) for name, lists in known.items()}
    name = max(found, key=lambda name: found[name])
    same, overlap = found[name]
    text = f"closest known row is {name}: {same:.1%} of users have its top {TOP}, mean overlap {overlap:.1%}"
    verdict = "flag" if same > COPY_SHARE or overlap > COPY_OVERLAP else "pass"
    return Audit(name="copy", verdict=verdict, value=same, message=text)


def _likeness(left: Rankings, right: Rankings) -> tuple[float, float]:
    """(share of users with equal non-empty top 10, mean share of the left list's items in the right)."""
    if len(left) != len(right):
        return 0.0, 0.0
    width = min(TOP, left.shape[1], right.shape[1])
    one, other = left[:, :width], right[:, :width]
    lengths = (one != NO_ITEM).sum(axis=1)
    same = (one == other).all(axis=1) & (lengths > 0)
    shared = ((one[:, :, None] == other[:, None, :]) & (one != NO_ITEM)[:, :, None]).any(axis=2).sum(axis=1)
    overlap: FloatArray = shared / np.maximum(lengths, 1)
    return float(same.mean()), float(overlap.mean())
