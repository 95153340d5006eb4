"""The rows that are put together: each row's lists on validation users, and on test users.

Validation lists decide weights; they come from fitting the row here, or from a file of its lists or texts
for the validation users. Test lists come from the row's newest valid record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench.comparison.compared_models import find_compared
from bench.datasets.splits import load_split
from bench.errors import ConfigError
from bench.models import MODELS, ModelEntry, create, find_model, tuned_folder
from bench.record import DEPTH, Record
from bench.record_parts import Cost
from bench.records.list_files import read_lists
from bench.records.store import StoredRecord, load_records
from bench.schema import Examples, Histories, Rankings, Split
from bench.submission.report import SubmissionError
from bench.submission.score import read_submission
from bench.tuning.ledger import ledger_path, read_ledger


@dataclass(frozen=True, kw_only=True)
class Answers:
    """A file with a row's answers for the validation users."""

    path: Path
    texts: bool = False
    """Generated texts, not ranked lists."""


def parse_answers(given: list[str], *, texts: bool) -> dict[str, Answers]:
    """Read NAME=FILE of an option; ConfigError says what is wrong."""
    answers = {}
    for one in given:
        name, equals, path = one.partition("=")
        if not equals or not name or not Path(path).expanduser().is_file():
            raise ConfigError(f"wanted NAME=FILE with a file that is there, got '{one}'")
        answers[name] = Answers(path=Path(path).expanduser(), texts=texts)
    return answers


def load(dataset: str, split: str, ties: str, data_dir: Path | None) -> Split:
    """Read the data; ConfigError where the split has no validation users to choose by."""
    whole = load_split(dataset, ties=ties, split=split, data_dir=data_dir)
    if not len(whole.validation):
        raise ConfigError(f"{dataset}, split {split}, has no validation users to choose weights by")
    return whole


def validation_split(split: Split) -> Split:
    """Give a split whose test users are the validation users, for whatever reads answers of test users."""
    asked = split.validation
    ids = (*split.user_ids, *split.other_user_ids)
    histories = Histories(
        indptr=asked.histories.indptr,
        items=asked.histories.items,
        users=np.arange(len(asked), dtype=np.int32),
        times=asked.histories.times,
    )
    return replace(
        split,
        user_ids=tuple(ids[row] for row in asked.histories.users.tolist()),
        other_user_ids=(),
        test=Examples(histories=histories, targets=asked.targets, request_times=asked.request_times),
        same_day=np.zeros(len(asked), dtype=np.bool_),
    )


def validation_lists(name: str, split: Split, answers: Mapping[str, Answers], *, seed: int) -> Rankings:
    """Give a row's lists for the validation users: (users, 50).

    Raises SubmissionError for a file that is not sound, ConfigError for a row that can neither be run here
    cheaply nor has a file.
    """
    if name in answers:
        found = read_submission(
            answers[name].path, validation_split(split), texts=answers[name].texts, allow_partial=True
        )
        if found.rankings is None:
            raise SubmissionError(str(found.report))
        return found.rankings
    if name not in MODELS or "preset" in MODELS[name].arguments:
        raise ConfigError(
            f"'{name}' is not run here, so its lists for the validation users must be given: "
            f"--lists {name}=FILE or --texts {name}=FILE; `genrec-bench data export` writes who they are"
        )
    model = create(find_model(name), seed=seed, **tuned_constants(MODELS[name], split))
    model.fit(split.training_data)
    return model.recommend(split.validation.requests, DEPTH)


def tuned_constants(entry: ModelEntry, split: Split) -> dict[str, object]:
    """Give the constants that were tuned for this data, none where none were."""
    ledger = read_ledger(ledger_path(tuned_folder(entry), entry.name, split.dataset, split.name, split.ties))
    return dict(ledger.chosen) if ledger else {}


def newest_records(names: list[str], split: Split, results_dir: Path) -> list[StoredRecord]:
    """Find each row's newest valid record on this data; RecordError names what there is instead."""
    models = find_compared(names, results_dir, dataset=split.dataset, ties=split.ties, split=split.name)
    stored = {(one.record.created, one.record.model.name): one for one in load_records(results_dir).valid()}
    chosen = [model.records[0] for model in models]
    return [stored[record.created, record.model.name] for record in chosen]


def test_lists(stored: StoredRecord, split: Split) -> Rankings:
    """Read the ranked lists of a record."""
    return read_lists(stored, split)


def whole_cost(records: list[Record]) -> Cost:
    """Give the seconds by stage that all rows took together, and the largest memory peaks of one."""
    seconds: dict[str, float] = {}
    for record in records:
        for stage in ("fit", "recommend"):
            seconds[stage] = seconds.get(stage, 0.0) + record.cost.wall_seconds.get(stage, 0.0)
    peaks = [record.cost.peak_rss_bytes for record in records]
    known = [peak for peak in peaks if peak is not None]
    on_gpu = [record.cost.peak_vram_bytes for record in records if record.cost.peak_vram_bytes]
    return Cost(
        wall_seconds=seconds,
        users_per_second=None,
        peak_rss_bytes=max(known) if len(known) == len(peaks) else None,
        peak_vram_bytes=max(on_gpu, key=lambda peak: peak.reserved or 0, default=None),
    )
