"""The table of Amazon's categories, in the editions of 2014, 2018 and 2023."""

from __future__ import annotations

from collections.abc import Mapping

from bench.datasets.entry import Counts, DatasetEntry, SourceFile

_SNAP = "https://snap.stanford.edu/data/amazon/productGraph/categoryFiles"
_UCSD = (
    "https://mcauleylab.ucsd.edu/public_datasets/data",
    "https://datarepo.eng.ucsd.edu/mcauley_group/data",
)
AMAZON_2014, AMAZON_2018, AMAZON_2023 = "Amazon 2014", "Amazon 2018", "Amazon 2023"
CATEGORY_FAMILIES = {AMAZON_2014: "2014", AMAZON_2018: "2018", AMAZON_2023: "2023"}
"""Family -> the edition that its files are of."""

CATEGORIES_2014 = {
    "apps": "Apps_for_Android",
    "automotive": "Automotive",
    "baby": "Baby",
    "beauty": "Beauty",
    "books": "Books",
    "cds": "CDs_and_Vinyl",
    "clothing": "Clothing_Shoes_and_Jewelry",
    "electronics": "Electronics",
    "garden": "Patio_Lawn_and_Garden",
    "grocery": "Grocery_and_Gourmet_Food",
    "health": "Health_and_Personal_Care",
    "home": "Home_and_Kitchen",
    "instruments": "Musical_Instruments",
    "kindle": "Kindle_Store",
    "movies": "Movies_and_TV",
    "music": "Digital_Music",
    "office": "Office_Products",
    "pets": "Pet_Supplies",
    "phones": "Cell_Phones_and_Accessories",
    "sports": "Sports_and_Outdoors",
    "tools": "Tools_and_Home_Improvement",
    "toys": "Toys_and_Games",
    "video": "Amazon_Instant_Video",
    "videogames": "Video_Games",
}
_COUNTS_2014 = {
    "beauty": (22_363, 12_101, 198_502),
    "sports": (35_598, 18_357, 296_337),
    "toys": (19_412, 11_924, 167_597),
    "electronics": (192_403, 63_001, 1_689_188),
    "instruments": (1_429, 900, 10_261),
    "music": (5_541, 3_568, 64_706),
    "video": (5_130, 1_685, 37_126),
    "videogames": (24_303, 10_672, 231_780),
}
_FINGERPRINTS_2014: Mapping[str, Mapping[str, str]] = {
    "sports": {
        "file": "ce952f297e5c9aef44c86f663087df6cc8b777bab103a7580e699189145e89ae",
        "shuffled:0": "d8a7468b25aa987a865b9cc5aadcd9c40c54ac13f90881c4baa803a6438c6795",
    },
    "beauty": {
        "file": "c0ca0533efba69fb99c80a3d816bd0202c3171c9759547d67f88250b59d9452b",
        "shuffled:0": "0b862a417d486d3e813d7255854be289f52f28bd996358d393e44c3ea45e2d3c",
    },
}
_PARTS: Mapping[str, Mapping[str, str]] = {
    "beauty": {
        "users": "64547db366f8",
        "items": "5c4cc271b5e1",
        "titles": "a32c4677e8c3",
        "purchases": "8576aa1c77d7",
        "times": "ba96f22f1a51",
    },
    "sports": {
        "users": "3acace3792f3",
        "items": "cc46f0aa329b",
        "titles": "d0a53498e907",
        "purchases": "277bebfc0441",
        "times": "c8f093b7c790",
    },
}
"""Digests of the parts of the standard copies, ties file (`bench.datasets.verify.part_digests`)."""
_COPIES_2014: Mapping[str, Mapping[str, str]] = {
    "toys": {
        "39d3946909d3a6b524efd1bc1e1133164283046d2423e8993dbfbd485f21b733": (
            "the copy put together from public repositories: 1.3 % of its times are estimated, every "
            "sequence is the original's"
        )
    }
}
CATEGORIES_2018 = {
    "allbeauty": "All_Beauty",
    "appliances": "Appliances",
    "arts": "Arts_Crafts_and_Sewing",
    "automotive": "Automotive",
    "books": "Books",
    "cds": "CDs_and_Vinyl",
    "clothing": "Clothing_Shoes_and_Jewelry",
    "electronics": "Electronics",
    "fashion": "AMAZON_FASHION",
    "garden": "Patio_Lawn_and_Garden",
    "giftcards": "Gift_Cards",
    "grocery": "Grocery_and_Gourmet_Food",
    "home": "Home_and_Kitchen",
    "industrial": "Industrial_and_Scientific",
    "instruments": "Musical_Instruments",
    "kindle": "Kindle_Store",
    "luxury": "Luxury_Beauty",
    "magazines": "Magazine_Subscriptions",
    "movies": "Movies_and_TV",
    "music": "Digital_Music",
    "office": "Office_Products",
    "pantry": "Prime_Pantry",
    "pets": "Pet_Supplies",
    "phones": "Cell_Phones_and_Accessories",
    "software": "Software",
    "sports": "Sports_and_Outdoors",
    "tools": "Tools_and_Home_Improvement",
    "toys": "Toys_and_Games",
    "videogames": "Video_Games",
}
CATEGORIES_2023 = {
    "allbeauty": "All_Beauty",
    "appliances": "Appliances",
    "arts": "Arts_Crafts_and_Sewing",
    "automotive": "Automotive",
    "baby": "Baby_Products",
    "beauty": "Beauty_and_Personal_Care",
    "books": "Books",
    "cds": "CDs_and_Vinyl",
    "clothing": "Clothing_Shoes_and_Jewelry",
    "electronics": "Electronics",
    "fashion": "Amazon_Fashion",
    "garden": "Patio_Lawn_and_Garden",
    "giftcards": "Gift_Cards",
    "grocery": "Grocery_and_Gourmet_Food",
    "handmade": "Handmade_Products",
    "health": "Health_and_Household",
    "healthcare": "Health_and_Personal_Care",
    "home": "Home_and_Kitchen",
    "industrial": "Industrial_and_Scientific",
    "instruments": "Musical_Instruments",
    "kindle": "Kindle_Store",
    "magazines": "Magazine_Subscriptions",
    "movies": "Movies_and_TV",
    "music": "Digital_Music",
    "office": "Office_Products",
    "pets": "Pet_Supplies",
    "phones": "Cell_Phones_and_Accessories",
    "software": "Software",
    "sports": "Sports_and_Outdoors",
    "subscription": "Subscription_Boxes",
    "tools": "Tools_and_Home_Improvement",
    "toys": "Toys_and_Games",
    "videogames": "Video_Games",
}
_SHA256_2023 = {"Video_Games.csv.gz": "a2bde5f3b945960d161538c200dd87845e6ee471b46da96410dde61613c6901c"}
OFFICIAL_SPLITS = {"lastout": "last_out", "time": "timestamp"}
"""Ending of the name -> folder of the source that holds the split's files."""


