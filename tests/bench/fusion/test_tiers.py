"""Tiered serving: the rule, the curve, and the row that the command writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bench.cli import build_app
from bench.fusion import tiers
from bench.models import find_model
from bench.records import store
from bench.records.list_files import read_lists
from bench.run.runner import Request, run
from bench.schema import Histories, Split


def test_those_who_gain_are_served_first() -> None:
    """The costly row helps users of long histories and harms the others."""
    histories = Histories.from_lists([[0]] * 300 + [[0] * 30] * 100)
    long = histories.lengths > 10
    cheap, costly = np.full(400, 0.5), np.where(long, 1.0, 0.0)
    found = tiers.groups(histories, np.array([7]))
    rule = tiers.fit(found, cheap, costly)
    order = rule.order(found)
    assert set(order[:100].tolist()) == set(np.flatnonzero(long).tolist())
    values = tiers.curve(order, cheap, costly)
    assert values[0] == 0.5 and values[-1] == pytest.approx(0.25)
    # at 20 %, 80 users gain 0.5 each; at 30 %, 100 gain and 20 lose
    assert values[2] == pytest.approx(0.5 + 80 * 0.5 / 400)
    assert values[3] == pytest.approx(0.5 + (100 - 20) * 0.5 / 400)
    assert tiers.best_share(values) == 0.2  # of equal shares the smaller


def test_groups_tell_lengths_and_popularity_apart() -> None:
    histories = Histories.from_lists([[], [0], [1], [0] * 5, [1] * 5])
    assert len(set(tiers.groups(histories, np.array([1, 100])).tolist())) == 5


def test_a_small_group_is_drawn_towards_the_mean() -> None:
    found = np.array([0] * 500 + [1])
    rule = tiers.fit(found, np.zeros(501), np.array([0.0] * 500 + [1.0]))
    assert 0 < rule.gains[1] < 0.03


def test_the_command_writes_a_row_between_the_two(tmp_path: Path, sample_split: Split) -> None:
    for name in ("markov", "last-item-text"):
        run(
            Request(
                entry=find_model(name), load=lambda: (sample_split, 0.0), results_dir=tmp_path, command="x"
            )
        )
    answer = CliRunner().invoke(
        build_app(),
        ["tiers", "last-item-text", "markov", "--results", str(tmp_path)],
        catch_exceptions=False,
    )
    assert answer.exit_code == 0, answer.output
    assert "chosen on validation users" in answer.output
    rows = {one.record.model.name: one for one in store.load_records(tmp_path).valid()}
    tiered = rows["last-item-text-then-markov"]
    curve = tiered.record.details["tiers"]["curve"]
    values = {
        name: rows[name].record.metrics.seen_removed["ndcg@10"].value  # type: ignore[union-attr]
        for name in rows
    }
    assert curve[0]["ndcg@10"] == pytest.approx(values["last-item-text"])
    assert curve[-1]["ndcg@10"] == pytest.approx(values["markov"])
    share = tiered.record.model.parameters["share"]
    (point,) = (point for point in curve if point["share"] == share)
    assert point["ndcg@10"] == pytest.approx(values["last-item-text-then-markov"])
    both = [read_lists(rows[name], sample_split) for name in ("last-item-text", "markov")]
    served = read_lists(tiered, sample_split)
    assert all(
        (row == one).all() or (row == other).all() for row, one, other in zip(served, *both, strict=True)
    )
