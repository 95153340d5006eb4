"""What only a GPU can show: cost of the true LLaMA sizes (random weights, labelled so), and speed way by way.

`pytest bench --benchmark --dataset beauty2014 -k speed_gpu`; one size or table with
`-k "test_cost and 8b"`, `-k test_generation_ways`. Each case takes minutes and writes a record of kind
cost-only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bench.run.plugin import SESSION_KEY

if TYPE_CHECKING:
    from genrec.speed.setting import Setting

SIZES = ("1b", "3b", "8b")


@pytest.fixture
def setting(request: pytest.FixtureRequest) -> Setting:
    """The session's data at true sizes; skips without a CUDA GPU."""
    torch = pytest.importorskip("torch", reason="needs torch: pip install 'genrec-bench[llm]'")
    if not torch.cuda.is_available():
        pytest.skip("true sizes need a CUDA GPU, and there is none here")
    from genrec.artefact import work_dir
    from genrec.speed.setting import TRUE, Setting

    session = request.config.stash[SESSION_KEY]
    split, _ = session.loaded
    return Setting(
        dataset=session.dataset, split=split, results_dir=session.results_dir, work=work_dir(None), scale=TRUE
    )


def _shown(rows: list[dict[str, Any]], title: str, request: pytest.FixtureRequest, benchmark: Any) -> None:
    """Put rows into the closing table and into extra_info."""
    benchmark.extra_info["rows"] = rows
    names = ("what", "batches", "way")
    for row in rows:
        name = next((row[name] for name in names if name in row), "")
        request.config.stash[SESSION_KEY].speeds.append((f"{title}: {name}", row))


@pytest.mark.parametrize("part", ("published", "best-batch", "unsloth"))
@pytest.mark.parametrize("size", SIZES)
def test_cost(size: str, part: str, setting: Setting, benchmark: Any, request: pytest.FixtureRequest) -> None:
    """Fine-tuning and generation at the published batch, or fine-tuning at the best batch for the card."""
    from genrec.speed.cost_rows import measure_cost

    row = benchmark.pedantic(measure_cost, args=(setting, size, part), rounds=1, iterations=1)
    _shown([row], f"cost of llama-{size}", request, benchmark)


def test_finetuning_ways(setting: Setting, benchmark: Any, request: pytest.FixtureRequest) -> None:
    """Useful tokens/s of padded (published), length-grouped and packed batches."""
    from genrec.speed.finetuning_ways import measure_ways

    rows = benchmark.pedantic(measure_ways, args=(setting, SIZES[0]), rounds=1, iterations=1)
    _shown(rows, "fine-tuning", request, benchmark)


def test_generation_ways(setting: Setting, benchmark: Any, request: pytest.FixtureRequest) -> None:
    """Users/s from the published loop to ours, one technique at a time."""
    from genrec.speed.generation_ways import measure_ways

    rows = benchmark.pedantic(measure_ways, args=(setting, SIZES[0]), rounds=1, iterations=1)
    _shown(rows, "generation", request, benchmark)
