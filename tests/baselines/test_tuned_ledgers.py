"""The committed ledgers: each can be read, lies where runs look for it, and its model takes the constants."""

from __future__ import annotations

from pathlib import Path

import pytest

import baselines
from bench.models import create, find_model, tuned_folder
from bench.tuning.ledger import ledger_path, read_ledger
from bench.tuning.study import described, space_of

FOLDER = Path(baselines.__file__).parent / "tuned"
LEDGERS = sorted(FOLDER.rglob("*.yaml"))


def test_there_are_some() -> None:
    assert LEDGERS


@pytest.mark.parametrize("path", LEDGERS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_committed_ledger_is_used_and_is_of_its_model_as_it_is(path: Path) -> None:
    ledger = read_ledger(path)
    assert ledger is not None
    entry = find_model(ledger.model)
    wanted = ledger_path(tuned_folder(entry), ledger.model, ledger.dataset, ledger.split, ledger.ties)
    assert wanted == path
    assert ledger.space == described(space_of(entry))  # a space that was changed since asks for a new search
    assert dict(create(entry, seed=0, **ledger.chosen).parameters).items() >= ledger.chosen.items()  # type: ignore[attr-defined]
    assert ledger.default_value is not None and ledger.value >= ledger.default_value
    assert ledger.users >= 900, "too few validation users to choose by: give a share, --validation 20%"
