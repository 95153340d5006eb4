"""The engine `openai`: prompts in, texts out, several requests under way at one time.

When a request fails for good, those under way are waited for and kept before the error is raised: no answer
that was paid for is lost, and a run that goes on sends none of them again.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import BenchError, ConfigError, Unavailable, unknown_name
from bench.schema import BoolArray, Int32Array, Int64Array
from genrec.config import GenerateSettings
from genrec.engines.endpoint.answers import check, written
from genrec.engines.endpoint.dialect import Asked, Choice, Usage, parsed, payload, place
from genrec.engines.endpoint.http import Client, EndpointError, Stopped, Unanswered, Unreachable
from genrec.engines.endpoint.paid import Paid, open_paid, request_digest
from genrec.engines.endpoint.probe import probe
from genrec.engines.settings import EndpointSettings
from genrec.generation.kept_texts import Written
from genrec.generation.strategies import STRATEGIES


class EndpointEngine:
    """A served model as a writer of texts. `prepare` it before the first prompt."""

    token_budget = 0
    """Batches are the server's affair."""

    def __init__(
        self,
        endpoint: EndpointSettings,
        generate: GenerateSettings,
        *,
        chat: bool,
        seed: int,
        paid: Path | None = None,
    ) -> None:
        """`paid` is the file of answers (see `genrec.engines.endpoint.paid`); None keeps them in memory."""
        self._client = Client(endpoint)
        self._endpoint, self._generate, self._chat, self._seed = endpoint, generate, chat, seed
        self._path = paid
        self._paid = Paid(endpoint, None, [])

    def check_model(self) -> None:
        """Ask which models are served, where the server says so: one that is not served is an error.

        Raises Unavailable where the server cannot be reached, ConfigError where it wants another key.
        """
        try:
            reply = self._client.get("models")
        except Unreachable as error:
            raise Unavailable(str(error)) from None
        except Unanswered:
            raise
        except EndpointError:
            return  # not every server tells
        names = _served_models(reply.body)
        if names and self._endpoint.model not in names:
            raise unknown_name(f"model at {self._endpoint.base_url}", str(self._endpoint.model), names)

    def prepare(self) -> None:
        """Try what the run will use, where that was not done before; see `genrec.engines.endpoint.probe`."""
        with self._open():
            if self._paid.facts is None:
                wanted = self._asked("", 0, self._texts_a_request[0])
                self._paid.keep_facts(probe(self._probing, self._endpoint, wanted))

    @contextmanager
    def _open(self) -> Iterator[None]:
        with open_paid(self._path, self._endpoint) as paid:
            if self._path is None:
                paid.facts = self._paid.facts
            self._paid = paid
            yield

    def write(
        self,
        prompts: Sequence[str],
        keys: Sequence[str],
        needed: BoolArray,
        seen: Sequence[Int32Array] | None = None,
    ) -> Iterator[tuple[Int64Array, list[Written]]]:
        """Write the needed prompts, one a batch, as their answers come (see `genrec.engines.interface`)."""
        if seen is not None:
            raise ConfigError("a server does not know a user's items: generate.exclude_seen=false")
        self._client.start()
        with self._open(), ThreadPoolExecutor(self._endpoint.concurrency) as pool:
            try:
                yield from self._answers(pool, prompts, keys, np.flatnonzero(needed).tolist())
            finally:
                self._client.stop()

    def _answers(
        self, pool: ThreadPoolExecutor, prompts: Sequence[str], keys: Sequence[str], rows: Sequence[int]
    ) -> Iterator[tuple[Int64Array, list[Written]]]:
        """Give prompts as they are answered, and at last raise what went wrong first."""
        waiting, running = iter(rows), dict[Future[Written], int]()
        failed: BenchError | None = None
        last = time.perf_counter()
        while True:
            room = 2 * self._endpoint.concurrency - len(running)
            for row in islice(waiting, room if failed is None else 0):
                running[pool.submit(self._text, prompts[row], keys[row])] = row
            if not running:
                break
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                row = running.pop(done)
                try:
                    texts = done.result()
                except BenchError as error:
                    if failed is None or isinstance(failed, Stopped):  # others stop because one failed
                        failed = error
                    continue
                now = time.perf_counter()
                yield np.array([row]), [replace(texts, seconds=now - last)]
                last = now
        if failed is not None:
            raise failed

    @property
    def request_seconds(self) -> list[float]:
        """Time of each request that was answered in this run."""
        return list(self._paid.seconds)

    def facts(self) -> dict[str, Any]:
        """What a record keeps: what the server can do, what was asked of it and what that cost."""
        bill, settings = self._paid.bill, self._endpoint
        return {
            "base_url": settings.base_url,
            "model": settings.model,
            "served_as": sorted(self._paid.models),
            "chat": self._chat,
            "capabilities": self._paid.facts,
            "requests": bill.requests,
            "requests_unanswered": bill.unanswered,
            "requests_refused": bill.refused,
            "requests_without_counts": bill.uncounted,
            "prompt_tokens": bill.prompt_tokens,
            "completion_tokens": bill.completion_tokens,
            "price_in": settings.price_in,
            "price_out": settings.price_out,
            "spent_at_most": None if settings.price_in is None else round(self._paid.spent, 6),
        }

    @property
    def _texts_a_request(self) -> list[int]:
        """How many texts of a prompt each of its requests asks for."""
        total = self._generate.continuations
        each = min(total, self._endpoint.texts_per_request or total)
        return [min(each, total - start) for start in range(0, total, each)]

    def _asked(self, prompt: str, seed: int, texts: int) -> Asked:
        drawn = STRATEGIES[self._generate.strategy].drawn
        sends_seed = drawn and (self._paid.facts or {}).get("seed_obeyed", False)
        return Asked(
            prompt=prompt,
            texts=texts,
            max_tokens=self._generate.max_new_tokens,
            temperature=self._generate.temperature if drawn else 0.0,
            top_p=self._generate.top_p if drawn else 1.0,
            top_k=self._generate.top_k if drawn else 0,
            seed=seed if sends_seed else None,
            stop=self._endpoint.stop,
        )

    def _text(self, prompt: str, key: str) -> Written:
        """Write one prompt's texts, by one request or several; after a failure none is sent any more."""
        each = enumerate(self._texts_a_request)
        try:
            parts = [self._part(prompt, key, number, texts) for number, texts in each]
        except BenchError:
            self._client.stop()
            raise
        return _joined(parts, distinct=STRATEGIES[self._generate.strategy].distinct)

    def _part(self, prompt: str, key: str, number: int, texts: int) -> Written:
        stream = hashlib.sha256(f"{self._seed}:{key}:{number}".encode()).digest()
        asked = self._asked(prompt, int.from_bytes(stream[:4]) >> 1, texts)
        body = payload(asked, self._endpoint, chat=self._chat)
        digest = request_digest({**body, "part": number})
        found = self._paid.answers.get(digest)
        return found or self._request(digest, asked, body)[1]

    def _probing(self, asked: Asked) -> list[Choice]:
        body = payload(asked, self._endpoint, chat=self._chat)
        return self._request(request_digest({**body, "probe": True}), asked, body, probe=True)[0]

    def _request(
        self, digest: str, asked: Asked, body: dict[str, Any], *, probe: bool = False
    ) -> tuple[list[Choice], Written]:
        """Send, keep what comes, and give it if it is what was asked for."""
        self._paid.reserve(digest, asked)
        try:
            reply = self._client.post(place(self._chat), body)
        except Unanswered as error:
            self._paid.unanswered(digest, asked, str(error))
            raise
        except BenchError:
            self._paid.free(digest)
            raise
        usage = Usage(prompt_tokens=None, completion_tokens=None)
        try:
            choices, usage, model = parsed(reply.body, chat=self._chat)
            check(choices, usage, asked, self._endpoint)
        except EndpointError as error:
            text = self._client.without_key(reply.body.decode(errors="replace"))
            self._paid.refused(digest, asked, usage, text, str(error))
            raise EndpointError(
                f"the answer of the server at {self._endpoint.base_url} cannot be used: {error}. It is kept "
                "beside the texts, as it came; those of before are kept too"
            ) from None
        texts = written(choices, usage, reply.seconds)
        self._paid.answered(digest, texts, usage, model, probe=probe)
        return choices, texts


def _joined(parts: Sequence[Written], *, distinct: bool) -> Written:
    """Put the texts of several requests together, likeliest first; with `distinct`, equal ones once."""
    rows = list(chain.from_iterable(
        zip(part.texts, part.log_likelihoods, part.tokens, part.ended, strict=True) for part in parts
    ))  # fmt: skip
    rows.sort(key=lambda row: -row[1])
    if distinct:
        first: dict[str, Any] = {}
        for row in rows:
            first.setdefault(row[0], row)
        rows = list(first.values())
    texts, likelihoods, tokens, ended = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Written(
        texts=texts,
        log_likelihoods=likelihoods,
        tokens=tokens,
        ended=ended,
        seconds=sum(part.seconds for part in parts),
    )


def _served_models(body: bytes) -> list[str]:
    try:
        rows = json.loads(body)["data"]
        return [row["id"] for row in rows if isinstance(row["id"], str)]
    except (ValueError, KeyError, TypeError):
        return []
