"""A cheap row's candidates in the order of a language model's likelihood."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from tiny_models import base_checkpoint, compact_preset, shop

from bench.contract import RecommenderContract
from bench.errors import ConfigError
from bench.schema import Histories
from genrec.candidate_ranker import CandidateRanker, combined, reordered
from genrec.candidate_trial import ROW_ALONE, try_constants
from genrec.config import ScoreSettings
from genrec.preset_files import load_preset

DATA = shop()


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A preset file of two quick steps on a tiny LLaMA, with co-visit as the row."""
    folder = tmp_path_factory.mktemp("preset")
    made = compact_preset(base_checkpoint(folder / "base", DATA), max_steps=2)
    tree = json.loads(made.model_dump_json()) | {"score": {"row": "co-visit", "top": 4}}
    path = folder / "tiny-score.yaml"
    path.write_text(yaml.safe_dump(tree))
    return str(path)


def test_scores_take_off_what_a_title_has_without_history_and_the_place_in_the_row() -> None:
    likelihoods = np.array([[-1.0, -2.0, -3.0]])
    candidates = np.array([[2, 0, 1]], dtype=np.int32)
    alone = np.array([-4.0, -1.0, -8.0])
    settings = ScoreSettings(without_history=0.5, row_weight=2.0)
    expected = [-1 + 4, -2 + 2 - 2 * np.log(2), -3 + 0.5 - 2 * np.log(3)]
    assert combined(likelihoods, alone, candidates, settings)[0] == pytest.approx(expected)


def test_candidates_stand_in_front_and_the_rest_of_the_row_behind() -> None:
    lists = np.array([[7, 3, 1, 5, 2], [4, 6, -1, -1, -1]], dtype=np.int32)
    candidates = np.array([[3, 1, 5], [6, -1, -1]], dtype=np.int32)  # 7 and 4 were seen
    scores = np.array([[-3.0, -1.0, -1.0], [-9.0, -np.inf, -np.inf]])
    assert reordered(lists, candidates, scores).tolist() == [[1, 5, 3, 7, 2], [6, 4, -1, -1, -1]]


def test_likelihoods_are_kept_and_do_not_depend_on_the_batch(preset: str, tmp_path: Path) -> None:
    histories = Histories.from_lists([[0, 1, 2], [5], [8, 9]])
    first = CandidateRanker(preset, 0, ["score.without_history=0.5"], tmp_path)
    first.fit(DATA)
    lists = first.recommend(histories, 6)
    assert first.details()["carried_seconds"]["recommend"] == 0
    stores = list(first._fitted.folder.glob("generations/*.jsonl"))
    before = stores[0].read_bytes()
    again = CandidateRanker(preset, 0, ["score.without_history=0.5"], tmp_path)
    again.fit(DATA)
    assert (again.recommend(histories, 6) == lists).all()
    assert again.details()["carried_seconds"]["recommend"] > 0 and len(stores) == 1
    assert stores[0].read_bytes() == before
    alone = again.recommend_afresh(histories.take(np.array([2])), 6)
    assert (alone[0] == lists[2]).all()


def test_a_heavy_row_weight_gives_the_row_back(preset: str, tmp_path: Path) -> None:
    ranker = CandidateRanker(preset, 0, ["score.row_weight=1e6"], tmp_path)
    ranker.fit(DATA)
    from bench.metrics.ranking import remove_seen

    asked = DATA.validation.histories
    expected = remove_seen(ranker.row_lists(asked, 6), asked)
    assert (remove_seen(ranker.recommend(asked, 6), asked) == expected).all()


def test_the_trial_asks_validation_users_only_and_names_the_best(preset: str, tmp_path: Path) -> None:
    trial = try_constants(DATA, preset, [], seed=0, work=tmp_path, users=5)
    assert trial.users == 5 and ROW_ALONE in trial.rows
    best = max(quality["ndcg@5"] for name, quality in trial.rows.items() if name != ROW_ALONE)
    assert trial.rows[trial.best]["ndcg@5"] == best


def test_a_preset_without_candidates_is_refused() -> None:
    with pytest.raises(ConfigError, match="no section 'score'"):
        CandidateRanker("smollm2-135m", 0)


def test_a_preset_like_another_uses_its_weights(tmp_path: Path) -> None:
    from genrec.artefact import artefact_folder

    facts: dict[str, Any] = {"seed": 0, "fingerprint": "f", "base_revision": None}
    parent, child = load_preset("smollm2-135m"), load_preset("smollm2-135m-score")
    assert child.weights_of == "smollm2-135m" and child.score is not None and parent.score is None
    assert artefact_folder(tmp_path, "x", parent, **facts) == artefact_folder(tmp_path, "x", child, **facts)
    path = tmp_path / "own.yaml"
    path.write_text("like: smollm2-135m\nfinetune: {lora_r: 4}\n")
    own = load_preset(str(path))
    assert own.finetune.lora_r == 4 and own.finetune.lora_alpha == parent.finetune.lora_alpha
    path.write_text("like: smollm2\n")
    with pytest.raises(ConfigError, match="smollm2-135m"):
        load_preset(str(path))


class TestContract(RecommenderContract):
    """The suite that every model is put through."""

    where: tuple[str, Path]

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def work(cls, preset: str, tmp_path_factory: Any) -> None:
        cls.where = preset, tmp_path_factory.mktemp("work")

    def make_model(self, seed: int) -> CandidateRanker:
        return CandidateRanker(self.where[0], seed, work_dir=self.where[1])
