"""Generation gives what the strategy promises, whatever the batch and however little memory there is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import writers
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LlamaConfig

from bench.errors import BenchError, ConfigError
from bench.retrieval.generated import GeneratedTexts
from genrec.config import GenerateSettings
from genrec.decoding.attention import grouped_sdpa
from genrec.decoding.batches import CPU_BUDGET, bytes_per_token, plan, token_budget
from genrec.decoding.cache import cached
from genrec.decoding.sampling import SampleRules, draw
from genrec.generation.generator import generate

TOKENIZER = writers.tokenizer()
STRATEGIES = ("beam", "sample", "calrec", "constrained")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def choose(**given: Any) -> GenerateSettings:
    small = {
        "num_beams": 4,
        "calrec_samples": 6,
        "max_new_tokens": 12,
        "max_seq_length": 240,
        "temperature": 1.0,
    }
    return GenerateSettings.model_validate({**small, **given})


def write(model: Any, prompts: Sequence[str], *, seed: int = 0, **given: Any) -> GeneratedTexts:
    return generate(model, TOKENIZER, prompts, choose(**given), seed=seed, catalogue_texts=writers.TEXTS)


def by_prompt(made: GeneratedTexts) -> list[list[tuple[str, float]]]:
    """Texts with log-likelihoods rounded to what float32 sums agree on."""
    pairs = list(zip(made.texts, np.round(made.log_likelihoods, 2).tolist(), strict=True))
    return [pairs[start:stop] for start, stop in zip(made.indptr, made.indptr[1:], strict=False)]


def texts_of(made: GeneratedTexts) -> list[list[str]]:
    return [[text for text, _ in pairs] for pairs in by_prompt(made)]


@pytest.mark.parametrize(
    ("seed", "kv_heads", "end_bias", "length_penalty", "beams"),
    [(0, 4, 0.0, 1.0, 4), (1, 2, 2.5, 1.0, 5), (2, 1, 3.5, 1.0, 3), (3, 2, 3.0, 0.0, 4), (4, 4, 3.0, 2.0, 2)],
)
def test_beam_search_equals_hugging_face(
    seed: int, kv_heads: int, end_bias: float, length_penalty: float, beams: int
) -> None:
    model = writers.llama(len(TOKENIZER), seed=seed, kv_heads=kv_heads, end_bias=end_bias)
    prompts = writers.prompts(14, seed=seed)
    made = write(model, prompts, num_beams=beams, length_penalty=length_penalty, token_budget=600)
    plain = writers.plain_beam_search(
        model, TOKENIZER, prompts, beams=beams, new_tokens=12, length_penalty=length_penalty
    )
    if end_bias:
        assert 0 < made.truncated.mean() < 1 or made.tokens.std() > 0  # the case is not a trivial one
    values = made.log_likelihoods / made.tokens.astype(float) ** length_penalty
    for user, expected in enumerate(plain):
        mine = slice(made.indptr[user], made.indptr[user + 1])
        order = np.argsort(-values[mine], kind="stable") + made.indptr[user]
        assert [made.texts[place] for place in order] == [text for text, _ in expected]
        np.testing.assert_allclose(values[order], [value for _, value in expected], atol=2e-4)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_batch_gives_what_single_prompts_give(strategy: str) -> None:
    model = writers.llama(len(TOKENIZER), seed=5, end_bias=3.0)
    prompts = writers.prompts(12, seed=1)
    together = by_prompt(write(model, prompts, strategy=strategy))
    small_batches = by_prompt(write(model, prompts[::-1], strategy=strategy, token_budget=500))[::-1]
    alone = [by_prompt(write(model, [prompt], strategy=strategy))[0] for prompt in prompts]
    assert together == small_batches == alone
    for pairs in together:
        scores = [score for _, score in pairs]
        assert scores == sorted(scores, reverse=True)


def test_equal_prompts_are_run_once_and_prompts_not_once_a_beam() -> None:
    model = writers.llama(len(TOKENIZER), seed=5)
    prompts = writers.prompts(6, seed=2)
    shapes: list[tuple[int, ...]] = []
    watch(model, lambda ids: shapes.append(tuple(ids.shape)))
    made = write(model, [*prompts, *prompts])
    assert texts_of(made)[:6] == texts_of(made)[6:]
    prefix, rest, *steps = shapes
    assert prefix[0] == 1 and prefix[1] >= 8, "the shared instruction is run once, in a row of its own"
    assert rest[0] == len(set(prompts)), "each distinct prompt is run once"
    assert all(shape[1] == 4 for shape in steps), "then only the beams' new tokens"


def test_users_that_are_done_leave_the_batch() -> None:
    model = writers.llama(len(TOKENIZER), seed=5, end_bias=3.0)
    rows: list[int] = []
    watch(model, lambda ids: rows.append(ids.shape[0]))
    write(model, writers.prompts(12, seed=1), max_new_tokens=30)
    assert rows[1:] == sorted(rows[1:], reverse=True)
    assert rows[-1] < rows[1]


@pytest.mark.parametrize("strategy", ["sample", "calrec"])
def test_samples_depend_on_seed_and_prompt_alone(strategy: str) -> None:
    model = writers.llama(len(TOKENIZER), seed=6, end_bias=2.0)
    prompts = writers.prompts(5, seed=3)
    first = by_prompt(write(model, prompts, strategy=strategy, seed=1))
    assert by_prompt(write(model, prompts[2:4], strategy=strategy, seed=1)) == first[2:4]
    assert by_prompt(write(model, prompts, strategy=strategy, seed=2)) != first


def test_calrec_keeps_equal_texts_once() -> None:
    model = writers.llama(len(TOKENIZER), seed=6, end_bias=9.0)
    prompts = writers.prompts(4, seed=3)
    drawn = texts_of(write(model, prompts, strategy="sample", num_beams=16, max_new_tokens=3))
    kept = texts_of(write(model, prompts, strategy="calrec", calrec_samples=16, max_new_tokens=3))
    assert any(len(set(texts)) < len(texts) for texts in drawn)
    assert [set(texts) for texts in drawn] == [set(texts) for texts in kept]
    assert all(len(set(texts)) == len(texts) for texts in kept)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_log_likelihoods_are_the_models_own(strategy: str) -> None:
    model = writers.llama(len(TOKENIZER), seed=7, end_bias=5.0)
    prompts = writers.prompts(6, seed=4)
    made = write(model, prompts, strategy=strategy, temperature=0.7, top_k=20)
    checked = 0
    for user, prompt in enumerate(prompts):
        for place in range(made.indptr[user], made.indptr[user + 1]):
            ids = TOKENIZER(made.texts[place], add_special_tokens=False)["input_ids"]
            ids = ids if made.truncated[place] else [*ids, TOKENIZER.eos_token_id]
            if len(ids) != made.tokens[place]:
                continue  # broken UTF-8, or a text that the tokenizer would write with other tokens
            expected = score(model, TOKENIZER(prompt)["input_ids"], ids)
            assert made.log_likelihoods[place] == pytest.approx(expected, abs=1e-3)
            checked += 1
    assert checked >= 6


def test_sampling_the_likeliest_token_is_greedy_search() -> None:
    model = writers.llama(len(TOKENIZER), seed=8, end_bias=2.0)
    prompts = writers.prompts(6, seed=5)
    made = texts_of(write(model, prompts, strategy="sample", num_beams=2, top_k=1))
    assert made == [plain_texts(model, TOKENIZER(prompt), num_beams=1) * 2 for prompt in prompts]


@given(
    seed=st.integers(0, 1000),
    temperature=st.sampled_from([0.1, 0.5, 1.0, 2.0]),
    top_k=st.sampled_from([0, 1, 5, 50]),
    top_p=st.sampled_from([0.1, 0.5, 0.95, 1.0]),
)
@settings(max_examples=40, deadline=None)
def test_draws_have_the_distribution_of_hugging_face(
    seed: int, temperature: float, top_k: int, top_p: float
) -> None:
    from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    logits = torch.randn(1, 30, generator=torch.Generator().manual_seed(seed)) * 2
    scores = TemperatureLogitsWarper(temperature)(None, logits)
    scores = TopKLogitsWarper(top_k)(None, scores) if top_k else scores
    expected = torch.softmax(TopPLogitsWarper(top_p)(None, scores), dim=-1)[0]
    rules = SampleRules(samples=1, steps=1, end=0, temperature=temperature, top_k=top_k, top_p=top_p)
    # Even steps through [0, 1) meet each token as often as it is likely.
    numbers = (torch.arange(20_000) + 0.5) / 20_000
    tokens = draw(logits.expand(len(numbers), -1), rules, numbers)
    frequency = torch.bincount(tokens, minlength=30) / len(numbers)
    np.testing.assert_allclose(frequency, expected, atol=2e-4)


def test_long_prompts_are_cut_on_the_left_and_keep_the_start_token() -> None:
    model = writers.llama(len(TOKENIZER), seed=9)
    prompts = [*writers.prompts(3, seed=6, longest=2), *writers.prompts(3, seed=7, longest=30)]
    room = 92 - 12
    lengths = [len(TOKENIZER(prompt)["input_ids"]) for prompt in prompts]
    assert min(lengths) < room < max(lengths)
    cutting = writers.tokenizer()
    cutting.truncation_side = "left"
    made = texts_of(write(model, prompts, max_seq_length=92))
    for texts, prompt in zip(made, prompts, strict=True):
        expected = plain_texts(model, cutting(prompt, truncation=True, max_length=room), num_beams=4)
        assert set(texts) == set(expected)


def test_memory_that_does_not_suffice_loses_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = writers.prompts(11, seed=8)
    expected = by_prompt(write(writers.llama(len(TOKENIZER), seed=10), prompts))
    model = writers.llama(len(TOKENIZER), seed=10)
    rows: list[int] = []

    def fail_above_three(ids: Any) -> None:
        rows.append(ids.shape[0])
        if ids.shape[0] > 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    watch(model, fail_above_three)
    assert by_prompt(write(model, prompts)) == expected
    assert len([count for count in rows if count > 3]) <= 3, "later batches keep the size that fitted"


def test_memory_for_not_even_one_prompt_is_an_error_that_says_what_to_do() -> None:
    model = writers.llama(len(TOKENIZER))

    def fail(_: Any) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")

    watch(model, fail)
    with pytest.raises(BenchError, match="lower generate.max_seq_length"):
        write(model, writers.prompts(1))


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    model = writers.llama(len(TOKENIZER))

    def fail(_: Any) -> None:
        raise RuntimeError("shapes do not match")

    watch(model, fail)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        write(model, writers.prompts(2))


@given(
    lengths=st.lists(st.integers(1, 300), min_size=1, max_size=60),
    room=st.integers(1, 100),
    budget=st.integers(64, 2000),
)
def test_batches_hold_every_prompt_once_within_the_budget(lengths: list[int], room: int, budget: int) -> None:
    batches = plan(np.array(lengths), room, budget)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * (max(lengths[row] for row in batch) + room) <= budget
    flat = [lengths[row] for batch in batches for row in batch]
    assert flat == sorted(flat, reverse=True)


def test_the_batch_of_a_gpu_fits_its_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    shape = LlamaConfig(
        hidden_size=2048, intermediate_size=8192, num_hidden_layers=16, num_attention_heads=32,
        num_key_value_heads=8, vocab_size=128256,
    )  # fmt: skip
    model = SimpleNamespace(config=shape, dtype=torch.bfloat16, device=torch.device("cuda"))
    need = bytes_per_token(model, longest=1024, steps=50)
    # Keys and values of 16 layers with 8 heads of 64 numbers of 2 bytes are in it, and are not all of it.
    assert 2 * 16 * 8 * 64 * 2 < need < 10 * 2 * 16 * 8 * 64 * 2
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (10 * 2**30, 24 * 2**30))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 3 * 2**30)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: 2**30)
    budget = token_budget(model, longest=1024, steps=50)
    assert 0.79 * 12 * 2**30 < budget * need <= 0.8 * 12 * 2**30
    model.device = torch.device("cpu")
    assert token_budget(model, longest=1024, steps=50) == CPU_BUDGET


def test_no_prompts_give_no_texts() -> None:
    made = write(writers.llama(len(TOKENIZER)), [])
    assert len(made) == 0 and made.texts == () and made.seconds == 0


def test_a_tokenizer_needs_an_end_token_and_no_padding_token() -> None:
    model = writers.llama(len(TOKENIZER), end_bias=2.0)
    prompts = writers.prompts(4)
    expected = texts_of(write(model, prompts))
    without = writers.tokenizer()
    without.pad_token = None
    made = generate(model, without, prompts, choose(), seed=0)
    assert texts_of(made) == expected
    without.eos_token = None
    with pytest.raises(ConfigError, match="end-of-text"):
        generate(model, without, prompts, choose(), seed=0)


def test_settings_that_the_model_cannot_follow_are_refused() -> None:
    model = writers.llama(len(TOKENIZER))
    with pytest.raises(ConfigError, match="256 positions"):
        write(model, ["a"], max_seq_length=1024)
    with pytest.raises(ConfigError, match="num_beams=200"):
        write(model, ["a"], num_beams=200)
    with pytest.raises(ConfigError, match="needs the texts of a catalogue"):
        generate(model, TOKENIZER, ["a"], choose(strategy="constrained"), seed=0)


@pytest.mark.parametrize("family", ["Qwen3Config", "GPT2Config", "Gemma3TextConfig", "MistralConfig"])
def test_other_families_give_what_hugging_face_gives(family: str) -> None:
    model = of_family(family, sliding_window=240)
    prompts = writers.prompts(8, seed=1)
    plain = writers.plain_beam_search(model, TOKENIZER, prompts, beams=4, new_tokens=12)
    assert [sorted(texts) for texts in texts_of(write(model, prompts))] == [
        sorted(text for text, _ in pairs) for pairs in plain
    ]


def test_an_adapter_on_its_base_gives_what_hugging_face_gives() -> None:
    from peft import LoraConfig, get_peft_model

    base = writers.llama(len(TOKENIZER), seed=3, end_bias=3.0)
    prompts = writers.prompts(8, seed=1)
    bare = texts_of(write(base, prompts))
    lora = LoraConfig(r=4, lora_alpha=64, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
    with torch.random.fork_rng():
        torch.manual_seed(2)
        model = get_peft_model(base, lora).eval()
    made = texts_of(write(model, prompts))
    plain = writers.plain_beam_search(model, TOKENIZER, prompts, beams=4, new_tokens=12)
    assert [sorted(texts) for texts in made] == [sorted(text for text, _ in pairs) for pairs in plain]
    assert made != bare


@pytest.mark.parametrize(
    ("family", "sliding_window", "message"),
    [
        ("MistralConfig", 64, "looks back over 64 positions"),
        ("Gemma3TextConfig", 64, "looks back over 64 positions"),
        ("Gemma2Config", 512, "cannot be replaced|softcap"),  # it bends its scores before the softmax
        ("MambaConfig", 512, "linear_attention|cannot be replaced"),
    ],
)
def test_models_whose_attention_is_not_plain_are_refused(
    family: str, sliding_window: int, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        write(of_family(family, sliding_window=sliding_window), writers.prompts(1))


def test_attention_refuses_what_it_would_leave_out() -> None:
    vectors = torch.zeros(1, 2, 3, 4)
    with pytest.raises(ConfigError, match="softcap"):
        grouped_sdpa(torch.nn.Identity(), vectors, vectors, vectors, None, softcap=50.0)


def of_family(name: str, *, sliding_window: int) -> Any:
    import transformers

    sizes = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "vocab_size": len(TOKENIZER),
    }
    ids = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
    own = {"intermediate_size": 48, "num_key_value_heads": 2, "head_dim": 8, "sliding_window": sliding_window}
    if name in ("GPT2Config", "MambaConfig"):
        own = {}
    window = {"max_position_embeddings": 256}
    config = getattr(transformers, name)(**sizes, **ids, **window, **own, initializer_range=0.3)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return transformers.AutoModelForCausalLM.from_config(config).eval().float()


def test_generation_leaves_the_model_as_it_was_and_never_imports_unsloth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "unsloth.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    model = writers.llama(len(TOKENIZER))
    before = model.config._attn_implementation
    write(model, writers.prompts(2))
    assert model.config._attn_implementation == before
    assert "unsloth" not in sys.modules


def watch(model: Any, call: Callable[[Any], None]) -> None:
    """Have `call` see the token ids of every pass through the model, before it."""
    model.register_forward_pre_hook(lambda _, __, inputs: call(inputs["input_ids"]), with_kwargs=True)


def plain_texts(model: Any, encoded: Any, *, num_beams: int) -> list[str]:
    """What Hugging Face writes, twelve tokens at most, for one prompt."""
    ids = torch.tensor([encoded["input_ids"]])
    with torch.inference_mode():
        made = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            num_beams=num_beams,
            num_return_sequences=num_beams,
            max_new_tokens=12,
            do_sample=False,
        )
    return list(TOKENIZER.batch_decode(made[:, ids.shape[1] :], skip_special_tokens=True))


def score(model: Any, prompt: list[int], text: list[int]) -> float:
    """Log-likelihood of a text after a prompt, in one plain pass."""
    with torch.inference_mode():
        logits = model(torch.tensor([[*prompt, *text]])).logits[0].log_softmax(-1)
    places = range(len(prompt) - 1, len(prompt) + len(text) - 1)
    return sum(logits[place, token].item() for place, token in zip(places, text, strict=True))


class FormerForward(torch.nn.Module):
    """The forward pass of a model written before transformers 5.24."""

    def forward(self, input_ids: Any, past_key_values: Any = None, use_cache: bool = False) -> Any: ...


class LaterForward(FormerForward):
    def forward(self, input_ids: Any, cache: Any = None, use_cache: bool = False) -> Any: ...


@pytest.mark.parametrize(("kind", "name"), [(FormerForward, "past_key_values"), (LaterForward, "cache")])
def test_the_cache_is_given_by_the_name_that_the_model_knows(kind: type, name: str) -> None:
    assert cached(kind(), "kept") == {name: "kept", "use_cache": True}
