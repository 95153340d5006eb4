"""The whole generative recommender, fine-tuned and asked for real at toy size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from tiny_models import ITEMS, scratch_preset, shop

from bench.contract import RecommenderContract
from bench.errors import ConfigError
from bench.progress import listening
from bench.recommender import ChecksAvailability, KeepsAnswers, Recommender, SelfReporting
from bench.schema import NO_ITEM, Histories
from genrec import artefact
from genrec.config import GenerateSettings
from genrec.recommender import CURVE_POINTS, GenerativeRecommender, finetuning_facts

DATA = shop(users=200)
EPOCHS = 6


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def write_preset(folder: Path, **finetune: Any) -> str:
    path = folder / "toy-llama.yaml"
    settings = scratch_preset(**finetune).model_dump(mode="json", exclude_none=True)
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_preset(tmp_path_factory.mktemp("presets"), epochs=EPOCHS, gradient_accumulation=1)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared-work")


@pytest.fixture(scope="module")
def fitted(preset: str, work: Path) -> GenerativeRecommender:
    torch.set_num_threads(1)
    model = GenerativeRecommender(preset=preset, seed=0, work_dir=work)
    model.fit(DATA)
    return model


class TestContract(RecommenderContract):
    def make_model(self, seed: int) -> Recommender:
        # the shared fixture of the contract has no folder of its own: each model makes one
        import tempfile

        folder = Path(tempfile.mkdtemp(dir=artefact.work_dir().parent))
        return GenerativeRecommender(
            preset=write_preset(folder, epochs=6),
            seed=seed,
            work_dir=folder,
            settings=["generate.num_beams=2"],
        )


def test_protocols(fitted: GenerativeRecommender) -> None:
    for protocol in (Recommender, SelfReporting, ChecksAvailability, KeepsAnswers):
        assert isinstance(fitted, protocol)


def test_learns_what_follows_what(fitted: GenerativeRecommender) -> None:
    """Item i is followed by item i + 1: chance puts it first once in 24, the model always."""
    histories = Histories.from_lists([[i, (i + 1) % ITEMS, (i + 2) % ITEMS] for i in range(ITEMS)])
    lists = fitted.recommend(histories, 5)
    targets = (np.arange(ITEMS) + 3) % ITEMS
    assert (lists[:, 0] == targets).mean() > 0.7
    assert (lists == targets[:, None]).any(axis=1).mean() > 0.8
    assert fitted.details()["generation_health"]["exact_texts"] > 1 / 3 - 1e-6, "one of three beams is right"
    told = fitted.generations()
    assert told is not None
    first = told.indptr[:-1]
    assert (told.items[first] == targets).mean() > 0.7
    assert told.log_likelihoods.max() <= 0


def test_details_are_plain_json_and_complete(fitted: GenerativeRecommender) -> None:
    fitted.recommend(DATA.validation.histories, 5)
    details = fitted.details()
    json.dumps(details, allow_nan=False)
    assert details["fit_reused"] is False
    assert details["fit_seconds"] > 0
    assert details["carried_seconds"]["fit"] == 0
    assert details["strategy"] == "beam" and details["strategy_chosen_on_validation"] is False
    assert details["finetuning"]["backend"] == "full"
    assert {"step", "training_loss"} == details["loss_curve"][0].keys()
    assert sum("validation_loss" in point for point in details["loss_curve"]) == EPOCHS
    json.dumps(fitted.parameters, allow_nan=False)
    assert fitted.parameters["finetune"]["epochs"] == EPOCHS


def test_asking_afresh_changes_nothing(fitted: GenerativeRecommender) -> None:
    lists = fitted.recommend(DATA.validation.histories, 5)
    before, kept = fitted.details(), sorted((fitted._finetuned.folder / "generations").iterdir())
    size = [path.stat().st_size for path in kept]
    one = fitted.recommend_afresh(DATA.validation.histories.take(np.array([2])), 5)
    assert np.array_equal(one[0], lists[2])
    fitted.recommend_afresh(Histories.from_lists([[5, 9]]), 5)
    assert fitted.details() == before
    assert [path.stat().st_size for path in kept] == size


def test_second_run_takes_over_model_and_texts(
    preset: str, work: Path, fitted: GenerativeRecommender
) -> None:
    lists = fitted.recommend(DATA.validation.histories, 5)
    again = GenerativeRecommender(preset=preset, seed=0, work_dir=work)
    seen: list[str] = []
    with listening(lambda what, *_: seen.append(what)):
        again.fit(DATA)
        assert np.array_equal(again.recommend(DATA.validation.histories, 5), lists)
    assert "fine-tune" not in seen
    details = again.details()
    assert details["fit_reused"] is True
    assert details["carried_seconds"]["fit"] == details["fit_seconds"] == fitted.details()["fit_seconds"]
    assert details["carried_seconds"]["recommend"] == pytest.approx(details["generation_seconds"], abs=2e-3)
    assert details["carried_seconds"]["recommend"] > 0
    held = [sample["rss_bytes"] for sample in fitted.details()["finetuning"]["memory_timeline"]]
    assert details["carried_peak_bytes"] == {"rss": max(held)}  # and nothing of a GPU
    assert "carried_peak_bytes" not in fitted.details()


def test_texts_written_under_another_token_budget_lend_no_seconds(
    preset: str, work: Path, fitted: GenerativeRecommender
) -> None:
    lists = fitted.recommend(DATA.validation.histories, 5)
    budget = GenerativeRecommender(
        preset=preset, seed=0, work_dir=work, settings=["generate.token_budget=64"]
    )
    budget.fit(DATA)
    assert np.array_equal(budget.recommend(DATA.validation.histories, 5), lists)
    details = budget.details()
    assert details["carried_seconds"]["recommend"] == 0.0 < details["generation_seconds"]
    assert details["carried_seconds"]["fit"] > 0, "generation's settings do not touch the fine-tuning"
    assert details["finetuning"]["machine"]


def test_strategy_chosen_on_validation_is_taken_up(
    preset: str, work: Path, fitted: GenerativeRecommender
) -> None:
    folder = fitted._finetuned.folder
    chosen = GenerateSettings(strategy="constrained", num_beams=6, max_new_tokens=16, max_seq_length=128)
    artefact.select(folder, chosen)
    try:
        model = GenerativeRecommender(preset=preset, seed=0, work_dir=work)
        model.fit(DATA)
        model.recommend(DATA.validation.histories, 6)
        details = model.details()
        assert details["strategy"] == "constrained" and details["strategy_chosen_on_validation"] is True
        assert details["generation_health"]["exact_texts"] == 1.0
        assert details["generation_health"]["distinct_items_per_user"] == 6.0
        assert model.parameters["generate"]["strategy"] == "constrained"
        assert {"generate.num_beams=6", 'generate.strategy="constrained"'} <= set(details["chosen_settings"])
        typed = GenerativeRecommender(
            preset=preset, seed=0, work_dir=work, settings=details["chosen_settings"]
        )
        typed.fit(DATA)
        assert typed.parameters == model.parameters, "the recorded command gives the same run"
        assert typed.details()["chosen_settings"] == []
        assert model.parameters["finetune"]["backend"] == model._finetuned.artefact.backend != "auto"
        by_hand = GenerativeRecommender(
            preset=preset, seed=0, work_dir=work, settings=["generate.num_beams=2"]
        )
        by_hand.fit(DATA)
        assert by_hand.parameters["generate"] == by_hand.preset.generate.model_dump(mode="json")
        assert by_hand.generate_settings.strategy == "beam"
    finally:
        artefact.write(folder, artefact.read(folder).model_copy(update={"selected": None}))


def test_history_longer_than_the_context(preset: str, work: Path, fitted: GenerativeRecommender) -> None:
    """Far more purchases than tokens fit: the oldest fall out on the left, and only they."""
    model = GenerativeRecommender(
        preset=preset, seed=0, work_dir=work, settings=["generate.strategy=constrained"]
    )
    model.fit(DATA)
    long = [step % ITEMS for step in range(200)]
    lists = model.recommend(Histories.from_lists([long, long[8:], long[:-1]]), 5)
    assert (lists[:, :3] != NO_ITEM).all()
    assert np.array_equal(lists[0], lists[1])
    told = model.generations()
    assert told is not None
    likelihoods = told.log_likelihoods.reshape(3, -1)
    assert np.array_equal(likelihoods[0], likelihoods[1]) and not np.allclose(likelihoods[0], likelihoods[2])


def test_lists_before_fit_are_refused(preset: str, tmp_path: Path) -> None:
    model = GenerativeRecommender(preset=preset, seed=0, work_dir=tmp_path)
    with pytest.raises(ConfigError, match="asked for lists before it was fitted"):
        model.recommend(DATA.validation.histories, 5)


def test_long_curves_are_thinned_evenly_and_memory_keeps_its_peaks(fitted: GenerativeRecommender) -> None:
    long = fitted._finetuned.folder / "training.json"
    before = long.read_text(encoding="utf-8")
    training = json.loads(before)
    memory = [
        {"seconds": float(t), "step": t, "rss_bytes": 100.0, "vram_reserved_bytes": 5.0} for t in range(5000)
    ]
    memory[4321]["rss_bytes"], memory[1234]["vram_reserved_bytes"] = 900.0, 70.0
    training |= {"memory": memory, "train_loss": [[step, 1.0] for step in range(10_001)]}
    long.write_text(json.dumps(training), encoding="utf-8")
    try:
        facts = finetuning_facts(fitted._finetuned)
    finally:
        long.write_text(before, encoding="utf-8")
    kept = facts["finetuning"]["memory_timeline"]
    assert len(kept) <= CURVE_POINTS and memory[4321] in kept and memory[1234] in kept
    assert (kept[0], kept[-1]) == (memory[0], memory[-1])
    steps = [point["step"] for point in facts["loss_curve"] if "training_loss" in point]
    assert len(steps) == CURVE_POINTS and (steps[0], steps[-1]) == (0, 10_000)
    assert max(np.diff(steps)) - min(np.diff(steps)) <= 1
