"""Valid records for tests of whatever reads a results folder: a few rich ones, or many quickly."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from bench.metrics.ranking import evaluate
from bench.record import Kind, Metrics, ModelInfo, Record, dataset_info
from bench.record_parts import Cost, Environment, Latency, MemorySample, PeakVram
from bench.records import store
from bench.schema import Generations, Rankings, Split
from bench.tuning.ledger import Ledger

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
GB = 10**9


def make_rankings(split: Split, *, skill: float, seed: int = 0, depth: int = 50) -> Rankings:
    """Random lists in which a share `skill` of the users find their target among the first places.

    The draws come from the seed alone, so that two skills differ in the users between them.
    """
    rng = np.random.default_rng(seed)
    keys = rng.random((len(split.test), len(split.catalogue)))
    hit = rng.random(len(split.test)) < skill
    place = rng.geometric(0.3, size=len(split.test)) - 1
    order = np.argsort(keys, axis=1)[:, :depth].astype(np.int32)
    for user in np.flatnonzero(hit & (place < depth)):
        target = split.test.targets[user]
        rest = order[user][order[user] != target]
        order[user] = np.insert(rest, place[user], target)[:depth]
    return order


def environment(gpu: str | None = None, dirty: bool = False) -> Environment:
    """Describe a machine."""
    return Environment(
        commit="0123456789abcdef0123456789abcdef01234567",
        dirty=dirty,
        packages={"numpy": "2.4.6", "bm25s": "0.3.16"},
        cpu="Example CPU",
        cores=2,
        gpu=gpu,
        driver="580.1" if gpu else None,
        os="Linux",
        python="3.11.7",
    )


def gpu_cost(hours: float) -> Cost:
    """Cost of a long run on a GPU, with a memory timeline."""
    seconds = hours * 3600
    stages = ("load", "fit", "fit", "fit", "recommend", "recommend", "score")
    timeline = [
        MemorySample(seconds=seconds * index / 6, stage=stage, rss_bytes=3 * GB, vram_bytes=(2 + index) * GB)
        for index, stage in enumerate(stages)
    ]
    return Cost(
        wall_seconds={"load": 2.0, "fit": seconds * 0.6, "recommend": seconds * 0.4, "score": 1.0},
        users_per_second=1000 / (seconds * 0.4),
        latency_ms=Latency(p50=850.0, p95=1200.0, users=200),
        peak_rss_bytes=3 * GB,
        peak_vram_bytes=PeakVram(allocated=6 * GB, reserved=7 * GB, process=8 * GB),
        energy_joules=seconds * 300,
        memory_timeline=timeline,
    )


def cpu_cost(seconds: float) -> Cost:
    """Cost of a short run without a GPU."""
    return Cost(
        wall_seconds={"load": 1.0, "fit": seconds / 4, "recommend": seconds, "score": 0.5},
        users_per_second=1000 / seconds,
        latency_ms=Latency(p50=1.5, p95=2.5, users=200),
        peak_rss_bytes=400 * 10**6,
        memory_timeline=[
            MemorySample(seconds=0.0, stage="load", rss_bytes=200 * 10**6),
            MemorySample(seconds=1.0, stage="recommend", rss_bytes=400 * 10**6),
        ],
    )


def make_ledger(split: Split) -> Ledger:
    """What a search of 70 trials wrote for the model `tuned`."""
    return Ledger(
        model="tuned",
        dataset="sample",
        split="leave-one-out",
        ties="file",
        fingerprint=split.fingerprint,
        command="genrec-bench tune tuned",
        created=START,
        commit="unknown",
        validation="20% of the users",
        users=1200,
        metric="ndcg@10",
        view="seen_removed",
        sampler="hill climbing",
        seed=0,
        space={"window": {"kind": "whole", "low": 1, "high": 9, "log": False}},
        trials=70,
        seconds=1234.5,
        default_value=0.1,
        value=0.2,
        chosen={"window": 2},
        scored_on_test=3,
    )


def write_record(
    folder: Path,
    split: Split,
    name: str,
    *,
    skill: float = 0.1,
    seed: int = 0,
    kind: Kind = "baseline",
    created: datetime = START,
    cost: Cost | None = None,
    metrics: Metrics | None = None,
    generations: Generations | None = None,
    **changes: Any,
) -> Path:
    """Write one record through the store; further keywords replace fields of the record."""
    rankings = make_rankings(split, skill=skill, seed=seed)
    cost = cost or cpu_cost(1.0)
    fields: dict[str, Any] = dict(
        status="complete",
        source="harness",
        created=created,
        command=f"pytest bench --benchmark --dataset {split.dataset} --models {name}",
        seed=seed,
        depth=rankings.shape[1],
        dataset=dataset_info(split),
        model=ModelInfo(name=name, kind=kind, display_name=name.replace("-", " ").capitalize()),
        metrics=metrics or evaluate(split, rankings, resamples=200),
        cost=cost,
        environment=environment("NVIDIA H200" if cost.peak_vram_bytes else None),
    )
    return store.write(Record(**{**fields, **changes}), split, rankings, generations, folder)


def make_generations(split: Split, *, seed: int = 0, beams: int = 5) -> Generations:
    """Texts that name items of the catalogue; every seventh finds nothing."""
    rng = np.random.default_rng(seed)
    users = len(split.test)
    items = rng.integers(len(split.catalogue), size=users * beams).astype(np.int32)
    items[::7] = -1
    titles = split.catalogue.titles
    return Generations(
        users=np.arange(users, dtype=np.int32),
        indptr=np.arange(0, users * beams + 1, beams),
        texts=tuple("nothing like it" if item < 0 else f"Title: {titles[item]}" for item in items),
        log_likelihoods=-rng.random(users * beams).cumsum() % 9 - 9,
        items=items,
    )


GENERATION_DETAILS: dict[str, Any] = {
    "generation_health": {
        "texts_per_user": 5,
        "exact_title_share": 0.93,
        "distinct_items_per_user": 4.2,
        "truncated_share": 0.01,
    },
    "loss_curve": [{"step": step, "loss": 3.0 / (1 + step / 50)} for step in range(0, 200, 20)],
}


def write_board(folder: Path, split: Split) -> dict[str, Path]:
    """Write a small, varied board: baselines, a generative run with texts, an older run, a cost-only row."""
    day = timedelta(days=1)
    names = {"random-items": 0.01, "popularity-weighted": 0.04, "repeat-last": 0.015, "last-item-text": 0.2}
    paths = {
        name: write_record(folder, split, name, skill=skill, seed=number, cost=cpu_cost(0.2 + number))
        for number, (name, skill) in enumerate(names.items())
    }
    paths["older"] = write_record(
        folder,
        split,
        "last-item-text",
        skill=0.15,
        created=START - 30 * day,
        environment=environment(dirty=True),
    )
    paths["llama-tiny"] = write_record(
        folder,
        split,
        "llama-tiny",
        skill=0.33,
        seed=7,
        kind="generative",
        created=START + day,
        cost=gpu_cost(2.0),
        generations=make_generations(split),
        details=GENERATION_DETAILS,
        model=ModelInfo(
            name="llama-tiny",
            kind="generative",
            display_name="LLaMA tiny, from scratch",
            parameters={"preset": "llama-tiny", "total_parameters": 2_400_000},
            authors="genrec-bench",
            link="https://example.org/llama-tiny",
        ),
    )
    paths["llama-twin"] = write_record(
        folder, split, "llama-twin", skill=0.34, seed=7, kind="generative", cost=gpu_cost(3.0)
    )
    paths["cost-only"] = write_cost_only(folder, split, "llama-8b")
    return paths


def write_cost_only(folder: Path, split: Split, name: str) -> Path:
    """Write a record of kind "cost only": quality was not measured and there are no lists."""
    record = Record(
        status="cost-only",
        source="harness",
        created=START,
        command="pytest bench --benchmark -k test_cost",
        seed=0,
        depth=50,
        dataset=dataset_info(split),
        model=ModelInfo(name=name, kind="cost-only", display_name="LLaMA 3.1 8B, random weights"),
        metrics=None,
        cost=gpu_cost(10.0),
        environment=environment("NVIDIA H200"),
    )
    return store.write(record, split, None, None, folder)


def write_many(folder: Path, split: Split, count: int, *, models: int) -> None:
    """Write `count` records of `models` models: a few are scored, the rest are copies under other names."""
    sources = [
        write_record(folder / "source", split, f"source-{number}", skill=0.05 + 0.03 * number, seed=number)
        for number in range(min(8, count))
    ]
    for number in range(count):
        source = sources[number % len(sources)]
        body = json.loads(source.read_text())
        created = START + timedelta(hours=number)
        name = "last-item-text" if number % models == 0 else f"model-{number % models:03d}"
        body["created"] = created.isoformat()
        body["model"] |= {"name": name, "display_name": name}
        body["model"]["kind"] = ("baseline", "generative", "sequential", "hybrid")[number % 4]
        path = folder / "v1" / split.dataset / name / f"{store.stem_of(created, environment().commit)}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(body))
        for suffix in (".parquet", ".ranks.parquet"):
            shutil.copyfile(source.with_suffix(suffix), path.with_suffix(suffix))
    shutil.rmtree(folder / "source")


def write_hostile(folder: Path, split: Split) -> Mapping[str, Path]:
    """Put files into a results folder that no reader may trust, named by what is wrong with them."""
    good = write_record(folder / "good", split, "good-model")
    body = json.loads(good.read_text())
    home = folder / "v1" / split.dataset
    script = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    bodies: dict[str, dict[str, Any]] = {
        "version": {**body, "schema_version": 9},
        "path-as-id": {**body, "model": {**body["model"], "name": "../../../etc/passwd"}},
        "dots-as-id": {**body, "model": {**body["model"], "name": ".."}},
        "script-as-id": {**body, "model": {**body["model"], "name": script}},
        "elsewhere": {**body, "model": {**body["model"], "name": "another"}},
        "split-as-markdown": {
            **body,
            "dataset": {**body["dataset"], "split": "![](http://evil.example/p.png)"},
        },
        "above-one": {**body, "metrics": {**body["metrics"], "seen_kept": {"recall@5": {"value": 7.5}}}},
        "negative-cost": {**body, "cost": {**body["cost"], "wall_seconds": {"fit": -1.0}}},
    }
    paths = {name: _put(home / "hostile" / f"{name}.json", json.dumps(b)) for name, b in bodies.items()}
    text = good.read_text()
    paths["nan"] = _put(home / "hostile" / "nan.json", text.replace('"seed": 0', '"seed": NaN', 1))
    paths["truncated"] = _put(home / "hostile" / "truncated.json", text[: len(text) // 2])
    paths["empty"] = _put(home / "hostile" / "empty.json", "")
    paths["huge"] = _put(home / "hostile" / "huge.json", "")
    with paths["huge"].open("wb") as file:
        file.truncate(2**30)
    shutil.rmtree(folder / "good")
    _write_html_everywhere(folder, split, script)
    return paths


def _write_html_everywhere(folder: Path, split: Split, script: str) -> None:
    """Write a valid record whose every free text is HTML, a script, Markdown or a javascript: link."""
    write_record(
        folder,
        split,
        "html-everywhere",
        command=script,
        model=ModelInfo(
            name="html-everywhere",
            kind="generative",
            display_name=f"{script}[x](javascript:alert(1))![](http://evil.example/p.png)"[:120],
            authors=script,
            link="javascript:alert(document.domain)",
            parameters={script: script},
        ),
        environment=environment().model_copy(update={"cpu": script, "gpu": script, "commit": "c" * 40}),
        details={script: script, "generation_health": script, "loss_curve": [script, {"step": script}]},
        card={script: script},
    )


def _put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
