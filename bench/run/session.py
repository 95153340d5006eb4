"""One `pytest bench --benchmark` session: its options, the split it runs on, what it prints."""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from bench.comparison.seeds_text import seeds_text
from bench.datasets import find_dataset
from bench.datasets.registry import raw_files
from bench.datasets.rules.split_rules import LOO, parse_split
from bench.datasets.rules.tie_rules import parse_ties
from bench.datasets.splits import load_split
from bench.errors import ConfigError
from bench.models import ModelEntry, available_models, find_model, model_from_file, tuned_folder
from bench.progress import listening
from bench.records.store import load_record
from bench.run.cluster import MISSING, Cluster
from bench.run.runner import Outcome, Request, run
from bench.run.terminal import LiveLine, results_table, speed_table
from bench.schema import Split
from bench.tuning.ledger import Ledger, ledger_path, read_ledger
from bench.tuning.space import read_constants
from bench.tuning.study import takes_constants

EMBEDDED = "sample"


@dataclass(kw_only=True)
class BenchSession:
    """Options of the session, checked, and the outcomes so far."""

    dataset: str
    dataset_given: bool
    entries: list[ModelEntry]
    split: str
    ties: str
    seed: int
    depth: int
    results_dir: Path
    data_dir: Path | None
    settings: tuple[str, ...]
    capture: Any
    seeds: int = 1
    """How many seeds each model is run with, counted from `seed`."""
    cluster: Cluster | None = None
    """Workers that share the users of each run."""
    outcomes: list[Outcome] = field(default_factory=list)
    speeds: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @cached_property
    def loaded(self) -> tuple[Split, float]:
        """The split, and the seconds that reading the files and splitting took."""
        start = time.perf_counter()
        split = load_split(self.dataset, ties=self.ties, split=self.split, data_dir=self.data_dir)
        return split, time.perf_counter() - start

    def run_model(self, name: str) -> Outcome:
        """Run one model, once a seed, with live progress; keep the outcomes for the closing tables.

        The first seed comes last: its record is the newest, the one that a board shows. It is given back.
        """
        entry = next(entry for entry in self.entries if entry.name == name)
        for seed in reversed(range(self.seed, self.seed + self.seeds)):
            request = Request(
                entry=entry,
                load=lambda: self.loaded,
                results_dir=self.results_dir,
                command=self.command(entry, seed),
                seed=seed,
                depth=self.depth,
                arguments=self.arguments(entry),
                ledger=self.ledger(entry),
                cluster=self.cluster,
            )
            with LiveLine(entry.name, self.capture) as line, listening(line.show):
                outcome = run(request)
            self.outcomes.append(outcome)
        return outcome

    def ledger(self, entry: ModelEntry) -> Ledger | None:
        """The constants that were tuned for this data; none where --set gives constants by hand."""
        if self.settings:
            return None
        rule = parse_split(self.split).name
        return read_ledger(ledger_path(tuned_folder(entry), entry.name, self.dataset, rule, self.ties))

    def arguments(self, entry: ModelEntry) -> dict[str, Any]:
        """What --set or a tuning ledger gives the model's constructor."""
        if "preset" in entry.arguments:
            return {"settings": self.settings} if self.settings else {}
        if self.settings:
            return read_constants("--set", self.settings) if takes_constants(entry) else {}
        ledger = self.ledger(entry)
        return dict(ledger.chosen) if ledger else {}

    def command(self, entry: ModelEntry, seed: int | None = None) -> str:
        """What to type to run this model again."""
        parts = ["pytest", "bench", "--benchmark", "--dataset", self.dataset]
        path, _, attribute = entry.target.rpartition(":")
        if path.endswith(".py"):
            parts += ["--model-file", f"{Path(path).name}:{attribute}"]
        else:
            parts += ["--models", entry.name]
        parts += ["--split", self.split] if self.split != LOO else []
        parts += [
            "--ties",
            self.ties,
            "--seed",
            str(self.seed if seed is None else seed),
            "--depth",
            str(self.depth),
        ]
        if self.settings and self.arguments(entry):
            parts += [word for setting in self.settings for word in ("--set", setting)]
        return shlex.join(parts)

    def header(self) -> list[str]:
        """Lines above the run: data, models, where results go."""
        data = f"data set '{self.dataset}', split '{self.split}', ties '{self.ties}'"
        lines = [f"genrec-bench: {data}, seed {self.seed}"]
        if not self.dataset_given:
            lines.append(
                "genrec-bench: 'sample' is a small synthetic shop; for real data: "
                "genrec-bench data download beauty2014, then --dataset beauty2014"
            )
        lines.append(f"genrec-bench: models {', '.join(entry.name for entry in self.entries)}")
        lines.append(f"genrec-bench: records go to {self.results_dir}")
        return lines

    def write_summary(self, reporter: pytest.TerminalReporter) -> None:
        """Print the results and the speed comparisons, if there are any."""
        if self.outcomes:
            reporter.write_sep("=", f"genrec-bench results: {self.dataset}")
            reporter.write_line(results_table(self.outcomes))
            if self.seeds > 1:
                stored = [load_record(outcome.path) for outcome in self.outcomes]
                reporter.write_line(seeds_text(stored))
        if self.speeds:
            reporter.write_sep("=", "genrec-bench speed, each pair timed in this run")
            reporter.write_line(speed_table(self.speeds))


