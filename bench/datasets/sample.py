"""The embedded data set: a small made-up shop, generated from a fixed seed, with structure to learn.

Each department sells eight kinds of product that are bought in a routine (shampoo, then conditioner,
then hair mask, ...), each in five lines of one brand and one flavour. A customer mostly goes on to the
next kind of the same line, sometimes compares lines or follows the brand into its other department, and
sometimes buys anything. So sequences teach the next item, the last item's text shows some of it, and
popularity little.
"""

from __future__ import annotations

import numpy as np

from bench.schema import Catalogue, Interactions

SEED = 2014
USERS = 1_000
SHORTEST, LONGEST = 4, 12
SECONDS_PER_DAY = 86_400
FIRST_DAY, DAYS_OF_STARTS, LONGEST_GAP_DAYS = 15_000, 900, 40

DEPARTMENTS = {
    "Hair Care": "Shampoo 250 ml, Conditioner 250 ml, Hair Mask, Scalp Serum 50 ml, Styling Cream, Hair Oil, "
    "Dry Shampoo, Wooden Comb",
    "Skin Care": "Face Wash 150 ml, Toner 200 ml, Vitamin C Serum, Day Cream, Night Cream, Eye Gel, "
    "Clay Mask, Lip Balm",
    "Bath": "Shower Gel 300 ml, Body Scrub, Bath Salts 500 g, Body Lotion, Hand Soap, Hand Cream, "
    "Deodorant Stick, Bath Towel",
    "Makeup": "Primer, Foundation 30 ml, Concealer, Blush, Eyeshadow Palette, Mascara, Lipstick, "
    "Makeup Remover",
    "Coffee": "Espresso Beans 1 kg, Hand Grinder, Pour Over Dripper, Paper Filters Pack of 100, "
    "Gooseneck Kettle, Milk Frother, Travel Mug, Descaler",
    "Tea": "Green Tea 100 g, Glass Teapot, Tea Strainer, Tea Cups Set of 4, Black Tea 100 g, Honey Jar, "
    "Herbal Tea 20 Bags, Matcha Whisk",
    "Baking": "Bread Flour 2 kg, Rolling Pin, Cake Tin, Piping Bags, Vanilla Extract, Baking Sheet, "
    "Oven Gloves, Cooling Rack",
    "Garden": "Potting Soil 20 l, Seed Tray, Watering Can, Plant Food, Terracotta Pot, Pruning Shears, "
    "Garden Gloves, Trellis",
    "Stationery": "Notebook A5, Gel Pen Pack of 3, Pencil Case, Sticky Notes, Highlighter Set, Desk Planner, "
    "Washi Tape, Letter Set",
    "Pets": "Puppy Food 3 kg, Food Bowl, Dog Leash, Training Treats, Chew Toy, Dog Bed, Grooming Brush, "
    "Travel Crate",
}
"""Department -> its kinds of product, in the order of the routine."""
BRANDS = (
    "Alderbrook Tindlewick Oakvale Solenne Brightmoor Corvane Dunmarsh Ellisande Fernleigh Gravella "
    "Hartwyn Jessamine Kestrelle Lumindra Marlowe Norrinsk Orwick Pellamore Quillon Rowanmere "
    "Silvane Thistledown Umberly Velloria Wrenfield"
).split()
FLAVOURS = (
    "Lavender Citrus Rosewood Sage Charcoal Ivory Amber Coral Juniper Indigo Walnut Mint Saffron Willow "
    "Cobalt Peony Maple Basalt"
).split()

KINDS, LINES = 8, 5
NEXT_KIND, NEXT_KIND_OTHER_LINE, SAME_KIND_OTHER_LINE, OTHER_DEPARTMENT = 0.52, 0.62, 0.78, 0.88
"""Cumulative chances of each step; the rest is a jump to anything."""
SAME_DAY = 0.12
NEW_ARRIVALS = (63, 144, 231, 318, 377)
"""Items sold only as the last purchase: cold, in no training sequence."""
NEW_ARRIVAL = 0.02
RELISTED = {110: 102, 265: 257}
"""Item -> the item whose title and brand it bears: one product listed twice."""


