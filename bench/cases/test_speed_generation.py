"""Speed of generation against the plain published loop: one model, one run, the same texts out.

Run it with `pytest bench --benchmark -k generation_throughput`, on the embedded data set or another
one (`--dataset beauty2014`). The plain loop is Hugging Face's `generate` with five beams, eight
prompts at a time in the data set's order, and the caches cleared after each batch.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from bench.datasets.prompts import prompts
from bench.retrieval.item_text import item_texts
from bench.run.plugin import SESSION_KEY

USERS = 64
BEAMS = 5
NEW_TOKENS = 50
LONGEST = 1024
FITTED_TEXTS = 1000


def test_generation_throughput(benchmark: Any, request: pytest.FixtureRequest) -> None:
    """Write the texts of the same users both ways; each user must get the same five."""
    pytest.importorskip("torch", reason="needs torch: pip install 'genrec-bench[llm]'")
    pytest.importorskip("transformers", reason="needs transformers: pip install 'genrec-bench[llm]'")
    session = request.config.stash[SESSION_KEY]
    split, _ = session.loaded
    from genrec.config import GenerateSettings
    from genrec.generation.generator import TextGenerator
    from genrec.speed.published_loop import published_loop

    texts = item_texts(split.catalogue)
    rows = np.linspace(0, len(split.test) - 1, min(USERS, len(split.test))).astype(int)
    asked = prompts(split.test.histories.take(rows), texts)
    model, tokenizer = _small_model(texts, asked[0])
    settings = GenerateSettings(num_beams=BEAMS, max_new_tokens=NEW_TOKENS, max_seq_length=LONGEST)
    generator = TextGenerator.own(model, tokenizer, settings, seed=0)

    generator.generate(asked[:8])  # the first call sets things up
    made = benchmark.pedantic(generator.generate, args=(asked,), rounds=1, iterations=1)
    our_seconds = benchmark.stats.stats.median
    published_loop(model, tokenizer, asked[:8], settings)
    start = time.perf_counter()
    plain = published_loop(model, tokenizer, asked, settings)
    plain_seconds = time.perf_counter() - start
    for user, expected in enumerate(plain):
        assert sorted(made.texts[made.indptr[user] : made.indptr[user + 1]]) == sorted(expected)
    info = {
        "users": len(asked),
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "tokens_per_text": round(float(made.tokens.mean()), 1),
        "our_users_per_second": len(asked) / our_seconds,
        "plain_users_per_second": len(asked) / plain_seconds,
        "ratio": plain_seconds / our_seconds,
    }
    benchmark.extra_info.update(info)
    session.speeds.append(("generation, 5 beams", info))


def _small_model(texts: Sequence[str], prompt: str) -> tuple[Any, Any]:
    """Make a LLaMA of 0.8 million weights whose texts end where titles end, without training it.

    Its layers are random, and its output layer is the ridge regression of the next token on their
    output over catalogue texts. A little noise keeps tokens that no text has from being equal.
    """
    import torch
    import transformers

    from genrec.weights.tokenizer import train_tokenizer

    tokenizer = train_tokenizer([*texts, prompt], 2048)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=96,
        intermediate_size=256,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=LONGEST,
        initializer_range=0.08,
        tie_word_embeddings=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        model = transformers.LlamaForCausalLM(config).eval().to(device)
        fitted = [text + tokenizer.eos_token for text in texts[:: max(1, len(texts) // FITTED_TEXTS)]]
        batch = tokenizer(fitted, padding=True, return_tensors="pt", return_token_type_ids=False).to(device)
        hidden = model.model(**batch).last_hidden_state[:, :-1]
        real = batch["attention_mask"][:, :-1].bool()
        inputs, targets = hidden[real], batch["input_ids"][:, 1:][real]
        gram = inputs.T @ inputs
        ridge = 0.01 * gram.diagonal().mean() * torch.eye(len(gram), device=device)
        sums = torch.zeros(len(gram), len(tokenizer), device=device).index_add_(1, targets, inputs.T)
        weights = torch.linalg.solve(gram + ridge, sums).T
        model.lm_head.weight.copy_(14 * (weights + 0.002 * torch.randn(weights.shape).to(device)))
    return model.requires_grad_(False), tokenizer
