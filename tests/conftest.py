"""Shared fixtures: real data where it is at hand, a toy split solved by hand, isolated user folders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from bench.schema import Catalogue, Examples, Histories, Split

# mutmut runs the tests again and again in one process, which hypothesis takes for another runner's work
settings.register_profile("mutation", suppress_health_check=[HealthCheck.differing_executors])

REAL_DATA = os.environ.get("GENREC_BENCH_DATA")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # workers that each use all cores wait for each other
os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports the hub: a look-up by name would hang


OF_OTHERS = (
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning",  # peft reads it of every model
    "ignore:.torch.jit.script_method. is deprecated:DeprecationWarning",  # torch, of itself
)


def pytest_configure(config: pytest.Config) -> None:
    """Let warnings be errors in tests: what the next release of ours or of others breaks shows here first.

    Not in pyproject.toml, whose settings hold for a user's `pytest bench --benchmark`, too.
    """
    for line in ("error", *OF_OTHERS):
        config.addinivalue_line("filterwarnings", line)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slow tests: of several workers, none is left with one when the others are done."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session", autouse=True)
def isolated_user_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """No test reads or writes the user's own data, cache or work folder."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            patch.setenv(variable, str(home / variable.lower()))
        patch.setenv("GENREC_BENCH_WORK", str(home / "work"))
        patch.delenv("GENREC_BENCH_DATA", raising=False)
        yield home


@pytest.fixture(autouse=True)
def isolated_work_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test has a work folder of its own, so that no artefact leaks into the next one."""
    folder = tmp_path_factory.mktemp("work")
    monkeypatch.setenv("GENREC_BENCH_WORK", str(folder))
    return folder


@pytest.fixture(scope="session")
def real_data_dir() -> Path:
    """The folder that holds `amazon-beauty-2014/`."""
    if not REAL_DATA:
        pytest.skip("GENREC_BENCH_DATA is not set: it names the folder that holds amazon-beauty-2014/")
    folder = Path(REAL_DATA)
    if not (folder / "amazon-beauty-2014").is_dir():
        pytest.skip(f"GENREC_BENCH_DATA={folder} holds no folder amazon-beauty-2014/")
    return folder


@pytest.fixture(scope="session")
def real_split(real_data_dir: Path) -> Split:
    """Beauty 2014, ties `file`."""
    from bench.datasets.splits import load_split

    return load_split("beauty2014", data_dir=real_data_dir)


@pytest.fixture(scope="session")
def sample_split() -> Split:
    """The embedded shop, ties `file`."""
    from bench.datasets.splits import load_split

    return load_split("sample")


@pytest.fixture
def toy_split() -> Split:
    """Six users, eight items, every answer countable by hand.

    Item 7 is in no training sequence (cold); items 4 and 6 share a title; user 4 is the validation
    user; the targets of users 1 and 3 share the day of the purchase before. Whole sequences:
    u0 0 1 2 3 | u1 0 1 4 | u2 1 0 2 | u3 4 5 6 | u4 2 3 0 1 5 4 | u5 5 6 7.
    """
    catalogue = Catalogue(
        item_ids=("i0", "i1", "i2", "i3", "i4", "i5", "i6", "i7"),
        titles=(
            "Rose Soap",
            "Mint Soap",
            "Oak Comb",
            "Oak Brush",
            "Red Lipstick",
            "Pink Lipstick",
            "Red Lipstick",
            "Sea Salt Scrub",
        ),
        brands=("Flora", "Flora", "Woody", "Woody", None, "Gloss", "Gloss", None),
        categories=(
            ("Beauty", "Bath"),
            ("Beauty", "Bath"),
            ("Beauty", "Hair"),
            ("Beauty", "Hair"),
            ("Beauty", "Makeup"),
            ("Beauty", "Makeup"),
            ("Beauty", "Makeup"),
            (),
        ),
        prices=(3.5, 4.0, 6.0, None, 9.99, 9.99, 12.0, None),
    )
    test = Histories.from_lists([[0, 1, 2], [0, 1], [1, 0], [4, 5], [2, 3, 0, 1, 5], [5, 6]])
    return Split(
        dataset="toy",
        name="leave-one-out",
        ties="file",
        fingerprint="0123456789abcdef" * 4,
        catalogue=catalogue,
        user_ids=("u0", "u1", "u2", "u3", "u4", "u5"),
        interactions=22,
        train=Histories.from_lists([[0, 1, 2], [0, 1], [1, 0], [4, 5], [2, 3, 0, 1], [5, 6]]),
        validation=Examples(
            histories=Histories.from_lists([[2, 3, 0, 1]], users=[4]), targets=np.array([5], dtype=np.int32)
        ),
        test=Examples(histories=test, targets=np.array([3, 4, 2, 6, 4, 7], dtype=np.int32)),
        same_day=np.array([False, True, False, True, False, False]),
    )
