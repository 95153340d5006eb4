"""What in a split helps or misleads: each property as a number and in plain words, with what it means.

Shortcut probes ask what simple rules reach: a model whose figures move as theirs do has learned no more.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from bench.datasets.audit.shortcuts import followers, last_item_losses, neighbour_similarity
from bench.schema import Interactions, Split

DAY = 86_400
_FUTURE_KNOWN = (
    "A model may know what became popular, or was bought together, after the moment it is asked about. "
    "Figures are higher than in service; the splits time and time-loo rule it out."
)
_FUTURE_NONE = "Nothing that is learned from is later than a target."
_FUTURE_BROKEN = (
    "This split is by time, so nothing that is learned from may be later than a target: it is broken, do not "
    "use it."
)


class Finding(BaseModel):
    """One property of the data, as a number and in words."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(max_length=60)
    value: float | None = Field(description="Null where it cannot be told.")
    unit: str = Field(max_length=20, description="share, days, items, ratio, ...")
    verdict: str = Field(pattern=r"^(fine|note|warning|leak)$")
    what: str = Field(max_length=400, description="What was found.")
    means: str = Field(max_length=400, description="What it means for the reading of results.")


def _future(split: Split) -> Iterator[Finding]:
    """Share of targets that are older than purchases learned from, and of those purchases."""
    times, asked_at = split.train.times, split.test.request_times
    if times is None or asked_at is None or not len(times):
        yield _unknown("learned from the future", "the times are not known")
        return
    newest = int(times.max())
    older = asked_at < newest
    later = 1 - np.searchsorted(np.sort(times), asked_at, side="right") / len(times)
    by_time = split.cut is not None
    broken = split.cut is not None and bool((times >= split.cut).any() or older.any())
    share, ahead = float(older.mean()), float(later.mean())
    yield Finding(
        name="learned from the future",
        value=share,
        unit="share",
        verdict="leak" if broken else "fine" if share == 0 else "warning" if ahead > 0.05 else "note",
        what=f"{share:.1%} of the targets are older than other users' purchases that are learned "
        f"from; for the average target, {ahead:.1%} of what is learned from happened later.",
        means=_FUTURE_BROKEN if broken else _FUTURE_NONE if by_time or share == 0 else _FUTURE_KNOWN,
    )


def _unseen(split: Split) -> Iterator[Finding]:
    learned = np.zeros(len(split.user_ids) + len(split.other_user_ids), dtype=np.bool_)
    learned[split.train.users] = True
    users = float((~learned[: len(split.user_ids)]).mean())
    items = split.unseen_targets / len(split.test)
    yield Finding(
        name="cold users",
        value=users,
        unit="share",
        verdict=_verdict(users, note=0.01),
        what=f"{users:.1%} of the test users are in no training sequence"
        + (f"; {split.unseen_users:,} have nothing before the cut." if split.cut is not None else "."),
        means="A model that keeps a vector a user has none for them.",
    )
    yield Finding(
        name="cold targets",
        value=items,
        unit="share",
        verdict=_verdict(items, note=0.02, warning=0.2),
        what=f"{items:.1%} of the targets are items that nobody bought in training.",
        means="No model that only counts purchases can find them: recall is bounded by the rest, and "
        "models that read texts have an edge that the others cannot have.",
    )


def _gap(split: Split) -> Iterator[Finding]:
    histories, asked_at = split.test.histories, split.test.request_times
    if histories.times is None or asked_at is None:
        yield _unknown("gap before the target", "the times are not known")
        return
    days = (asked_at - histories.times[histories.indptr[1:] - 1]) / DAY
    median, far = float(np.median(days)), float((days > 365).mean())
    yield Finding(
        name="gap before the target",
        value=median,
        unit="days",
        verdict="note" if far > 0.2 else "fine",
        what=f"The target comes {median:.1f} days after the last item of the history in the median, "
        f"later than a year for {far:.1%} of the users.",
        means="After a long gap the last item says little of the next, whatever the model.",
    )


def _same_day(split: Split) -> Iterator[Finding]:
    share = float(split.same_day.mean())
    histories, asked_at = split.test.histories, split.test.request_times
    exact = share
    if histories.times is not None and asked_at is not None:
        exact = float((asked_at == histories.times[histories.indptr[1:] - 1]).mean())
    yield Finding(
        name="ties of time",
        value=exact,
        unit="share",
        verdict=_verdict(exact, note=0.01, warning=0.1),
        what=f"{exact:.1%} of the targets share their time with the item before, {share:.1%} their day.",
        means="There the order in the file decides what the target is, and a model can learn that order "
        "(often that of ids) instead of taste: report the tie rule shuffled:<seed> too.",
    )


def _titles(split: Split) -> Iterator[Finding]:
    bearers = Counter(split.catalogue.titles)
    shared = np.array([bearers[title] > 1 for title in split.catalogue.titles])
    items, targets = float(shared.mean()), float(shared[split.test.targets].mean())
    yield Finding(
        name="duplicate titles",
        value=items,
        unit="share",
        verdict=_verdict(items, note=0.02, warning=0.1),
        what=f"{items:.1%} of the items share their title with another; {targets:.1%} of the targets do.",
        means="A model that writes titles cannot tell such items apart; which one counts is decided by "
        "the rule for ties.",
    )


