"""A served model as a row of the board: nothing is trained here, and the record says who was asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from served_model import KEY, best_texts, prompt_of, serving
from tiny_models import shop

from bench.contract import RecommenderContract
from bench.errors import ConfigError, Unavailable
from genrec.engines.settings import KEY_VARIABLE
from genrec.recommender import GenerativeRecommender

ROOT = Path(__file__).resolve().parents[3]
DATA = shop()
SETTINGS = ["engine=openai", "endpoint.model=tiny", "generate.strategy=beam", "generate.num_beams=1"]


def settings(url: str, *more: str) -> list[str]:
    return [*SETTINGS, f"endpoint.base_url={url}", "generate.max_new_tokens=6", *more]


def test_lists_come_from_the_served_texts(tmp_path: Path) -> None:
    with serving() as server:
        model = GenerativeRecommender("llama-1b", 0, settings(server.url), tmp_path)
        model.check_available(DATA)
        model.fit(DATA)
        lists = model.recommend(DATA.validation.histories, 6)
        again = GenerativeRecommender("llama-1b", 0, settings(server.url), tmp_path)
        again.fit(DATA)
        assert (again.recommend(DATA.validation.histories, 6) == lists).all()
        assert (again.recommend_afresh(DATA.validation.histories, 6) == lists).all()
        distinct = list(dict.fromkeys(prompt_of(body) for body in server.runs))
        assert len(distinct) == len(server.runs), "asking for latency or again costs nothing"
    generations = model.generations()
    assert generations is not None and set(generations.texts) == set(best_texts(distinct, 6))
    facts = model.details()
    assert facts["engine"] == "openai" and facts["endpoint"]["served_as"] == ["tiny-0001"]
    assert "finetuning" not in facts and facts["total_parameters"] is None
    assert "base_model" not in model.parameters and "finetune" not in model.parameters
    assert len(model.request_seconds() or []) == len(distinct) and again.request_seconds() == []


def test_price_limit_and_concurrency_name_no_other_texts(tmp_path: Path) -> None:
    histories = DATA.validation.histories
    more = ["endpoint.price_in=1", "endpoint.price_out=2", "endpoint.spend_limit=9", "endpoint.concurrency=1"]
    with serving() as server:
        for own in ([], more, ["endpoint.stop=['|']"]):
            model = GenerativeRecommender("llama-1b", 0, settings(server.url, *own), tmp_path)
            model.fit(DATA)
            model.recommend(histories, 3)
        assert len(server.runs) == 2 * len({prompt_of(body) for body in server.runs})


def test_no_server_means_that_the_row_is_skipped(tmp_path: Path) -> None:
    with serving() as server:
        pass
    model = GenerativeRecommender("llama-1b", 0, settings(server.url, "endpoint.retries=0"), tmp_path)
    with pytest.raises(Unavailable, match="cannot be reached"):
        model.check_available(DATA)


def test_one_command_asks_the_server_and_writes_a_record_without_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    monkeypatch.setenv("GENREC_BENCH_WORK", str(tmp_path / "work"))
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # under which pytest-benchmark times nothing
    with serving(key=KEY) as server:
        code = pytest.main([
            str(ROOT / "bench"), "-p", "no:cacheprovider", "--benchmark", "--models", "llama-1b",
            "--results", str(tmp_path / "results"), "--engine", "openai", "--base-url", server.url,
            "--model", "tiny", "--price-in", "1", "--price-out", "2", "--spend-limit", "5",
            *(word for one in SETTINGS[2:] for word in ("--set", one)), "--set", "endpoint.concurrency=8",
            "--set", "generate.max_new_tokens=6", "--set", "history_items=1",
        ])  # fmt: skip
        asked = len(server.runs)
    assert code == 0
    (path,) = (tmp_path / "results").rglob("*Z-*.json")
    record: dict[str, Any] = json.loads(path.read_text())
    told = record["details"]["endpoint"]
    assert told["base_url"] == server.url and told["model"] == "tiny" and 0 < told["spent_at_most"] <= 5
    assert told["requests"] > record["cost"]["latency_ms"]["users"] == asked
    assert record["model"]["parameters"]["engine"] == "openai"
    assert f"--set endpoint.base_url={server.url}" in record["command"]
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert written and not any(KEY.encode() in path.read_bytes() for path in written)


class TestContract(RecommenderContract):
    """The suite that every model is put through, against a server."""

    url: str
    work: Path

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def server(cls, tmp_path_factory: pytest.TempPathFactory) -> Any:
        cls.work = tmp_path_factory.mktemp("work")
        with serving() as server:
            cls.url = server.url
            yield

    def make_model(self, seed: int) -> GenerativeRecommender:
        return GenerativeRecommender("llama-1b", seed, settings(self.url), self.work)


def test_what_needs_the_weights_at_hand_says_so() -> None:
    from genrec.candidate_ranker import CandidateRanker

    own = [*settings("http://localhost:1/v1")[:4], "endpoint.base_url=http://localhost:1/v1"]
    changes = ["generate.exclude_seen=false", *own]
    with pytest.raises(ConfigError, match="scoring candidates needs the engine 'own'"):
        CandidateRanker("smollm2-135m-score", 0, changes)
