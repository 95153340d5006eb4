"""Servers that do not do what they say: each is found out, told plainly, and costs nothing twice."""

from __future__ import annotations

import json
import socket
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from served_model import Lie, best_texts, serving
from test_endpoint import GREEDY, PROMPTS, SAMPLE, Run, no_key, quick

from bench.errors import ConfigError
from genrec.config import GenerateSettings
from genrec.engines.endpoint.http import EndpointError, Unanswered

__all__ = ["no_key", "quick"]  # fixtures that act on every test here


def without_log_probs(answer: dict[str, Any], _: Any) -> dict[str, Any]:
    for choice in answer["choices"]:
        choice["logprobs"] = None
    return answer


def cut_in_half(answer: dict[str, Any], _: Any) -> dict[str, Any]:
    for choice in answer["choices"]:
        choice["text"] = choice["text"][: len(choice["text"]) // 2]
    return answer


def cut_with_its_tokens(answer: dict[str, Any], _: Any) -> dict[str, Any]:
    for choice in answer["choices"]:
        choice["text"] = "".join(choice["logprobs"]["tokens"][:1])
        choice["logprobs"] = {name: values[:1] for name, values in choice["logprobs"].items()}
        choice["finish_reason"] = "stop"
    return answer


def low_limit(answer: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    answer = cut_with_its_tokens(answer, body)
    answer["usage"]["completion_tokens"] = len(answer["choices"])
    for choice in answer["choices"]:
        choice["finish_reason"] = "length"
    return answer


def impossible(answer: dict[str, Any], _: Any) -> dict[str, Any]:
    for choice in answer["choices"]:
        choice["logprobs"]["token_logprobs"] = [0.5 for _ in choice["logprobs"]["tokens"]]
    return answer


def tempered(answer: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """Log-probabilities at the temperature, and not the model's own."""
    for choice in answer["choices"]:
        values = choice["logprobs"]["token_logprobs"]
        choice["logprobs"]["token_logprobs"] = [value / max(body["temperature"], 0.01) for value in values]
    return answer


@pytest.mark.parametrize(
    ("lie", "told"),
    [
        (without_log_probs, "no log-probabilities.*endpoint.likelihoods=false"),
        (cut_in_half, "a text was cut"),
        (cut_with_its_tokens, "the rest was cut, or is hidden"),
        (low_limit, "server's own limit is lower"),
        (impossible, "log-probabilities are none"),
        (tempered, "not the model's own"),
        (lambda answer, _: {"choices": "none"}, "no list `choices`"),
        (lambda answer, _: {"choices": [{"text": 7}]}, "has no text"),
        (lambda answer, _: answer | {"choices": []}, "it gave 0"),
    ],
)
def test_an_answer_that_is_not_what_was_asked_for(lie: Lie, told: str, tmp_path: Path) -> None:
    with serving(lie=lie) as server:
        with pytest.raises(EndpointError, match=told):
            Run(server, tmp_path)()
        assert server.runs == [], "found out before the run"
    lines = [json.loads(line) for line in (tmp_path / "k.paid.jsonl").read_text().splitlines()]
    if lie is not tempered:
        assert lines[-1]["status"] == "refused" and json.loads(lines[-1]["body"]), "kept as it came"


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("n", "asked for n=3"),
        ("temperature", "ignores `temperature`"),
        ("top_k", "`top_k` and does not obey it; generate.top_k=0"),
        ("top_p", "`top_p` and does not obey it; generate.top_p=1"),
        ("max_tokens", "where max_tokens allows"),
        ("logprobs", "no log-probabilities"),
        ("stop", "where `stop` ends it"),
    ],
)
def test_an_option_that_is_taken_and_ignored_is_an_error(option: str, told: str, tmp_path: Path) -> None:
    with serving(deaf=(option,)) as server:
        with pytest.raises(EndpointError, match=told):
            Run(server, tmp_path, stop=("\n",))()
        assert server.runs == []


def test_a_seed_that_is_ignored_is_not_sent_and_the_record_says_so(tmp_path: Path) -> None:
    with serving(deaf=("seed",)) as server:
        run = Run(server, tmp_path)
        run()
        assert not any("seed" in body for body in server.runs)
    assert run.engine.facts()["capabilities"]["seed_obeyed"] is False


def test_a_limit_under_its_other_name(tmp_path: Path) -> None:
    def other_name(handler: Any, body: dict[str, Any]) -> bool:
        body["max_tokens"] = body.pop("max_completion_tokens")
        return False

    with serving(fault=other_name) as server:
        Run(server, tmp_path, GREEDY, max_tokens_field="max_completion_tokens")()
        assert len(server.runs) == len(PROMPTS)


def test_one_text_a_prompt_can_do_without_likelihoods(tmp_path: Path) -> None:
    with serving(lie=without_log_probs) as server:
        found = Run(server, tmp_path, GREEDY, likelihoods=False)()
        assert not any("logprobs" in body for body in server.seen)
    assert list(found.texts) == best_texts(PROMPTS, 6)


class Once:
    """Does something wrong to the first requests of the run and to none of the probe."""

    def __init__(self, what: Any, *, times: int = 1) -> None:
        self.what, self.left = what, times

    def __call__(self, handler: Any, body: dict[str, Any]) -> bool:
        if "Count on" in body.get("prompt", "") or self.left == 0:
            return False
        self.left -= 1
        self.what(handler)
        return True


@pytest.mark.parametrize("status", [429, 500, 502, 503, 529])
def test_a_server_that_did_no_work_is_asked_again(status: int, tmp_path: Path) -> None:
    with serving(fault=Once(lambda handler: handler.answer(status, {"error": "busy"}), times=2)) as server:
        run = Run(server, tmp_path, concurrency=1)
        found = run()
        assert set(server.paid_runs) == {1} and len(server.runs) == len(PROMPTS) + 2
    assert len(found) == len(PROMPTS) and run.engine.facts()["requests_unanswered"] == 0


def test_a_server_that_stays_broken_is_told_with_what_it_says(tmp_path: Path) -> None:
    fault = Once(lambda handler: handler.answer(500, {"error": {"message": "out of\n memory"}}), times=99)
    with (
        serving(fault=fault) as server,
        pytest.raises(EndpointError, match=r"500: out of memory \(3 tries\)"),
    ):
        Run(server, tmp_path)()


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_obeyed_by_all_requests(as_date: bool, tmp_path: Path) -> None:
    told: list[float] = []

    def later(handler: Any) -> None:
        told.append(time.time())
        wait = formatdate(told[0] + 2, usegmt=True) if as_date else "1"
        handler.answer(429, {}, Retry_After=wait)

    with serving(fault=Once(later)) as server:
        came: list[float] = []

        def noted(answer: dict[str, Any], body: Any) -> dict[str, Any]:
            if told:
                came.append(time.time())
            return answer

        server.lie = noted
        Run(server, tmp_path, concurrency=1)()
    assert min(came) - told[0] >= 0.95


def test_a_server_that_asks_for_too_long_a_wait_ends_the_run(tmp_path: Path) -> None:
    fault = Once(lambda handler: handler.answer(429, {}, Retry_After="86400"))
    with serving(fault=fault) as server, pytest.raises(EndpointError, match="asks to wait 86400 s"):
        Run(server, tmp_path, concurrency=1)()


def shut(handler: Any) -> None:
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def half_an_answer(handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [{"text": "half')
    handler.wfile.flush()
    shut(handler)


def drop_by_drop(handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(40):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("what", "told"),
    [
        (shut, "closed the connection"),
        (half_an_answer, "closed the connection"),
        (lambda handler: time.sleep(1), "no whole answer in 0.5 s"),
        (drop_by_drop, "no whole answer in 0.5 s"),
        (
            lambda handler: handler.answer(504, {"error": "gateway"}),
            "504: gateway; the request may have been",
        ),
    ],
)
def test_what_may_have_been_charged_is_not_sent_again_by_itself(what: Any, told: str, tmp_path: Path) -> None:
    prices = {"price_in": 1.0, "price_out": 1.0}
    with serving(fault=Once(what)) as server:
        run = Run(server, tmp_path, timeout_seconds=0.5, **prices)
        with pytest.raises(Unanswered, match=told):
            run()
        assert len(run.kept()) == sum(server.paid_runs) == len(server.runs) - 1, "what came beside it is kept"
        facts = run.engine.facts()
        assert facts["requests_unanswered"] == 1
        assert facts["spent_at_most"] > (facts["prompt_tokens"] + facts["completion_tokens"]) / 1e6
        Run(server, tmp_path, timeout_seconds=5)()
        assert set(server.paid_runs) == {1} and len(server.paid_runs) == len(PROMPTS)


def test_it_is_sent_again_where_the_user_says_so(tmp_path: Path) -> None:
    with serving(fault=Once(shut, times=2)) as server:
        assert len(Run(server, tmp_path, concurrency=1, resend_unanswered=True)()) == len(PROMPTS)


def test_broken_json_is_kept_as_it_came_and_ends_the_run(tmp_path: Path) -> None:
    fault = Once(lambda handler: handler.answer(200, b'{"choices": [{"text": "dear and pa'))
    with serving(fault=fault) as server:
        run = Run(server, tmp_path)
        with pytest.raises(EndpointError, match="not whole JSON"):
            run()
        assert "dear and pa" in (tmp_path / "k.paid.jsonl").read_text()
        assert run.engine.facts()["requests_refused"] == 1
        Run(server, tmp_path)()
        assert set(server.paid_runs) == {1}


def test_a_lie_in_the_middle_of_the_run_is_found_out_too(tmp_path: Path) -> None:
    def later(answer: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        return without_log_probs(answer, body) if body["prompt"] == PROMPTS[5] else answer

    with serving(lie=later) as server:
        run = Run(server, tmp_path, concurrency=1)
        with pytest.raises(EndpointError, match="no log-probabilities"):
            run()
        assert len(run.kept()) >= 5


def test_a_refused_request_says_what_the_server_says(tmp_path: Path) -> None:
    fault = Once(lambda handler: handler.answer(400, {"error": {"message": "prompt is too long"}}))
    with serving(fault=fault) as server, pytest.raises(EndpointError, match="400: prompt is too long"):
        Run(server, tmp_path)()
    sent = [body["prompt"] for body in server.runs]
    assert len(set(sent)) == len(sent), "a request that cannot work is not tried again"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"strategy": "constrained"}, "knows generate.strategy: sample and calrec"),
        ({"strategy": "beam", "num_beams": 5}, "num_beams: 1"),
    ],
)
def test_a_strategy_that_no_endpoint_has_is_refused(changes: dict[str, Any], told: str) -> None:
    from genrec.config import Preset

    endpoint = {"base_url": "http://localhost:1/v1", "model": "m"}
    tree = {"base_model": "m", "engine": "openai", "endpoint": endpoint}
    with pytest.raises(ValueError, match=told):
        Preset.model_validate(tree | {"generate": GenerateSettings(**changes).model_dump()})
    Preset.model_validate(tree | {"generate": SAMPLE.model_dump()})


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x/v1", "http://", "http://x:port/v1"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    from genrec.preset_files import load_preset

    with pytest.raises(ConfigError, match="endpoint.base_url"):
        load_preset("llama-1b", [f"endpoint.base_url={url}"])
