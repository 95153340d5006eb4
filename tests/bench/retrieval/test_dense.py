"""Dense and hybrid search: ranked as a plain count ranks, embeddings as the plain model gives them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import ConfigError, Unavailable
from bench.retrieval.bm25 import BM25Index, TopK
from bench.retrieval.dense import DenseIndex, embed, nearest
from bench.retrieval.search_index import HybridIndex, build_index
from bench.retrieval.settings import RetrieveSettings

TEXTS = ["red soap", "blue soap", "oak comb", "red soap"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of one block with random weights, as a package would hold it."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("encoder")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "red", "blue", "soap", "oak", "comb"]
    (folder / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=32,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@given(
    data=st.lists(st.lists(st.integers(-2, 2), min_size=2, max_size=2), min_size=1, max_size=12),
    depth=st.integers(1, 14),
)
def test_the_nearest_come_first_and_equal_ones_by_row(data: list[list[int]], depth: int) -> None:
    documents = np.array(data, dtype=np.float32)
    found = nearest(np.array([[1, 2], [-1, 0]], dtype=np.float32), documents, depth)
    for query, items, scores in zip([[1, 2], [-1, 0]], found.items, found.scores, strict=True):
        products = [float(np.dot(query, row)) for row in data]
        order = sorted(range(len(data)), key=lambda row: (-products[row], row))[:depth]
        assert items.tolist() == order + [-1] * (depth - len(order))
        assert scores[: len(order)].tolist() == [products[row] for row in order]


def test_embeddings_are_means_of_length_one_whatever_the_batch(encoder: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    together = embed(TEXTS, str(encoder))
    assert together.shape == (4, 16)
    assert (together[0] == together[3]).all()
    model, tokenizer = AutoModel.from_pretrained(encoder).eval(), AutoTokenizer.from_pretrained(encoder)
    for text, vector in zip(TEXTS, together, strict=True):
        with torch.no_grad():
            states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(dim=0)
        np.testing.assert_allclose(vector, (states / states.norm()).numpy(), atol=1e-5)


def test_embeddings_are_kept_and_damaged_ones_made_again(encoder: Path, own_cache: Path) -> None:
    texts = [f"red soap {'blue ' * (row % 7)}{row}" for row in range(70)]
    first = embed(texts, str(encoder))
    (kept,) = own_cache.rglob("*.npy")
    np.save(kept, first[::-1])
    assert (embed(texts, str(encoder)) == first[::-1]).all()  # read, not computed
    kept.write_bytes(kept.read_bytes()[:100])
    assert (embed(texts, str(encoder)) == first).all()
    assert len(embed(texts[:3], str(encoder))) == 3 and len(list(own_cache.rglob("*.npy"))) == 1


def test_an_item_finds_itself_first(encoder: Path) -> None:
    index = DenseIndex.build(TEXTS, str(encoder))
    found = index.top_k(["oak comb", "red soap"], 2)
    assert found.items[:, 0].tolist() == [2, 0] and found.items[1, 1] == 3
    assert index.top_k([], 3).items.shape == (0, 3)


class _Fixed:
    """An index that always gives one list."""

    def __init__(self, items: list[int]) -> None:
        self._items = items

    def top_k(self, queries: list[str], depth: int) -> TopK:
        padded = (self._items + [-1] * depth)[:depth]
        items = np.array([padded] * len(queries), dtype=np.int32)
        return TopK(items=items, scores=np.zeros(items.shape, dtype=np.float32))


def test_hybrid_adds_the_reciprocal_ranks() -> None:
    index = HybridIndex(parts=(_Fixed([4, 1, 2]), _Fixed([2, 4, 0])))  # type: ignore[arg-type]
    found = index.top_k(["x"], 5)
    assert found.items[0].tolist() == [4, 2, 1, 0, -1]
    assert found.scores[0, 0] == pytest.approx(1 / 61 + 1 / 62)
    assert found.scores[0, 1] == pytest.approx(1 / 63 + 1 / 61)
    assert index.top_k([], 2).items.shape == (0, 2)


def test_settings_choose_the_index(encoder: Path) -> None:
    chosen = {
        kind: build_index(TEXTS, RetrieveSettings.model_validate({"kind": kind, "encoder": str(encoder)}))
        for kind in ("bm25", "dense", "hybrid")
    }
    assert isinstance(chosen["bm25"], BM25Index) and isinstance(chosen["dense"], DenseIndex)
    assert chosen["hybrid"].top_k(["oak comb"], 1).items.tolist() == [[2]]


def test_a_missing_encoder_is_named_with_the_command_that_gets_it(tmp_path: Path) -> None:
    for name, message in (
        (str(tmp_path), "a folder with a config.json"),
        ("package:no-such-encoder", "pip install no-such-encoder"),
    ):
        with pytest.raises(Unavailable, match=message):
            embed(["x"], name)
    with pytest.raises(ConfigError, match="holds 0 encoders"):
        embed(["x"], "package:pytest")
