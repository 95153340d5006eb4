"""Generated shops of any size, with or without the properties that an audit looks for.

Items come in families of eight that share brand and words; a family is bought through in its order. Else an
item is drawn by Zipf's law. So sequences teach the next item, the last item's text shows some of it, and
popularity little. Everything is drawn step by step for all users at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.datasets.sample import BRANDS, FLAVOURS
from bench.errors import ConfigError
from bench.schema import Catalogue, Int32Array, Int64Array, Interactions

FAMILY = 8
KINDS = ("Starter Set", "Refill", "Case", "Brush", "Cleaner", "Stand", "Travel Size", "Gift Box")
DAY = 86_400
FIRST_DAY, DAYS = 15_000, 1_500
"""Days since 1970 of the first and the number of days on which a user may begin."""
LONGEST = 200


@dataclass(frozen=True, kw_only=True)
class Shop:
    """What a shop is like; shares lie between 0 and 1."""

    users: int
    items: int
    seed: int = 0
    zipf: float = 0.8
    """Exponent of popularity: 0 is all alike."""
    follow: float = 0.5
    """Chance of going on to the next item of the family."""
    shared_words: bool = True
    """Whether the items of a family share their words; else every title is of its own."""
    same_day: float = 0.1
    """Chance that a purchase is made on the day of the one before."""
    repeats: float = 0.0
    """Chance of buying the item before again."""
    duplicate_titles: float = 0.0
    """Share of items that bear the title of another."""
    arrivals: float = 0.0
    """Share of items that are sold only in the last fifth of the time."""


def make_shop(shop: Shop) -> Interactions:
    """Generate a shop: the same content on every machine."""
    _check(shop)
    rng = np.random.Generator(np.random.PCG64(shop.seed))
    lengths = _lengths(rng, shop.users)
    starts = np.cumsum(lengths) - lengths
    times = _times(rng, shop, lengths, starts)
    items = np.empty(int(lengths.sum()), dtype=np.int32)
    popular = _Popular(shop, rng)
    last = np.full(shop.users, -1, dtype=np.int64)
    for step in range(int(lengths.max())):
        users = np.flatnonzero(lengths > step)
        places = starts[users] + step
        chosen = popular.draw(rng, len(users))
        going = (last[users] >= 0) & (rng.random(len(users)) < shop.follow)
        chosen[going] = _next_in_family(last[users[going]], shop.items)
        again = (last[users] >= 0) & (rng.random(len(users)) < shop.repeats)
        chosen[again] = last[users[again]]
        chosen = popular.sold(chosen, times[places])
        last[users] = chosen
        items[places] = chosen
    return _without_repeats(shop, lengths, items, times)


def _check(shop: Shop) -> None:
    if shop.users < 1 or shop.items < 1:
        raise ConfigError(f"a shop needs a user and an item, got {shop.users} and {shop.items}")
    for name in ("follow", "same_day", "repeats", "duplicate_titles", "arrivals"):
        if not 0 <= getattr(shop, name) <= 1:
            raise ConfigError(f"{name} is a share from 0 to 1, got {getattr(shop, name)}")


def _lengths(rng: np.random.Generator, users: int) -> Int64Array:
    """Draw heavy-tailed lengths: four purchases or more, the mean near nine."""
    lengths: Int64Array = np.minimum(4 + np.floor(4 * (rng.pareto(1.8, users))).astype(np.int64), LONGEST)
    return lengths


def _times(rng: np.random.Generator, shop: Shop, lengths: Int64Array, starts: Int64Array) -> Int64Array:
    gaps = 1 + np.floor(rng.exponential(20, int(lengths.sum()))).astype(np.int64)
    gaps[rng.random(len(gaps)) < shop.same_day] = 0
    gaps[starts] = FIRST_DAY + rng.integers(DAYS, size=shop.users)
    days = np.cumsum(gaps)
    days -= np.repeat(days[starts] - gaps[starts], lengths)
    return days * DAY


class _Popular:
    """Draws items by Zipf's law over a random order; arrivals only once they are sold."""

    def __init__(self, shop: Shop, rng: np.random.Generator) -> None:
        weights = (1.0 + np.arange(shop.items)) ** -shop.zipf
        self._heaps = np.cumsum(weights)
        self._order = rng.permutation(shop.items)
        self._items = shop.items
        self._arrivals = round(shop.arrivals * shop.items)
        self._sold_from = (FIRST_DAY + 0.8 * DAYS) * DAY

    def draw(self, rng: np.random.Generator, count: int) -> Int64Array:
        places = np.searchsorted(self._heaps, rng.random(count) * self._heaps[-1])
        found: Int64Array = self._order[np.minimum(places, self._items - 1)]
        return found

    def sold(self, items: Int64Array, times: Int64Array) -> Int64Array:
        """Give another item for those that are not sold yet at these times."""
        early = (items >= self._items - self._arrivals) & (times < self._sold_from)
        return np.where(early, items % max(1, self._items - self._arrivals), items)


def _next_in_family(items: Int64Array, count: int) -> Int64Array:
    family = items // FAMILY * FAMILY
    size = np.minimum(FAMILY, count - family)
    following: Int64Array = family + (items - family + 1) % size
    return following


def _without_repeats(shop: Shop, lengths: Int64Array, items: Int32Array, times: Int64Array) -> Interactions:
    """Drop what a user bought before, unless repeats are wanted."""
    users = np.repeat(np.arange(shop.users, dtype=np.int32), lengths)
    kept = np.ones(len(items), dtype=np.bool_)
    if not shop.repeats:
        pairs = users.astype(np.int64) * shop.items + items
        kept = np.zeros(len(items), dtype=np.bool_)
        kept[np.unique(pairs, return_index=True)[1]] = True
    width = len(str(shop.users - 1))
    return Interactions(
        user_ids=tuple(f"C{user:0{width}d}" for user in range(shop.users)),
        catalogue=_catalogue(shop),
        users=users[kept],
        items=items[kept],
        timestamps=times[kept],
    )


def _catalogue(shop: Shop) -> Catalogue:
    rng = np.random.Generator(np.random.PCG64([shop.seed, 1]))
    brand = rng.integers(len(BRANDS), size=shop.items).tolist()
    flavour = rng.integers(len(FLAVOURS), size=shop.items).tolist()
    titles = []
    for item in range(shop.items):
        family = item // FAMILY
        first = family * FAMILY
        words = (
            f"{BRANDS[brand[first]]} {FLAVOURS[flavour[first]]} No{family} {KINDS[item % FAMILY]}"
            if shop.shared_words
            else f"Article{item} Ref{item * 7919 % 1_000_003}"
        )
        titles.append(words)
    for copy in rng.permutation(shop.items)[: round(shop.duplicate_titles * shop.items)].tolist():
        titles[copy] = titles[int(rng.integers(shop.items))]
    width = len(str(shop.items - 1))
    return Catalogue(
        item_ids=tuple(f"P{item:0{width}d}" for item in range(shop.items)),
        titles=tuple(titles),
        brands=tuple(BRANDS[brand[item // FAMILY * FAMILY]] for item in range(shop.items)),
        categories=((),) * shop.items,
        prices=(None,) * shop.items,
    )
