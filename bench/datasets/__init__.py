"""The data sets of the harness: where their files are, what they hold, how they are read."""

from bench.datasets.registry import DATASETS, DatasetEntry, load, resolve_data_dir

__all__ = ["DATASETS", "DatasetEntry", "load", "resolve_data_dir"]
