"""Checks that only lists handed in need: made for another protocol, or another split's histories repeated."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from bench.metrics.ranking import ranks_in_view
from bench.record import Audit
from bench.schema import NO_ITEM, BoolArray, Int32Array, Rankings, Split

PROTOCOL = "protocol"
TOP = 10
CLEAR_LOG_ODDS = 20.0
"""Log of the odds, e to the 20th to one, from which another protocol fits clearly better."""
OWN_SHARE = 0.5
HISTORIES_SHARE = 0.5
"""Share of the lists with a hit that must look like histories; of random ones hardly any do."""
MIN_HITS = 5


def audit_upload(
    split: Split, rankings: Rankings, stated_by: str | None, others: Mapping[str, Split]
) -> list[Audit]:
    """Check lists, (users, depth), that were handed in; `others`: the same data by other rules, named."""
    return [audit_protocol(split, rankings, stated_by, others), audit_own_purchases(split, rankings)]


def audit_protocol(
    split: Split, rankings: Rankings, stated_by: str | None, others: Mapping[str, Split]
) -> Audit:
    """Say who states the protocol; where nobody does, whether one of `others` (name -> split) fits better."""
    if stated_by is not None:
        return Audit(name=PROTOCOL, verdict="pass", message=f"stated by {stated_by}")
    mine = _rule(split)
    scores = [f"{mine} {_recall(split, rankings):.4f}"]
    best, odds = None, 0.0
    for name, other in others.items():
        if other.user_ids == split.user_ids:
            scores.append(f"{name} {_recall(other, rankings):.4f}")
            found = log_odds(split, other, rankings)
            best, odds = (name, found) if found > odds else (best, odds)
    text = f"nobody states it; recall@{TOP}, seen items removed: {', '.join(scores)}"
    if best is not None and odds > CLEAR_LOG_ODDS:
        text += f". The lists fit {best} far better: if they were made for it, submit them with --{best}"
        return Audit(name=PROTOCOL, verdict="flag", value=odds, message=text)
    return Audit(name=PROTOCOL, verdict="info", value=odds, message=text)


def log_odds(split: Split, other: Split, rankings: Rankings) -> float:
    """Log of the odds that lists, (users, depth), were made for `other` and not for `split`.

    Decided by users whose last two purchases change places: what is the target under one rule is the last
    item of the history under the other. How often the top 10 hold a target (p) and the last item of a
    history (r) is counted among the users for whom both rules have the same; with a and b the lists that
    hold the target of `other` and of `split`, the log of the odds is (a - b) (logit p - logit r). A model
    that drops seen items has r = 0, one that repeats them a large r: both are told.
    """
    targets, theirs = split.test.targets, other.test.targets
    last, their_last = _last_items(split), _last_items(other)
    same = (targets == theirs) & (last == their_last)
    swapped = (targets != theirs) & (last == theirs) & (their_last == targets)
    top = rankings[:, :TOP]
    hit, repeats, hit_other = _holds(top, targets), _holds(top, last), _holds(top, theirs)
    weight = _logit(hit[same]) - _logit(repeats[same])
    return float((int(hit_other[swapped].sum()) - int(hit[swapped].sum())) * weight)


def audit_own_purchases(split: Split, rankings: Rankings) -> Audit:
    """Find histories exported for another split or tie rule, which hold the targets of this one.

    A list with a hit looks like one where at least half of its other places hold the user's own purchases,
    and nothing else stands before the hit. A model that repeats purchases and fills up has its hits behind.
    """
    top = rankings[:, :TOP]
    hits = np.flatnonzero(_holds(top, split.test.targets))
    lists, targets = top[hits], split.test.targets[hits]
    histories, items = split.test.histories.take(hits), len(split.catalogue)
    owned = np.repeat(np.arange(len(hits)), histories.lengths) * items + histories.items
    own = np.isin(np.arange(len(hits))[:, None] * items + lists, owned) & (lists != NO_ITEM)
    before = np.arange(lists.shape[1]) < (lists == targets[:, None]).argmax(axis=1)[:, None]
    others = (lists != NO_ITEM).sum(axis=1) - 1
    alike = (own.sum(axis=1) > 0) & (own.sum(axis=1) >= OWN_SHARE * others) & ~(before & ~own).any(axis=1)
    share = float(alike.mean()) if len(hits) else 0.0
    text = f"{share:.1%} of {len(hits):,} lists with a hit hold the user's own purchases up to it"
    if len(hits) >= MIN_HITS and share > HISTORIES_SHARE:
        text += ": they look like histories, exported for another split or tie rule, that hold the targets"
        return Audit(name="history", verdict="flag", value=share, message=text)
    return Audit(name="history", verdict="pass", value=share, message=text)


def _rule(split: Split) -> str:
    return f"ties {split.ties}"


def _recall(split: Split, rankings: Rankings) -> float:
    ranks = ranks_in_view(rankings, split.test, "seen_removed")
    return float(((ranks > 0) & (ranks <= TOP)).mean())


def _last_items(split: Split) -> Int32Array:
    histories = split.test.histories
    return histories.items[histories.indptr[1:] - 1]


def _holds(top: Rankings, items: Int32Array) -> BoolArray:
    found: BoolArray = (top == items[:, None]).any(axis=1)
    return found


def _logit(found: BoolArray) -> float:
    """Log-odds of a share, kept off 0 and 1 by half a user."""
    share = (int(found.sum()) + 0.5) / (len(found) + 1)
    return math.log(share / (1 - share))
