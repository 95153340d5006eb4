"""From what a user types - a model's name, a record's id or file - to models that can be compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bench.comparison.paired import ComparedModel
from bench.datasets.rules.split_rules import LOO, parse_split
from bench.datasets.rules.tie_rules import FILE
from bench.errors import ConfigError, RecordError, unknown_name
from bench.marks import fullest, fullness
from bench.records.store import StoredRecord, find_record, load_record, load_records
from bench.records.target_ranks import read_ranks


def load_compared(stored: Sequence[StoredRecord], label: str | None = None) -> ComparedModel:
    """Read the ranks of one model's records (one, or one a seed); RecordError if a file is damaged."""
    return ComparedModel(
        label=label or stored[0].record.model.name,
        records=tuple(one.record for one in stored),
        ranks=tuple(read_ranks(one) for one in stored),
        held_back=any(one.held_back for one in stored),
    )


def find_compared(
    references: Sequence[str],
    results_dir: Path,
    *,
    dataset: str | None = None,
    ties: str | None = None,
    split: str | None = None,
    all_seeds: bool = False,
) -> list[ComparedModel]:
    """Find the models to compare.

    A reference is the name of a model (its newest valid record, a full one if there is one), a record's
    id or the start of its file name, or the path of a record's JSON. Names are looked up on one and the
    same data: that of the records given by id or path, else `dataset`, else the one data set on which
    all were measured, ties "file" and split "loo" unless said otherwise. With `all_seeds`, a name stands
    for the newest record of each seed that has the same parameters.
    """
    loaded = load_records(results_dir)
    valid = [stored for stored in loaded.valid() if stored.record.metrics is not None]
    names = {stored.record.model.name for stored in loaded.records}
    given = {ref: _record(ref, results_dir, names) for ref in references if ref not in names}
    for stored in given.values():
        data = stored.record.dataset
        asked = (dataset or data.name, ties or data.ties, parse_split(split or data.split).name)
        if asked != (data.name, data.ties, data.split):
            raise ConfigError(
                f"{stored.id} was measured on {data.name}, split {data.split}, ties {data.ties}, not on "
                "what was asked"
            )
    if given:
        fingerprint = next(iter(given.values())).record.dataset.fingerprint
    else:
        fingerprint = _common_data(references, valid, dataset, ties or FILE, parse_split(split or LOO).name)
    of_data = [stored for stored in valid if stored.record.dataset.fingerprint == fingerprint]
    found = []
    for ref in references:
        own = [given[ref]] if ref in given else [one for one in of_data if one.record.model.name == ref]
        if not own:
            raise _nothing_in_common(references, valid)
        best = own[fullest([one.record for one in own])]
        found.append(_newest_of_each_seed(own, best) if all_seeds else [best])
    counts = Counter(stored[0].record.model.name for stored in found)
    return [load_compared(one, None if counts[one[0].record.model.name] == 1 else one[0].id) for one in found]


def _record(reference: str, results_dir: Path, names: set[str]) -> StoredRecord:
    path = Path(reference).expanduser()
    if path.suffix == ".json" and path.is_file():
        stored = load_record(path)
    elif "/" in reference or reference[:1].isdigit():
        stored = find_record(results_dir, reference)
    else:
        raise unknown_name(f"model with a record in {results_dir}", reference, names)
    if stored.invalid is not None:
        date = f"{stored.invalid.date:%Y-%m-%d}"
        raise RecordError(f"{stored.id} was withdrawn on {date}: {stored.invalid.reason}")
    if stored.record.metrics is None:
        raise RecordError(f"{stored.id} is a cost-only record: its quality was not measured")
    return stored


def _common_data(
    names: Sequence[str], valid: Sequence[StoredRecord], dataset: str | None, ties: str, split: str
) -> str:
    """Give the fingerprint of the data on which all of `names` were measured, newest record first."""
    measured: dict[tuple[str, str], set[str]] = {}
    for stored in valid:
        data = stored.record.dataset
        if (data.ties, data.split) == (ties, split) and dataset in (None, data.name):
            measured.setdefault((data.name, data.fingerprint), set()).add(stored.record.model.name)
    common = [key for key, models in measured.items() if models.issuperset(names)]
    if not common:
        raise _nothing_in_common(names, valid)
    datasets = sorted({name for name, _ in common})
    if len(datasets) > 1:
        raise ConfigError(f"these models were measured on {', '.join(datasets)}; choose one with --dataset")
    return common[0][1]


def _nothing_in_common(names: Sequence[str], valid: Sequence[StoredRecord]) -> RecordError:
    lines = []
    for name in names:
        data = {one.record.dataset for one in valid if one.record.model.name == name}
        places = sorted(f"{one.name} ({one.split}, ties {one.ties}, {one.fingerprint[:12]})" for one in data)
        lines.append(f"{name} on {', '.join(places) or 'nothing: its records are cost-only or withdrawn'}")
    return RecordError(f"no data has a valid record of each of these models; there are {'; '.join(lines)}")


def _newest_of_each_seed(own: Sequence[StoredRecord], best: StoredRecord) -> list[StoredRecord]:
    """Keep one record a seed, with the parameters of `best` and as full as it (input: newest first)."""
    wanted = (best.record.model.parameters, fullness(best.record))
    by_seed: dict[int, StoredRecord] = {}
    for stored in own:
        if (stored.record.model.parameters, fullness(stored.record)) == wanted:
            by_seed.setdefault(stored.record.seed, stored)
    return [by_seed[seed] for seed in sorted(by_seed)]
