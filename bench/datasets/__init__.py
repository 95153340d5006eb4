"""The data sets of the harness: where their files are, what they hold, how they are read."""

from bench.datasets.entries import DATASETS
from bench.datasets.entry import DatasetEntry
from bench.datasets.registry import find_dataset, load, resolve_data_dir

__all__ = ["DATASETS", "DatasetEntry", "find_dataset", "load", "resolve_data_dir"]
