"""vLLM writes what our own engine writes, or the run is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import writers
import yaml
from tiny_models import base_checkpoint, compact_preset, shop

from bench.errors import ConfigError, ModelError, Unavailable
from bench.retrieval.generated import GeneratedTexts
from genrec.config import GenerateSettings
from genrec.engines.vllm_process.engine import PYTHON, vllm_version
from genrec.engines.vllm_process.parity import compare, keep, kept
from genrec.engines.vllm_process.search import Tokens, beam_search
from genrec.generation.generator import generate
from genrec.preset_files import load_preset
from genrec.recommender import GenerativeRecommender

TOKENIZER = writers.tokenizer()
PROMPTS = writers.prompts(6, seed=2)
DATA = shop()


@pytest.mark.parametrize("end_bias", [0.0, 3.0, 6.0])
@pytest.mark.parametrize("length_penalty", [0.0, 1.0, 2.0])
def test_the_search_over_single_tokens_gives_the_texts_of_our_own(
    end_bias: float, length_penalty: float
) -> None:
    model = writers.llama(len(TOKENIZER), seed=5, end_bias=end_bias)
    settings = GenerateSettings(
        num_beams=4, max_new_tokens=9, max_seq_length=240, length_penalty=length_penalty
    )
    ours = generate(model, TOKENIZER, PROMPTS, settings, seed=0)

    def next_tokens(sequences: list[Tokens]) -> list[list[tuple[int, float]]]:
        found = []
        with torch.inference_mode():
            for sequence in sequences:
                logits = model(input_ids=torch.tensor([sequence]), logits_to_keep=1).logits[0, -1]
                values, tokens = torch.log_softmax(logits, dim=-1).topk(8)
                found.append(list(zip(tokens.tolist(), values.tolist(), strict=True)))
        return found

    prompts = [tuple(ids) for ids in TOKENIZER(PROMPTS)["input_ids"]]
    theirs = beam_search(
        next_tokens, prompts, beams=4, steps=9, end=TOKENIZER.eos_token_id, length_penalty=length_penalty
    )
    for user, texts in enumerate(theirs):
        rows = slice(*ours.indptr[user : user + 2].tolist())
        best = sorted(texts, key=lambda text: -text.log_likelihood)
        decoded = TOKENIZER.batch_decode([text.tokens for text in best], skip_special_tokens=True)
        assert tuple(decoded) == ours.texts[rows]
        assert [text.log_likelihood for text in best] == pytest.approx(ours.log_likelihoods[rows], abs=1e-4)
        assert [len(text.tokens) for text in best] == ours.tokens[rows].tolist()
        assert [not text.ended for text in best] == ours.truncated[rows].tolist()


def texts(*users: tuple[str, ...]) -> GeneratedTexts:
    flat = [text for user in users for text in user]
    return GeneratedTexts(
        indptr=np.concatenate([[0], np.cumsum([len(user) for user in users])]),
        texts=tuple(flat),
        log_likelihoods=-np.arange(1.0, len(flat) + 1),
        tokens=np.ones(len(flat), dtype=np.int32),
        truncated=np.zeros(len(flat), dtype=bool),
        seconds=0.0,
        carried_seconds=0.0,
    )


def test_overlap_below_the_threshold_is_refused_with_the_first_difference() -> None:
    ours, theirs = texts(("a", "b"), ("c", "d")), texts(("b", "a"), ("c", "x"))
    facts = compare(["p", "q"], ours, theirs, threshold=0.75)
    assert facts["overlap@5"] == 0.75 and facts["users"] == 2
    assert facts["largest_log_likelihood_difference"] == 1.0
    with pytest.raises(ModelError, match=r"overlap@5 is 0.75 on 2 users, asked for 0.8") as told:
        compare(["p", "q"], ours, theirs, threshold=0.8)
    assert "behind 'q'" in str(told.value) and "'x' -4.000" in str(told.value)


def test_what_the_gate_found_is_kept(tmp_path: Path) -> None:
    assert kept(tmp_path / "k.json") is None
    keep(tmp_path / "k.json", {"overlap@5": 1.0})
    assert kept(tmp_path / "k.json") == {"overlap@5": 1.0}


def test_without_vllm_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PYTHON, "/nowhere/python")
    with pytest.raises(Unavailable, match=f"'/nowhere/python' .{PYTHON}. has no vllm"):
        vllm_version()


def test_the_search_inside_a_catalogue_stays_our_own() -> None:
    with pytest.raises(ConfigError, match="use engine: own"):
        load_preset("smollm2-135m", ["engine=vllm"])


@pytest.mark.slow
@pytest.mark.skipif(PYTHON not in os.environ, reason=f"{PYTHON} names no Python with vLLM")
@pytest.mark.parametrize("strategy", ["beam", "sample"])
def test_the_same_fine_tuned_weights_give_the_same_texts(strategy: str, tmp_path: Path) -> None:
    made = compact_preset(base_checkpoint(tmp_path / "base", DATA), max_steps=4)
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(json.loads(made.model_dump_json())))
    histories = DATA.validation.histories
    lists: dict[str, Any] = {}
    written = {}
    for engine in ("own", "vllm"):
        more = [f"engine={engine}", "vllm.eager=true", "vllm.parity=0.99", f"generate.strategy={strategy}"]
        model = GenerativeRecommender(str(path), 0, more, tmp_path / "work")
        model.fit(DATA)
        lists[engine] = model.recommend(histories, 6)
        written[engine] = model.generations()
    facts = model.details()
    assert facts["parity"]["overlap@5"] >= 0.99 and facts["total_parameters"] > 0
    assert facts["parity"]["largest_log_likelihood_difference"] < 0.01
    if strategy == "beam":
        assert written["vllm"].texts == written["own"].texts
        assert written["vllm"].log_likelihoods == pytest.approx(written["own"].log_likelihoods, abs=0.01)
        assert (lists["vllm"] == lists["own"]).all()


def test_a_search_chosen_on_validation_that_vllm_cannot_do_is_refused(tmp_path: Path) -> None:
    from genrec.engines.interface import Weights
    from genrec.engines.opening import open_engine

    weights = Weights(name="w", store=tmp_path, load=lambda _: (None, None), checkpoint=lambda: None)
    preset = load_preset("llama-1b", ["engine=vllm"])
    with pytest.raises(ConfigError, match="chosen on validation is 'constrained'"):
        open_engine(
            preset, GenerateSettings(strategy="constrained"), weights, seed=0, fingerprint="f", work=tmp_path
        )
