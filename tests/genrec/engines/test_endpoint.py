"""A model served elsewhere writes what it would write here, and nothing is asked or paid for twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from served_model import KEY, Server, best_texts, likelihood, prompt_of, serving

from bench.errors import BenchError, ConfigError, Unavailable
from bench.retrieval.generated import GeneratedTexts
from genrec.config import GenerateSettings
from genrec.engines.endpoint.engine import EndpointEngine
from genrec.engines.endpoint.http import EndpointError
from genrec.engines.settings import KEY_VARIABLE, EndpointSettings
from genrec.generation.generator import TextGenerator

PROMPTS = [f"bought {number}:" for number in range(9)]
SAMPLE = GenerateSettings(
    strategy="sample", num_beams=3, max_new_tokens=6, temperature=0.7, top_k=5, top_p=0.9
)
GREEDY = GenerateSettings(strategy="beam", num_beams=1, max_new_tokens=6)


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genrec.engines.endpoint.http.LONGEST_PAUSE", 0.01)


class Run:
    """One run against a server, with its texts in a folder."""

    def __init__(
        self, server: Server, folder: Path, generate: GenerateSettings = SAMPLE, *, chat: bool = False,
        seed: int = 3, **endpoint: Any,
    ) -> None:  # fmt: skip
        self.folder, self.generate = folder, generate
        settings = EndpointSettings(base_url=server.url, model="tiny", **{"retries": 2, **endpoint})
        self.engine = EndpointEngine(settings, generate, chat=chat, seed=seed, paid=folder / "k.paid.jsonl")

    def __call__(self, prompts: list[str] = PROMPTS) -> GeneratedTexts:
        self.engine.prepare()
        generator = TextGenerator(lambda _: self.engine, self.generate, pace={}, packages=())
        return generator.generate(prompts, store=self.folder, key="k")

    def kept(self) -> list[dict[str, Any]]:
        path = self.folder / "k.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()[1:]] if path.is_file() else []


@pytest.mark.parametrize("chat", [False, True])
def test_the_likeliest_text_and_its_likelihood_are_the_models(tmp_path: Path, chat: bool) -> None:
    with serving() as server:
        found = Run(server, tmp_path, GREEDY, chat=chat)()
    assert list(found.texts) == best_texts(PROMPTS, 6) and len(found) == len(PROMPTS)
    expected = [likelihood(prompt, text) for prompt, text in zip(PROMPTS, found.texts, strict=True)]
    assert found.log_likelihoods == pytest.approx(expected)
    assert found.tokens.tolist() == [text.count(" ") for text in found.texts]


def test_samples_come_likeliest_first_and_depend_on_seed_and_prompt_alone(tmp_path: Path) -> None:
    with serving() as server:
        first = Run(server, tmp_path / "a")()
        backwards = Run(server, tmp_path / "b", concurrency=1)(PROMPTS[::-1])
        other = Run(server, tmp_path / "c", seed=4)()
    assert np.diff(first.indptr).tolist() == [3] * len(PROMPTS)
    rows = [first.texts[start : start + 3] for start in range(0, 27, 3)]
    again = [backwards.texts[start : start + 3] for start in range(0, 27, 3)]
    assert rows == again[::-1] and first.texts != other.texts
    likelihoods = first.log_likelihoods.reshape(-1, 3)
    assert (np.diff(likelihoods, axis=1) <= 0).all()
    for prompt, texts, values in zip(PROMPTS, rows, likelihoods, strict=True):
        assert values == pytest.approx([likelihood(prompt, text) for text in texts])


def test_the_same_options_are_asked_for_that_are_set(tmp_path: Path) -> None:
    with serving() as server:
        Run(server, tmp_path)(PROMPTS[:1])
        body = server.runs[0]
    assert {name: body[name] for name in ("model", "prompt", "n", "temperature", "top_k", "top_p")} == {
        "model": "tiny", "prompt": PROMPTS[0], "n": 3, "temperature": 0.7, "top_k": 5, "top_p": 0.9,
    }  # fmt: skip
    assert body["max_tokens"] == 6 and body["logprobs"] == 1 and 0 <= body["seed"] < 2**31


def test_a_second_run_asks_for_nothing_and_equal_prompts_are_asked_once(tmp_path: Path) -> None:
    with serving() as server:
        first = Run(server, tmp_path)([*PROMPTS, *PROMPTS])
        asked = len(server.seen)
        again = Run(server, tmp_path)([*PROMPTS, *PROMPTS])
        assert len(server.seen) == asked and len(server.runs) == len(PROMPTS)
    assert first.texts == again.texts and again.carried_seconds == pytest.approx(again.seconds)


def test_the_store_lost_the_answers_paid_for_are_still_there(tmp_path: Path) -> None:
    with serving() as server:
        first = Run(server, tmp_path)()
        (tmp_path / "k.jsonl").unlink()
        again = Run(server, tmp_path)()
        assert len(server.runs) == len(PROMPTS)
    assert first.texts == again.texts


def test_texts_one_by_one_where_the_server_knows_no_n(tmp_path: Path) -> None:
    with serving(deaf=("n",)) as server:
        with pytest.raises(EndpointError, match=r"asked for n=3 texts it gave 1.*texts_per_request=1"):
            Run(server, tmp_path / "a")()
        found = Run(server, tmp_path / "b", texts_per_request=1)()
        assert server.paid_runs[-27:] == [1] * 27 and "n" not in server.runs[-1]
    assert np.diff(found.indptr).tolist() == [3] * len(PROMPTS)


def test_no_more_requests_at_one_time_than_allowed(tmp_path: Path) -> None:
    with serving(delay=0.02) as server:
        Run(server, tmp_path, concurrency=3)()
    assert 1 < server.most_at_once <= 3


def test_calrec_keeps_equal_texts_once(tmp_path: Path) -> None:
    calrec = GenerateSettings(strategy="calrec", calrec_samples=12, max_new_tokens=2, top_k=2, top_p=1.0)
    with serving() as server:
        found = Run(server, tmp_path, calrec, texts_per_request=5)(PROMPTS[:2])
        assert [body["n"] for body in server.runs[:3]] == [5, 5, 2] or len(server.runs) == 6
    for start, end in zip(found.indptr[:-1], found.indptr[1:], strict=True):
        assert 1 < len(set(found.texts[start:end])) == end - start < 12


class TestKey:
    """The key comes from the environment, and goes nowhere but to the server."""

    def test_it_is_sent_and_never_kept_or_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(KEY_VARIABLE, KEY)
        with serving(key=KEY) as server:
            run = Run(server, tmp_path)
            run()
            assert KEY not in json.dumps(run.engine.facts())
            server.lie = lambda answer, _: {"error": f"{KEY} is over its limit"}
            with pytest.raises(EndpointError) as failure:
                run([*PROMPTS, f"bought {KEY[::-1]}"])
        assert KEY not in str(failure.value)
        assert not any(KEY.encode() in path.read_bytes() for path in tmp_path.iterdir())

    @pytest.mark.parametrize("given", [None, "sk-wrong-999"])
    def test_a_wrong_one_is_told_without_being_repeated(
        self, given: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if given:
            monkeypatch.setenv(KEY_VARIABLE, given)
        with serving(key=KEY) as server:
            with pytest.raises(
                ConfigError, match=rf"{KEY_VARIABLE} is not {'taken' if given else 'set'}"
            ) as told:
                Run(server, tmp_path)()
        assert "sk-" not in str(told.value)

    def test_a_password_in_the_address_is_refused_and_not_repeated(self) -> None:
        with pytest.raises(ConfigError, match="environment variable") as told:
            EndpointSettings(base_url=f"http://me:{KEY}@localhost:1/v1", model="tiny")
        assert KEY not in str(told.value)

    def test_it_does_not_follow_the_server_elsewhere(self, tmp_path: Path) -> None:
        def elsewhere(handler: Any, body: Any) -> bool:
            handler.answer(307, {}, Location="http://127.0.0.1:1/v1/completions")
            return True

        with serving(fault=elsewhere) as server, pytest.raises(ConfigError, match="sends elsewhere"):
            Run(server, tmp_path)()


def test_a_model_that_is_not_served_is_told_with_the_closest(tmp_path: Path) -> None:
    with serving(model="tinny") as server, pytest.raises(ConfigError, match="did you mean 'tinny'"):
        Run(server, tmp_path).engine.check_model()


def test_no_server_is_said_once_and_plainly(tmp_path: Path) -> None:
    with serving() as server:
        pass
    with pytest.raises(Unavailable, match="cannot be reached"):
        Run(server, tmp_path, retries=0).engine.check_model()


class TestMoney:
    """Tokens and money are counted, and the limit holds."""

    PRICES = {"price_in": 2.0, "price_out": 10.0}

    def test_tokens_and_price_are_the_servers(self, tmp_path: Path) -> None:
        with serving() as server:
            run = Run(server, tmp_path, **self.PRICES)
            run()
            half = Run(server, tmp_path, **self.PRICES)
            half()  # nothing new
        told = half.engine.facts()
        bodies = [json.loads(body) for body in server.paid.elements()]
        assert told == run.engine.facts() and told["requests"] == len(bodies)
        assert told["prompt_tokens"] == sum(len(prompt_of(body).split()) + 1 for body in bodies)
        expected = (told["prompt_tokens"] * 2 + told["completion_tokens"] * 10) / 1e6
        assert told["spent_at_most"] == pytest.approx(expected, abs=1e-6)

    def test_the_limit_is_never_passed_and_nothing_is_lost(self, tmp_path: Path) -> None:
        limit = 0.0025
        with serving(delay=0.005) as server:
            run = Run(server, tmp_path, **self.PRICES, spend_limit=limit)
            with pytest.raises(ConfigError, match=r"limit of 0\.0025 is spent.*--spend-limit"):
                run()
            assert 0 < run.engine.facts()["spent_at_most"] <= limit
            kept = len(run.kept())
            assert 0 < kept < len(PROMPTS)
            done = Run(server, tmp_path, **self.PRICES, spend_limit=1.0)()
            assert len(server.runs) == len(PROMPTS) == len(done), "what was paid for was not asked again"

    def test_a_price_without_counted_tokens_is_refused(self, tmp_path: Path) -> None:
        def silent(answer: dict[str, Any], _: Any) -> dict[str, Any]:
            return {name: value for name, value in answer.items() if name != "usage"}

        with serving(lie=silent) as server:
            with pytest.raises(EndpointError, match="price is unknown"):
                Run(server, tmp_path / "a", **self.PRICES)()
            found = Run(server, tmp_path / "b")
            found()
        assert found.engine.facts()["requests_without_counts"] == found.engine.facts()["requests"]

    def test_a_limit_without_prices_is_refused(self) -> None:
        with pytest.raises(ValueError, match="needs price_in"):
            EndpointSettings(spend_limit=1.0)

    def test_a_limit_does_not_go_with_sending_again_what_may_have_been_charged(self) -> None:
        with pytest.raises(ValueError, match="charged twice"):
            EndpointSettings(spend_limit=1.0, price_in=1, price_out=1, resend_unanswered=True)


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = {paths!r}
from served_model import Server
from test_endpoint import Run
Run(Server(url={url!r}), Path({folder!r}), concurrency=2)()
"""