def make_sample() -> Interactions:
    """Generate the shop: 1,000 customers, 400 items; the same content on every machine."""
    rng = np.random.Generator(np.random.PCG64(SEED))
    baskets = [_basket(rng) for _ in range(USERS)]
    days = [_days(rng, len(basket)) for basket in baskets]
    return Interactions(
        user_ids=tuple(f"C{user:04d}" for user in range(USERS)),
        catalogue=_catalogue(),
        users=np.repeat(np.arange(USERS, dtype=np.int32), [len(basket) for basket in baskets]),
        items=np.concatenate(baskets).astype(np.int32),
        timestamps=np.concatenate(days).astype(np.int64) * SECONDS_PER_DAY,
    )


def _row(department: int, line: int, kind: int) -> int:
    return (department * LINES + line) * KINDS + kind


def _catalogue() -> Catalogue:
    titles: list[str] = []
    brands: list[str | None] = []
    categories: list[tuple[str, ...]] = []
    prices: list[float | None] = []
    for department, (name, kinds) in enumerate(DEPARTMENTS.items()):
        for line in range(LINES):
            brand = BRANDS[(department * LINES + line) % len(BRANDS)]  # each brand serves two departments
            flavour = FLAVOURS[(department * LINES + line) * 5 % len(FLAVOURS)]
            for position, kind in enumerate(kinds.split(", ")):
                titles.append(f"{brand} {flavour} {kind}")
                brands.append(brand)
                categories.append(
                    (name, " ".join(word for word in kind.split() if word.isalpha() and len(word) > 2))
                )
                prices.append(round(2.49 + 1.5 * line + 3.25 * (position * 7 % 5), 2))
    for copy, original in RELISTED.items():
        titles[copy], brands[copy] = titles[original], brands[original]
    return Catalogue(
        item_ids=tuple(f"P{row:03d}" for row in range(len(titles))),
        titles=tuple(titles),
        brands=tuple(brands),
        categories=tuple(categories),
        prices=tuple(prices),
    )


def _basket(rng: np.random.Generator) -> list[int]:
    """Walk through the shop; no item twice."""
    length = SHORTEST + _low(rng, LONGEST - SHORTEST + 1)
    basket: list[int] = []
    department, line, kind = _anywhere(rng)
    while len(basket) < length:
        item = _row(department, line, kind)
        if item not in basket and item not in NEW_ARRIVALS:
            basket.append(item)
        chance = rng.random()
        if chance < NEXT_KIND_OTHER_LINE:
            kind = (kind + 1) % KINDS
            line = line if chance < NEXT_KIND else _low(rng, LINES)
        elif chance < SAME_KIND_OTHER_LINE:
            line = _low(rng, LINES)
        elif chance < OTHER_DEPARTMENT:
            department, kind = (department + len(DEPARTMENTS) // 2) % len(DEPARTMENTS), 0
        else:
            department, line, kind = _anywhere(rng)
    if rng.random() < NEW_ARRIVAL:
        basket[-1] = NEW_ARRIVALS[int(rng.integers(len(NEW_ARRIVALS)))]
    return basket


def _anywhere(rng: np.random.Generator) -> tuple[int, int, int]:
    return _low(rng, len(DEPARTMENTS)), _low(rng, LINES), int(rng.integers(KINDS))


def _low(rng: np.random.Generator, count: int) -> int:
    """Draw from 0..count-1, the lower half twice as often: what makes some items popular."""
    return int(rng.integers(count + count // 2)) % count


def _days(rng: np.random.Generator, purchases: int) -> np.ndarray:
    gaps = 1 + rng.integers(LONGEST_GAP_DAYS, size=purchases)
    gaps[rng.random(purchases) < SAME_DAY] = 0
    return FIRST_DAY + int(rng.integers(DAYS_OF_STARTS)) + np.cumsum(gaps)
