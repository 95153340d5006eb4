"""Generated texts outlive the process that wrote them, and a damaged file costs only its damaged lines."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import types
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import writers

from bench.errors import ConfigError, DataError
from bench.retrieval.generated import GeneratedTexts
from genrec.config import GenerateSettings
from genrec.decoding.techniques import USUAL
from genrec.generation.generator import generate, generation_key
from genrec.generation.kept_texts import Written, open_store
from genrec.generation.pace import pace_of

TOKENIZER = writers.tokenizer()
PROMPTS = writers.prompts(12, seed=1)
CHOSEN = GenerateSettings(
    strategy="sample", num_beams=3, max_new_tokens=10, max_seq_length=240, temperature=1.0, token_budget=500
)
KEY = "0123abcd"


def write(folder: Path | None, prompts: list[str] = PROMPTS, *, model: Any = None) -> GeneratedTexts:
    model = model or writers.llama(len(TOKENIZER), seed=5, end_bias=3.0)
    return generate(model, TOKENIZER, prompts, CHOSEN, seed=3, store=folder, key=KEY)


def same(left: GeneratedTexts, right: GeneratedTexts) -> bool:
    return left.texts == right.texts and bool(
        np.array_equal(left.log_likelihoods, right.log_likelihoods)
        and np.array_equal(left.tokens, right.tokens)
        and np.array_equal(left.truncated, right.truncated)
        and np.array_equal(left.indptr, right.indptr)
    )


def refuse_to_run(model: Any) -> Any:
    def fail(*_: object) -> None:
        raise AssertionError("the model was run")

    model.register_forward_pre_hook(fail)
    return model


def test_a_second_run_reads_what_the_first_wrote(tmp_path: Path) -> None:
    first = write(tmp_path)
    assert first.carried_seconds == 0 < first.seconds
    again = write(tmp_path, model=refuse_to_run(writers.llama(len(TOKENIZER), seed=5)))
    assert same(first, again)
    assert again.carried_seconds == pytest.approx(first.seconds) == pytest.approx(again.seconds)
    assert same(first, write(None))


@pytest.mark.parametrize("part", ["recipe", "versions"])
def test_texts_of_another_recipe_or_version_are_set_aside(part: str, tmp_path: Path) -> None:
    first = write(tmp_path)
    path = tmp_path / f"{KEY}.jsonl"
    head, rest = path.read_bytes().split(b"\n", 1)
    about = json.loads(head)
    about["made_by"][part] = 0 if part == "recipe" else {"torch": "1.0"}
    about["commit"] = "0123abc"
    other = json.dumps(about).encode() + b"\n" + rest
    path.write_bytes(other)
    again = write(tmp_path)
    assert again.carried_seconds == 0 and same(first, again) and again.commit == first.commit != "0123abc"
    assert other in [one.read_bytes() for one in tmp_path.glob("*.jsonl")], "nothing is lost"
    assert write(tmp_path).carried_seconds > 0


def test_one_line_a_prompt_after_the_head(tmp_path: Path) -> None:
    write(tmp_path, [*PROMPTS, *PROMPTS])
    head, *lines = (tmp_path / f"{KEY}.jsonl").read_text().splitlines()
    about = json.loads(head)
    assert {name: about[name] for name in ("format", "key", "token_budget")} == {
        "format": 1,
        "key": KEY,
        "token_budget": 500,
    }
    assert about["made_by"]["versions"]["torch"] == version("torch") and about["commit"]
    entries = [json.loads(line) for line in lines]
    assert len(entries) == len(set(PROMPTS)) == len({entry["prompt"] for entry in entries})
    assert all(len(entry["texts"]) == len(entry["log_likelihoods"]) == 3 for entry in entries)


@pytest.mark.parametrize("cut", [1, 17, 60])
def test_a_half_written_last_line_is_dropped_and_written_again(tmp_path: Path, cut: int) -> None:
    whole = write(tmp_path)
    path = tmp_path / f"{KEY}.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.warns(UserWarning, match="1 line"):
        assert same(write(tmp_path), whole)
    lines = path.read_text().splitlines()[1:]
    assert len({json.loads(line)["prompt"] for line in lines}) == len(lines) == len(set(PROMPTS))


@pytest.mark.parametrize("damage", [b"\0" * 40, b"{}", b"[1]", b'{"prompt": "x", "what": 1}', b"\xff\xfe"])
def test_a_damaged_line_costs_only_itself(tmp_path: Path, damage: bytes) -> None:
    whole = write(tmp_path)
    path = tmp_path / f"{KEY}.jsonl"
    lines = path.read_bytes().split(b"\n")
    lines[3] = damage
    path.write_bytes(b"\n".join(lines))
    with pytest.warns(UserWarning, match="not whole"):
        assert same(write(tmp_path), whole)


@pytest.mark.parametrize("kept", [0, 5, 30])
def test_a_file_cut_in_its_head_begins_anew(tmp_path: Path, kept: int) -> None:
    whole = write(tmp_path)
    path = tmp_path / f"{KEY}.jsonl"
    path.write_bytes(path.read_bytes()[:kept])
    if kept:
        with pytest.warns(UserWarning, match="not whole"):
            assert same(write(tmp_path), whole)
    else:
        assert same(write(tmp_path), whole)


def test_a_file_of_another_key_is_refused_and_left_alone(tmp_path: Path) -> None:
    write(tmp_path)
    content = (tmp_path / f"{KEY}.jsonl").read_bytes()
    other = tmp_path / "ffff.jsonl"
    other.write_bytes(content)
    with pytest.raises(DataError, match="move it away"), open_store(tmp_path, "ffff", token_budget=1):
        pass
    assert other.read_bytes() == content


@pytest.mark.parametrize("key", ["../x", "", "a/b", "a b"])
def test_a_key_is_never_a_path(tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigError, match="letters and digits"), open_store(tmp_path, key, token_budget=1):
        pass


def test_two_processes_do_not_write_one_file(tmp_path: Path) -> None:
    line = Written(texts=("a",), log_likelihoods=(-1.0,), tokens=(2,), ended=(True,), seconds=0.1)
    with open_store(tmp_path, KEY, token_budget=1) as store:
        store.add([("p", line)])
        with pytest.raises(ConfigError, match="another process"), open_store(tmp_path, KEY, token_budget=1):
            pass
    with open_store(tmp_path, KEY, token_budget=9) as store:
        assert store.written == {"p": line}
        assert store.token_budget == 1, "a run that goes on makes the batches of the first"


def test_odd_texts_come_back_as_they_were(tmp_path: Path) -> None:
    texts = ("line\nbreak", "\u2028 \x00 é 漢 😀", "\ufffd", '"quoted" \\')
    line = Written(
        texts=texts, log_likelihoods=(-0.1, -1 / 3, -1e-30, -1e30), tokens=(1, 2, 3, 4),
        ended=(True, False, True, True), seconds=1 / 3,
    )  # fmt: skip
    with open_store(tmp_path, KEY, token_budget=1) as store:
        store.add([("p", line)])
    with open_store(tmp_path, KEY, token_budget=1) as store:
        assert store.written == {"p": line}


def test_the_pace_is_that_of_the_model_as_it_runs() -> None:
    narrow = writers.llama(len(TOKENIZER), seed=5)
    pace = pace_of(narrow)
    assert pace["threads"] == 1 and pace["dtype"] == "torch.float32" and pace["device"]
    assert pace_of(narrow.to(torch.float64))["dtype"] != pace["dtype"]
    assert pace_of(narrow, replace(USUAL, shared_prefix=False))["techniques"] != pace["techniques"]
    wide = types.SimpleNamespace(
        device=torch.device("cpu"), dtype=torch.float32, config=types.SimpleNamespace(hidden_size=512)
    )
    assert pace_of(wide)["threads"] == torch.get_num_threads()


def test_the_key_covers_what_texts_and_their_seconds_depend_on_and_nothing_else() -> None:
    beam = GenerateSettings()
    here = {"device": "cpu", "threads": 1}

    def key(settings: GenerateSettings = beam, seed: int = 0, **others: Any) -> str:
        named = {"model": "m", "fingerprint": "f", "pace": here, **others}
        return generation_key(settings, seed=seed, **named)

    base = key()

    assert key(GenerateSettings(num_beams=6)) != base
    assert key(GenerateSettings(length_penalty=0.0)) != base
    assert key(model="n") != base and key(fingerprint="g") != base
    assert key(GenerateSettings(token_budget=64)) != base, "seconds are kept with the texts"
    assert key(pace={"device": "cpu", "threads": 2}) != base
    assert key(GenerateSettings(temperature=0.1, calrec_samples=3)) == base, "beam search reads neither"
    assert key(seed=1) == base, "beam search draws nothing"
    drawn = GenerateSettings(strategy="sample")
    assert key(drawn, seed=1) != key(drawn)
    assert key(GenerateSettings(strategy="sample", temperature=0.1)) != key(drawn)


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = {paths!r}
import test_generation_store as case
import writers

model = writers.llama(len(case.TOKENIZER), seed=5, end_bias=3.0)
passes = [0]

def count(*_):
    passes[0] += 1
    if passes[0] == {die_at}:
        os.kill(os.getpid(), signal.SIGKILL)

model.register_forward_pre_hook(count)
case.write(Path({folder!r}), model=model)
"""


def test_a_killed_run_goes_on_to_the_same_texts(tmp_path: Path) -> None:
    passes = [0]
    model = writers.llama(len(TOKENIZER), seed=5, end_bias=3.0)
    model.register_forward_pre_hook(lambda *_: passes.__setitem__(0, passes[0] + 1))
    whole = write(None, model=model)
    die_at = int(np.random.default_rng().integers(passes[0] // 2, passes[0]))
    code = KILLED.format(
        paths=[str(Path(__file__).parent), str(Path(__file__).parents[2] / "helpers")],
        die_at=die_at,
        folder=str(tmp_path),
    )
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    lines_then = (tmp_path / f"{KEY}.jsonl").read_bytes().count(b"\n") - 1
    assert 0 < lines_then < len(set(PROMPTS)), f"killed at pass {die_at} of {passes[0]}"
    resumed = write(tmp_path)
    assert same(resumed, whole)
    assert 0 < resumed.carried_seconds < resumed.seconds