def test_a_killed_run_goes_on_without_repeating_a_request(tmp_path: Path) -> None:
    """The server kills the run when its fifth request comes in; what it answered is never asked again."""
    process: list[subprocess.Popen[str]] = []

    def kill(handler: Any, body: Any) -> bool:
        if len(server.runs) == 5 and process[0].poll() is None:
            time.sleep(0.3)  # the one beside it is answered and kept meanwhile
            process[0].send_signal(signal.SIGKILL)
            process[0].wait()
            return True
        return len(server.runs) > 5 and process[0].poll() is None and bool(time.sleep(1) or True)

    with serving(fault=kill) as server:
        paths = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "helpers")]
        code = KILLED.format(paths=paths, url=server.url, folder=str(tmp_path))
        process.append(subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True))
        _, errors = process[0].communicate(timeout=120)
        assert process[0].returncode == -signal.SIGKILL, errors
        before = sum(server.paid_runs)
        probes = len(server.seen) - len(server.runs)
        resumed = Run(server, tmp_path)
        found = resumed()
        assert set(server.paid_runs) == {1}, "no answer was paid for twice"
        assert len(server.seen) - len(server.runs) == probes, "nor was the server probed again"
        assert 2 <= before < sum(server.paid_runs) == len(PROMPTS)
        assert resumed.engine.facts()["requests_unanswered"] in (1, 2)
    with serving() as fresh:
        assert Run(fresh, tmp_path / "whole")().texts == found.texts


def test_two_processes_do_not_ask_for_one_file(tmp_path: Path) -> None:
    from genrec.engines.endpoint.paid import open_paid

    settings = EndpointSettings()
    with open_paid(tmp_path / "k.paid.jsonl", settings):
        with pytest.raises(ConfigError, match="another process"):
            with open_paid(tmp_path / "k.paid.jsonl", settings):
                pass


def test_an_interrupted_run_is_a_bench_error_only_where_it_says_what_to_do() -> None:
    assert issubclass(EndpointError, BenchError)