def open_session(config: pytest.Config) -> BenchSession:
    """Check the options of a pytest run; raises BenchError, naming what is allowed or missing."""
    option = config.getoption
    dataset = option("genrec_dataset") or EMBEDDED
    results = option("genrec_results")
    data_dir = Path(option("genrec_data_dir")) if option("genrec_data_dir") else None
    entry = find_dataset(dataset, data_dir)
    if not entry.embedded:  # better said once and now than by every case
        raw_files(entry, data_dir)
    session = BenchSession(
        dataset=dataset,
        dataset_given=option("genrec_dataset") is not None,
        entries=_chosen_models(option("genrec_models"), option("genrec_model_files")),
        split=_split(option("genrec_split")),
        ties=_ties(option("genrec_ties")),
        seed=_whole_number("--seed", option("genrec_seed"), 0),
        seeds=_whole_number("--seeds", option("genrec_seeds"), 1, 1000),
        depth=_whole_number("--depth", option("genrec_depth"), 1, 1000),
        results_dir=Path(results) if results else Path.cwd() / "results",
        data_dir=data_dir,
        settings=tuple(option("genrec_settings")),
        cluster=_cluster(option("genrec_workers"), option("genrec_ray")),
        capture=config.pluginmanager.getplugin("capturemanager"),
    )
    if session.settings and not any(
        "preset" in entry.arguments or takes_constants(entry) for entry in session.entries
    ):
        raise ConfigError(
            "--set changes generative models and models with constants to tune, and none is chosen; "
            "name one with --models"
        )
    return session


def _chosen_models(names: str | None, files: list[str]) -> list[ModelEntry]:
    own = {entry.name: entry for entry in map(model_from_file, files)}
    if names is None:
        return list(own.values()) or [entry for entry in available_models().values() if entry.default]
    chosen = [name.strip() for name in names.split(",") if name.strip()]
    if not chosen:
        raise ConfigError("--models takes names separated by commas; none was given")
    return [find_model(name, own) for name in dict.fromkeys(chosen)]


def _cluster(workers: str | None, address: str | None) -> Cluster | None:
    if workers is None and address is None:
        return None
    if workers is None:
        raise ConfigError("--ray takes the address of a cluster; say by --workers N how many workers to use")
    count = _whole_number("--workers", workers, 1, 10_000)
    if find_spec("ray") is None:
        raise ConfigError(MISSING)
    return Cluster(workers=count, address=address)


def _ties(given: str) -> str:
    parse_ties(given)  # raises for a rule that there is not
    return given


def _split(given: str) -> str:
    parse_split(given)  # the same
    return given


def _whole_number(option: str, given: str, low: int, high: int = 2**31 - 1) -> int:
    try:
        number = int(given)
    except ValueError:
        number = low - 1
    if not low <= number <= high:
        raise ConfigError(f"{option} takes a whole number from {low} to {high}, got '{given}'")
    return number
