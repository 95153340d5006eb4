"""A small, correct server of the OpenAI interface, and servers that lie in one point each.

The model behind it gives every text a distribution over the next word that depends on the whole text: random,
but always the same. Nothing is taken from the code under test.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

WORDS = [
    "</s>",
    *(f" {word}" for word in "red green blue cream soap brush oil mask lotion gel balm 7 8".split()),
]
END = 0
KEY = "sk-local-secret-123"


def log_probs(text: str) -> np.ndarray:
    """Log-probabilities of the next word behind a text."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
    logits = np.random.default_rng(seed).normal(size=len(WORDS)) * 1.5
    logits[END] -= 1.0 if text.count(" ") % 3 else 4.0
    shifted = logits - logits.max()
    return shifted - np.log(np.exp(shifted).sum())


def continuation(prompt: str, asked: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Write one text as the options say, as a `choice` of /completions."""
    draw = np.random.default_rng([asked.get("seed", int(time.time_ns()) % 2**31), number])
    tokens: list[int] = []
    values: list[float] = []
    text, reason = "", "length"
    for _ in range(asked["max_tokens"]):
        own = log_probs(prompt + text)
        token = chosen(own, asked, draw)
        if token == END:
            reason = "stop"
            break
        tokens.append(token)
        values.append(float(own[token]))
        text += WORDS[token]
        ends = [text.index(stop) for stop in asked.get("stop", []) if stop in text]
        if ends:
            text, reason = text[: min(ends)], "stop"
            break
    choice: dict[str, Any] = {"index": number, "text": text, "finish_reason": reason, "logprobs": None}
    if asked.get("logprobs"):
        choice["logprobs"] = {"tokens": [WORDS[token] for token in tokens], "token_logprobs": values}
    return choice | {"written": len(tokens) + (reason == "stop")}


def chosen(own: np.ndarray, asked: Mapping[str, Any], draw: np.random.Generator) -> int:
    """Draw a word by temperature, top_k and top_p."""
    if asked["temperature"] == 0:
        return int(own.argmax())
    weights = np.exp(own / asked["temperature"])
    order = np.argsort(-weights)[: asked.get("top_k") or len(WORDS)]
    share = weights[order] / weights[order].sum()
    kept = int((share.cumsum() - share < asked.get("top_p", 1.0)).sum())
    share = share[:kept] / share[:kept].sum()
    return int(order[draw.choice(kept, p=share)])


def completion(asked: Mapping[str, Any], *, chat: bool) -> dict[str, Any]:
    """Answer a request."""
    prompt = asked["messages"][-1]["content"] if chat else asked["prompt"]
    choices = [continuation(prompt, asked, number) for number in range(asked.get("n", 1))]
    written = sum(choice.pop("written") for choice in choices)
    if chat:
        for choice in choices:
            choice["message"] = {"role": "assistant", "content": choice.pop("text")}
            if choice["logprobs"]:
                pairs = zip(*choice["logprobs"].values(), strict=True)
                choice["logprobs"] = {
                    "content": [{"token": token, "logprob": value} for token, value in pairs]
                }
    return {
        "model": f"{asked['model']}-0001",
        "choices": choices,
        "usage": {"prompt_tokens": len(prompt.split()) + 1, "completion_tokens": written},
    }


Fault = Callable[["Handler", Mapping[str, Any]], bool]
"""Does something instead of answering, and says whether it did."""
Lie = Callable[[dict[str, Any], Mapping[str, Any]], dict[str, Any]]
"""Changes an answer."""


@dataclass
class Server:
    """What the server was told to do, and what it saw."""

    url: str = ""
    model: str = "tiny"
    key: str | None = None
    lie: Lie | None = None
    deaf: tuple[str, ...] = ()
    """Options that are taken and not obeyed."""
    fault: Fault | None = None
    delay: float = 0.0
    seen: list[dict[str, Any]] = field(default_factory=list)
    """Bodies of all requests."""
    paid: Counter[str] = field(default_factory=Counter)
    """Body -> how often it was answered with texts."""
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def runs(self) -> list[dict[str, Any]]:
        """Requests of the run, those of the probe left out."""
        return [body for body in self.seen if "Count on" not in prompt_of(body)]

    @property
    def paid_runs(self) -> list[int]:
        """How often each request of the run was answered with texts."""
        return [count for body, count in self.paid.items() if "Count on" not in body]


def prompt_of(body: Mapping[str, Any]) -> str:
    return str(body["messages"][-1]["content"] if "messages" in body else body["prompt"])


class Handler(BaseHTTPRequestHandler):
    """Answers for the `Server` that its class attribute holds."""

    server_state: Server

    def do_GET(self) -> None:
        self.answer(200, {"data": [{"id": self.server_state.model}]})

    def do_POST(self) -> None:
        state = self.server_state
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if state.key is not None and self.headers["Authorization"] != f"Bearer {state.key}":
            self.answer(401, {"error": {"message": f"wrong key: {self.headers['Authorization']}"}})
            return
        with state.lock:
            state.seen.append(body)
            state.at_once += 1
            state.most_at_once = max(state.most_at_once, state.at_once)
        try:
            if state.fault is not None and state.fault(self, body):
                return
            time.sleep(state.delay)
            heard = {name: value for name, value in body.items() if name not in state.deaf}
            answer = completion({"temperature": 1.0, "max_tokens": 16, **heard}, chat="messages" in body)
            if state.lie is not None:
                answer = state.lie(answer, body)
            with state.lock:
                state.paid[json.dumps(body, sort_keys=True)] += 1
            self.answer(200, answer)
        finally:
            with state.lock:
                state.at_once -= 1

    def answer(self, status: int, tree: Any, **headers: str) -> None:
        content = tree if isinstance(tree, bytes) else json.dumps(tree).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that went away is no error of the server."""


@contextmanager
def serving(**told: Any) -> Iterator[Server]:
    """Serve on a free local port until the block ends."""
    state = Server(**told)
    handler = type("Handler", (Handler,), {"server_state": state})
    with _Quiet(("127.0.0.1", 0), handler) as server:
        state.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()


def best_texts(prompts: Sequence[str], max_tokens: int) -> list[str]:
    """The likeliest word each time, written apart from the server's loop."""
    found = []
    for prompt in prompts:
        text = ""
        for _ in range(max_tokens):
            token = int(log_probs(prompt + text).argmax())
            if token == END:
                break
            text += WORDS[token]
        found.append(text)
    return found


def likelihood(prompt: str, text: str) -> float:
    """Log-likelihood of a text behind a prompt, without an end token."""
    total, before = 0.0, prompt
    for word in text.split(" ")[1:]:
        total += float(log_probs(before)[WORDS.index(f" {word}")])
        before += f" {word}"
    return total