def _concentration(split: Split) -> Iterator[Finding]:
    counts = np.sort(np.bincount(split.train.items, minlength=len(split.catalogue)))[::-1]
    head = max(1, len(counts) // 100)
    share = float(counts[:head].sum() / max(1, counts.sum()))
    yield Finding(
        name="popularity concentration",
        value=share,
        unit="share",
        verdict=_verdict(share, note=0.2, warning=0.4),
        what=f"The most bought 1 % of the items ({head:,}) make {share:.1%} of the purchases learned from.",
        means="Where few items make most of the purchases, best sellers alone score well: compare with "
        "most-popular before anything else.",
    )


def _repeats(split: Split) -> Iterator[Finding]:
    histories = split.test.histories
    owners = np.repeat(np.arange(len(histories)), histories.lengths)
    again = np.zeros(len(histories), dtype=np.bool_)
    again[owners[histories.items == split.test.targets[owners]]] = True
    share = float(again.mean())
    yield Finding(
        name="repeat purchases",
        value=share,
        unit="share",
        verdict="fine" if share == 0 else "note" if share < 0.05 else "warning",
        what=f"{share:.1%} of the targets are items that the user bought before.",
        means="Nothing is lost by leaving out what the user has."
        if share == 0
        else "Removing seen items throws these answers away: read the view that keeps them, and compare "
        "with repeat-last.",
    )


def _followers(split: Split) -> Iterator[Finding]:
    real, chance = followers(split)
    yield Finding(
        name="what follows an item",
        value=None if real is None else real,
        unit="share",
        verdict="fine" if real is None or real < 0.2 else "note",
        what="No item is followed five times or more."
        if real is None
        else f"The most frequent follower of an item makes {real:.1%} of what follows it; with every "
        f"user's purchases in random order it would be {chance:.1%}.",
        means="Where one item mostly follows another, a table of pairs does most of what can be done "
        "(co-visit, markov).",
    )


def _similarity(split: Split) -> Iterator[Finding]:
    near, far = neighbour_similarity(split)
    ratio = near / far if far else None
    yield Finding(
        name="text of neighbours",
        value=near,
        unit="share",
        verdict="fine" if ratio is not None and ratio < 2 else "note",
        what=f"Titles of items bought one after the other share {near:.1%} of their words, those of "
        f"random pairs {far:.1%}.",
        means="Where neighbours read alike, a text search with the last title goes far without training: "
        "compare with last-item-text.",
    )


def _order(split: Split) -> Iterator[Finding]:
    found = last_item_losses(split)
    if found.last == 0:
        what = "What followed the last item in training never holds the target among its first ten."
        yield _unknown("does order matter", what)
        return
    shuffled, one = 1 - found.shuffled / found.last, 1 - found.last / found.whole if found.whole else 0.0
    yield Finding(
        name="does order matter",
        value=shuffled,
        unit="share",
        verdict="note" if shuffled < 0.1 else "fine",
        what=f"A table of what follows the last item reaches recall@10 {found.last:.4f}; with the "
        f"history shuffled it loses {shuffled:.0%}.",
        means="Little is lost: the order of a history says little here, and a sequential model has "
        "little to gain from it."
        if shuffled < 0.1
        else "The last items matter more than the others: sequences can be learned here.",
    )
    yield Finding(
        name="does the whole history matter",
        value=one,
        unit="share",
        verdict="note" if one <= 0 else "fine",
        what=f"The same table asked for every item of the history reaches {found.whole:.4f}; cut to the "
        f"last item alone it loses {one:.0%}.",
        means="Items before the last add nothing to such a table."
        if one <= 0
        else "Items before the last help: read more than one.",
    )


def left_out(split: Split, interactions: Interactions) -> Iterator[Finding]:
    """Say what was left out before the split."""
    untitled = interactions.untitled_items + interactions.undescribed_items
    items = untitled / max(1, untitled + len(split.catalogue))
    lost = interactions.untitled_interactions + interactions.undescribed_interactions
    purchases = lost / max(1, lost + len(interactions))
    yield Finding(
        name="untitled items",
        value=items,
        unit="share",
        verdict=_verdict(items, note=0.01, warning=0.05),
        what=f"{items:.2%} of the bought items ({untitled:,}) have no title or no metadata; with them "
        f"{purchases:.2%} of the purchases were left out.",
        means="Papers that keep untitled items rank a larger catalogue and have other targets.",
    )


def _verdict(value: float, *, note: float, warning: float = math.inf) -> str:
    """'fine' below `note`, 'warning' from `warning` on."""
    return "fine" if value < note else "note" if value < warning else "warning"


def _unknown(name: str, why: str) -> Finding:
    return Finding(name=name, value=None, unit="", verdict="note", what=why, means="It cannot be judged.")


CHECKS: tuple[Callable[[Split], Iterator[Finding]], ...] = (
    _future, _unseen, _gap, _same_day, _titles, _concentration, _repeats, _followers, _similarity, _order,
)  # fmt: skip
"""Each looks at one property of a split."""
