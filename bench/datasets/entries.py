"""The table of data sets: `sample`, the Amazon editions of 2014, 2018 and 2023, MovieLens, Yelp, Steam."""

from __future__ import annotations

from collections.abc import Mapping

from bench.datasets.amazon.category_entries import ENTRIES_2014, ENTRIES_2018, ENTRIES_2023
from bench.datasets.entry import Counts, DatasetEntry, SourceFile
from bench.schema import Wording

_UCSD = "https://mcauleylab.ucsd.edu/public_datasets/data"
_GROUPLENS = "https://files.grouplens.org/datasets/movielens"
_PARTS: Mapping[str, Mapping[str, str]] = {
    "sample": {
        "users": "19de72a2d455",
        "items": "9093568923a8",
        "titles": "f7a8b728d41b",
        "purchases": "c6d1b1f3254a",
        "times": "3546f18389d4",
    },
    "ml100k": {
        "users": "9426620cfb69",
        "items": "1ed7cc6f7dc9",
        "titles": "bce48c71452d",
        "purchases": "8b0b521aa204",
        "times": "9abc976a0279",
    },
}
"""Digests of the parts of the standard copies, ties file (`bench.datasets.verify.part_digests`)."""

_FINGERPRINTS_100K = {
    "file": "690c15ffea775c3fa7f153b9b743fe7b4efbc5df82d83437dd33b73fd63b4d15",
    "shuffled:0": "4d6224be082d26218d5019952f31af01a7af75ed43832c2e4ac336b4666fc39f",
}
FILMS = Wording(
    item="Title: {title}, Genres: {categories}",
    layout="Title: <film title> (<year>), Genres: <genres>",
    introduction="Below is a person's history of rated films, listed in chronological order "
    "(earliest to latest).",
    request="Based on this history, predict only one film the person is most likely to watch next "
    "in the same format.",
)
"""An item's line is that of the published MovieLens texts; no published instruction was found."""


def _movielens(
    name: str, archive: str, files: tuple[str, str], counts: tuple[int, int, int] | None = None
) -> DatasetEntry:
    return DatasetEntry(
        name=name,
        display_name=f"MovieLens {archive.removeprefix('ml-')}",
        family="MovieLens",
        folder="movielens-100k" if name == "ml100k" else f"movielens-{archive.removeprefix('ml-')}",
        files=tuple(
            SourceFile(name=file, addresses=(f"{_GROUPLENS}/{archive}.zip",), member=f"{archive}/{file}")
            for file in files
        ),
        reader="bench.datasets.sources.movielens:read_movielens",
        counts=None if counts is None else Counts(users=counts[0], items=counts[1], interactions=counts[2]),
        fingerprints=_FINGERPRINTS_100K if name == "ml100k" else {},
        parts=_PARTS.get(name, {}),
        wording=FILMS,
        note="the data may not be redistributed without separate permission",
        homepage="https://grouplens.org/datasets/movielens/",
    )


_DAT, _CSV = ("ratings.dat", "movies.dat"), ("ratings.csv", "movies.csv")

DATASETS: dict[str, DatasetEntry] = {
    entry.name: entry
    for entry in (
        DatasetEntry(
            name="sample",
            display_name="Sample shop, generated",
            family="generated",
            counts=Counts(users=1_000, items=400, interactions=7_318),
            fingerprints={
                "file": "9d7036f64849989ce898ca3ffbb5746e8084d7f7761b598a2bc7710940f0796a",
                "shuffled:0": "2123205edde290e399a440dce7b9c581f74e868df8b34e1953aa3d6560079b86",
            },
            parts=_PARTS["sample"],
        ),
        *ENTRIES_2014,
        _movielens("ml100k", "ml-100k", ("u.data", "u.item"), (943, 1_682, 100_000)),
        _movielens("ml1m", "ml-1m", _DAT, (6_040, 3_706, 1_000_209)),
        _movielens("ml10m", "ml-10M100K", _DAT, (69_878, 10_677, 10_000_054)),
        _movielens("ml20m", "ml-20m", _CSV, (138_493, 26_744, 20_000_263)),
        _movielens("ml25m", "ml-25m", _CSV, (162_541, 59_047, 25_000_095)),
        _movielens("ml32m", "ml-32m", _CSV),
        _movielens("ml-latest-small", "ml-latest-small", _CSV),
        DatasetEntry(
            name="yelp",
            display_name="Yelp open data set",
            family="Yelp",
            folder="yelp",
            files=(
                SourceFile(name="yelp_academic_dataset_review.json"),
                SourceFile(name="yelp_academic_dataset_business.json"),
            ),
            reader="bench.datasets.sources.yelp_steam:read_yelp",
            note="its size differs from year to year: name the edition with every number",
            homepage="https://business.yelp.com/data/resources/open-dataset/",
        ),
        DatasetEntry(
            name="steam",
            display_name="Steam reviews (Kang and McAuley, 2018)",
            family="Steam",
            folder="steam",
            files=tuple(
                SourceFile(
                    name=file,
                    addresses=(f"https://cseweb.ucsd.edu/~wckang/{file}", f"{_UCSD}/steam/{file}"),
                )
                for file in ("steam_reviews.json.gz", "steam_games.json.gz")
            ),
            reader="bench.datasets.sources.yelp_steam:read_steam",
            homepage="https://cseweb.ucsd.edu/~jmcauley/datasets.html#steam_data",
        ),
        *ENTRIES_2018,
        *ENTRIES_2023,
    )
}
