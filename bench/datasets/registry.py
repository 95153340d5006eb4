"""The table of data sets: `sample` and the 5-core categories of the Amazon review data of 2014."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.errors import DataError, unknown_name
from bench.schema import Interactions

DATA_DIR_VARIABLE = "GENREC_BENCH_DATA"
_SNAP = "https://snap.stanford.edu/data/amazon/productGraph/categoryFiles"


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Size of the raw review file as published, before anything is dropped."""

    users: int
    items: int
    interactions: int


@dataclass(frozen=True, kw_only=True)
class DatasetEntry:
    """One data set: its folder under the data folder, its files, and what is known of its content."""

    name: str
    display_name: str
    category: str = ""
    """As the files are named, such as Sports_and_Outdoors."""
    folder: str = ""
    """Empty for a data set that needs no files."""
    reviews_file: str = ""
    metadata_file: str = ""
    urls: Mapping[str, str] = field(default_factory=dict)
    """File name -> where it is published."""
    counts: Counts | None = None
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    """Tie rule -> fingerprint of the leave-one-out split of the standard copy."""

    @property
    def embedded(self) -> bool:
        """Whether the data set is generated and needs no files."""
        return not self.folder


def _amazon(
    name: str,
    category: str,
    counts: tuple[int, int, int] | None = None,
    fingerprints: Mapping[str, str] | None = None,
) -> DatasetEntry:
    reviews, metadata = f"reviews_{category}_5.json.gz", f"meta_{category}.json.gz"
    return DatasetEntry(
        name=f"{name}2014",
        display_name=f"Amazon {category.replace('_', ' ')} 2014, 5-core",
        category=category,
        folder=f"amazon-{name}-2014",
        reviews_file=reviews,
        metadata_file=metadata,
        urls={file: f"{_SNAP}/{file}" for file in (reviews, metadata)},
        counts=None if counts is None else Counts(users=counts[0], items=counts[1], interactions=counts[2]),
        fingerprints=fingerprints or {},
    )


DATASETS: dict[str, DatasetEntry] = {
    entry.name: entry
    for entry in (
        DatasetEntry(
            name="sample",
            display_name="Sample shop, generated",
            counts=Counts(users=1_000, items=400, interactions=7_318),
            fingerprints={
                "file": "9d7036f64849989ce898ca3ffbb5746e8084d7f7761b598a2bc7710940f0796a",
                "shuffled:0": "2123205edde290e399a440dce7b9c581f74e868df8b34e1953aa3d6560079b86",
            },
        ),
        _amazon(
            "beauty",
            "Beauty",
            (22_363, 12_101, 198_502),
            {
                "file": "c0ca0533efba69fb99c80a3d816bd0202c3171c9759547d67f88250b59d9452b",
                "shuffled:0": "0b862a417d486d3e813d7255854be289f52f28bd996358d393e44c3ea45e2d3c",
            },
        ),
        _amazon("sports", "Sports_and_Outdoors", (35_598, 18_357, 296_337)),
        _amazon("toys", "Toys_and_Games", (19_412, 11_924, 167_597)),
        _amazon("electronics", "Electronics", (192_403, 63_001, 1_689_188)),
        _amazon("apps", "Apps_for_Android"),
        _amazon("automotive", "Automotive"),
        _amazon("baby", "Baby"),
        _amazon("books", "Books"),
        _amazon("cds", "CDs_and_Vinyl"),
        _amazon("clothing", "Clothing_Shoes_and_Jewelry"),
        _amazon("garden", "Patio_Lawn_and_Garden"),
        _amazon("grocery", "Grocery_and_Gourmet_Food"),
        _amazon("health", "Health_and_Personal_Care"),
        _amazon("home", "Home_and_Kitchen"),
        _amazon("instruments", "Musical_Instruments", (1_429, 900, 10_261)),
        _amazon("kindle", "Kindle_Store"),
        _amazon("movies", "Movies_and_TV"),
        _amazon("music", "Digital_Music", (5_541, 3_568, 64_706)),
        _amazon("office", "Office_Products"),
        _amazon("pets", "Pet_Supplies"),
        _amazon("phones", "Cell_Phones_and_Accessories"),
        _amazon("tools", "Tools_and_Home_Improvement"),
        _amazon("video", "Amazon_Instant_Video", (5_130, 1_685, 37_126)),
        _amazon("videogames", "Video_Games", (24_303, 10_672, 231_780)),
    )
}


def find_dataset(name: str) -> DatasetEntry:
    """Look a data set up by name; an unknown one raises ConfigError naming the closest."""
    if name not in DATASETS:
        raise unknown_name("data set", name, DATASETS)
    return DATASETS[name]


def resolve_data_dir(data_dir: Path | None = None) -> Path:
    """Give the data folder: the argument, else $GENREC_BENCH_DATA, else the user's data folder."""
    if data_dir is not None:
        return data_dir.expanduser()
    if from_environment := os.environ.get(DATA_DIR_VARIABLE):
        return Path(from_environment).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("genrec-bench", appauthor=False))


def load(name: str, data_dir: Path | None = None) -> Interactions:
    """Read a data set by name; DataError says which file is missing or damaged, and where."""
    entry = find_dataset(name)
    if entry.embedded:
        from bench.datasets.sample import make_sample

        return make_sample()
    from bench.datasets.amazon.files import read_amazon

    return read_amazon(*raw_files(entry, data_dir))


def raw_files(entry: DatasetEntry, data_dir: Path | None = None) -> tuple[Path, Path]:
    """Find the reviews and the metadata of a data set that has files; DataError says what is missing."""
    folder = resolve_data_dir(data_dir) / entry.folder
    return _existing(entry, folder, entry.reviews_file), _existing(entry, folder, entry.metadata_file)


def _existing(entry: DatasetEntry, folder: Path, file: str) -> Path:
    """Find the file as published or unpacked."""
    for path in (folder / file, folder / file.removesuffix(".gz")):
        try:
            path.stat()
            return path
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}") from None
    raise DataError(
        f"{entry.name}: there is no file {folder / file} (nor without .gz); get it by "
        f"`genrec-bench data download {entry.name}`, or name the folder that holds {entry.folder}/ "
        f"by --data-dir or {DATA_DIR_VARIABLE}"
    )
