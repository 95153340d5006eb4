"""SASRec: the contract, a shop whose next item follows the last one, and a run that is taken up again."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch

from baselines.sasrec_ce import SASRecCE, like_lengths, right_padded
from bench.contract import RecommenderContract, small_shop
from bench.metrics.ranking import mean_quality, target_ranks
from bench.progress import listening
from bench.recommender import Recommender
from bench.schema import Histories

TINY = {"width": 16, "layers": 1, "heads": 1, "length": 8, "dropout": 0.0, "batch": 32}


class TestSASRecCE(RecommenderContract):
    def make_model(self, seed: int) -> Recommender:
        return SASRecCE(seed=seed, epochs=2, **TINY)


def test_sequences_are_cut_to_the_newest_and_padded_at_the_end() -> None:
    table = right_padded(Histories.from_lists([[1, 2, 3, 4], [5], []]), 3, 9)
    assert table.tolist() == [[2, 3, 4], [5, 9, 9], [9, 9, 9]]


def test_a_batch_holds_sequences_of_like_length_and_each_comes_once() -> None:
    lengths = torch.arange(10).repeat(20)
    batches = like_lengths(lengths, 20, torch.Generator().manual_seed(0))
    assert sorted(torch.cat(batches).tolist()) == list(range(200))
    assert all(len(lengths[rows].unique()) == 1 for rows in batches)
    assert [lengths[rows][0].item() for rows in batches] != list(range(10))  # batches come in random order


def test_it_learns_what_follows_and_permuted_targets_are_not_found() -> None:
    split = small_shop(users=400, items=60, seed=2)
    row = SASRecCE(seed=0, epochs=30, rate=0.01, **TINY)
    row.fit(split.training_data)
    lists = row.recommend(split.test.histories, 5)
    wrong = np.random.default_rng(0).permutation(split.test.targets)
    skills = [mean_quality(target_ranks(lists, t), (5,))["recall@5"] for t in (split.test.targets, wrong)]
    assert skills[0] > 0.6 and skills[1] < 0.3
    curve = row.details()["loss_curve"]
    assert curve[-1]["loss"] < curve[0]["loss"]


def test_a_stopped_run_goes_on_and_ends_where_an_unbroken_one_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data, histories = small_shop().training_data, small_shop().test.histories
    settings = {**TINY, "epochs": 4, "patience": 50, "dropout": 0.3}

    class Stopped(Exception):
        pass

    def stop(what: str, done: int, total: int, note: str) -> None:
        if (what, done) == ("epochs", 2):
            raise Stopped

    broken = SASRecCE(seed=1, **settings)
    with pytest.raises(Stopped), listening(stop):
        broken.fit(data)
    seen: list[int] = []
    resumed = SASRecCE(seed=1, **settings)
    with listening(lambda what, done, total, note: seen.append(done)):
        resumed.fit(data)
    assert seen == [3, 4]
    monkeypatch.setenv("GENREC_BENCH_WORK", str(tmp_path_factory.mktemp("other")))
    whole = SASRecCE(seed=1, **settings)
    whole.fit(data)
    assert whole.details()["loss_curve"] == resumed.details()["loss_curve"]
    assert resumed.details()["carried_seconds"]["fit"] > 0 == whole.details()["carried_seconds"]["fit"]
    assert np.array_equal(whole.recommend(histories, 10), resumed.recommend(histories, 10))