def _amazon_2014(name: str, category: str) -> DatasetEntry:
    counts = _COUNTS_2014.get(name)
    return DatasetEntry(
        name=f"{name}2014",
        display_name=f"Amazon {category.replace('_', ' ')} 2014, 5-core",
        family=AMAZON_2014,
        folder=f"amazon-{name}-2014",
        files=tuple(
            SourceFile(name=file, addresses=(f"{_SNAP}/{file}",))
            for file in (f"reviews_{category}_5.json.gz", f"meta_{category}.json.gz")
        ),
        reader="bench.datasets.amazon.editions:read_category",
        counts=None if counts is None else Counts(users=counts[0], items=counts[1], interactions=counts[2]),
        fingerprints=_FINGERPRINTS_2014.get(name, {}),
        copies=_COPIES_2014.get(name, {}),
        parts=_PARTS.get(name, {}),
        homepage="https://jmcauley.ucsd.edu/data/amazon/index_2014.html",
    )


def _amazon_2018(name: str, category: str) -> DatasetEntry:
    places = {
        f"{category}_5.json.gz": "amazon_v2/categoryFilesSmall",
        f"meta_{category}.json.gz": "amazon_v2/metaFiles2",
    }
    return DatasetEntry(
        name=f"{name}2018",
        display_name=f"Amazon {category.replace('_', ' ')} 2018, 5-core",
        family=AMAZON_2018,
        folder=f"amazon-{name}-2018",
        files=tuple(_from_ucsd(file, place) for file, place in places.items()),
        reader="bench.datasets.amazon.editions:read_category",
        homepage="https://nijianmo.github.io/amazon/index.html",
    )


def _amazon_2023(name: str, category: str, official: str = "") -> DatasetEntry:
    """Give the 5-core data of a category or, with `official`, one of the source's own splits of it."""
    metadata = _from_ucsd(f"meta_{category}.jsonl.gz", "amazon_2023/raw/meta_categories")
    folder = OFFICIAL_SPLITS.get(official, "rating_only")
    parts = ("train.", "valid.", "test.") if official else ("",)
    files = [
        _from_ucsd(f"{category}.{part}csv.gz", f"amazon_2023/benchmark/5core/{folder}") for part in parts
    ]
    return DatasetEntry(
        name=f"{name}2023{f'-{official}' if official else ''}",
        display_name=f"Amazon {category.replace('_', ' ')} 2023, 5-core"
        f"{f', official split {folder}' if official else ''}",
        family=AMAZON_2023,
        folder=f"amazon-{name}-2023{f'-{official}' if official else ''}",
        files=(*files, metadata),
        reader=f"bench.datasets.amazon.editions:{'read_official_split' if official else 'read_category'}",
        note="run it with --split source" if official else "",
        homepage="https://amazon-reviews-2023.github.io/",
    )


def _from_ucsd(file: str, place: str) -> SourceFile:
    return SourceFile(
        name=file, addresses=tuple(f"{host}/{place}/{file}" for host in _UCSD), sha256=_SHA256_2023.get(file)
    )


ENTRIES_2014 = tuple(_amazon_2014(name, category) for name, category in CATEGORIES_2014.items())
ENTRIES_2018 = tuple(_amazon_2018(name, category) for name, category in CATEGORIES_2018.items())
ENTRIES_2023 = (
    *(_amazon_2023(name, category) for name, category in CATEGORIES_2023.items()),
    *(
        _amazon_2023(name, category, official)
        for name, category in CATEGORIES_2023.items()
        for official in OFFICIAL_SPLITS
    ),
)
