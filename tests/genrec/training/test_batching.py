"""Texts become batches that hold every token once, whatever the layout."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import scratch_preset, shop

from bench.retrieval.item_text import item_texts
from genrec.training.batching import IGNORE, Layout, batches, pack, padded_tokens, step_rows
from genrec.training.corpus import build_corpus, training_examples
from genrec.training.encode import TokenSequences, encode
from genrec.weights.tokenizer import train_tokenizer

LAYOUTS: tuple[Layout, ...] = ("padded", "length_grouped", "packed")
PAD = 99_999


def sequences(lengths: list[int], loss_from: list[int]) -> TokenSequences:
    """Texts of unique token ids, so that each token can be told from every other."""
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return TokenSequences(
        ids=np.arange(indptr[-1], dtype=np.int32),
        indptr=indptr,
        loss_from=np.asarray(loss_from, dtype=np.int32),
        cut=0,
    )


@given(
    lengths=st.lists(st.integers(2, 20), min_size=1, max_size=25),
    layout=st.sampled_from(LAYOUTS),
    batch_size=st.integers(1, 6),
    seed=st.integers(0, 5),
)
def test_every_token_is_read_once_and_predicted_once(
    lengths: list[int], layout: Layout, batch_size: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    made = sequences(lengths, [int(rng.integers(1, length)) for length in lengths])
    rows = rng.permutation(len(lengths))
    read: list[int] = []
    predicted: list[tuple[int, int]] = []
    for batch in batches(made, rows, layout=layout, batch_size=batch_size, max_length=20, pad_id=PAD):
        assert batch.input_ids.shape[0] <= batch_size
        real = batch.input_ids != PAD
        assert batch.tokens == real.sum()
        read += batch.input_ids[real].tolist()
        labelled = batch.labels != IGNORE
        assert batch.loss_tokens == labelled.sum()
        predicted += zip(batch.input_ids[labelled], batch.labels[labelled], strict=True)
        starts = batch.position_ids == 0
        assert starts[:, 0].all()
        # inside a text, position and id grow together; a new text begins at position 0
        assert ((np.diff(batch.position_ids) == 1) | starts[:, 1:]).all()
        assert (np.diff(batch.input_ids)[real[:, 1:] & ~starts[:, 1:]] == 1).all()
    assert sorted(read) == made.ids.tolist()
    expected = [
        (int(made.ids[place - 1]), int(made.ids[place]))
        for text in range(len(made))
        for place in range(made.indptr[text] + made.loss_from[text], made.indptr[text + 1])
    ]
    assert sorted(predicted) == expected


@given(lengths=st.lists(st.integers(1, 50), min_size=1, max_size=60))
def test_packed_rows_are_within_capacity_and_balanced(lengths: list[int]) -> None:
    sizes = np.asarray(lengths)
    rows = pack(sizes, 50)
    assert sorted(np.concatenate(rows).tolist()) == list(range(len(lengths)))
    filled = [sizes[row].sum() for row in rows]
    assert max(filled) <= 50
    assert max(filled) - min(filled) <= max(lengths)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_padding_is_counted_without_making_batches(layout: Layout) -> None:
    lengths = np.random.default_rng(0).integers(2, 60, 200)
    made = sequences(lengths.tolist(), [1] * 200)
    rows = step_rows(200, 16, seed=0, epoch=0)
    counted = sum(
        batch.input_ids.size
        for step in rows
        for batch in batches(made, step, layout=layout, batch_size=4, max_length=64, pad_id=PAD)
    )
    given_lengths = {"batch_size": 4, "per_step": 16, "max_length": 64}
    assert padded_tokens(lengths, layout=layout, **given_lengths) == counted
    if layout != "padded":
        assert counted < padded_tokens(lengths, layout="padded", **given_lengths)


def test_shuffle_depends_on_seed_and_epoch_only() -> None:
    first = np.concatenate(step_rows(50, 8, seed=3, epoch=2))
    assert np.array_equal(first, np.concatenate(step_rows(50, 16, seed=3, epoch=2)))
    assert not np.array_equal(first, np.concatenate(step_rows(50, 8, seed=3, epoch=3)))
    assert sorted(first.tolist()) == list(range(50))


class TestEncode:
    TOKENIZER = train_tokenizer(item_texts(shop().catalogue), 400)

    def decoded(self, made: TokenSequences, row: int) -> str:
        return str(self.TOKENIZER.decode(made[row].tolist()))

    def test_end_of_text_is_appended_once(self) -> None:
        made = encode(self.TOKENIZER, ["Title: red soap\n"], ["Title: é ☂"], max_length=100)
        assert self.decoded(made, 0) == "<|begin_of_text|>Title: red soap\nTitle: é ☂<|end_of_text|>"
        assert made.loss_from.tolist() == [1]
        assert made.cut == 0

    def test_long_texts_lose_their_beginning_but_not_the_first_token(self) -> None:
        whole = encode(self.TOKENIZER, ["red soap " * 20], ["blue gel"], max_length=1000)
        cut = encode(self.TOKENIZER, ["red soap " * 20], ["blue gel"], max_length=16)
        assert cut.cut == 1
        assert cut[0].tolist() == [whole[0][0], *whole[0][-15:]]

    def test_loss_on_the_target_begins_with_the_target(self) -> None:
        prompts, targets = ["Title: red soap\n", "red soap " * 30], ["Title: blue gel", "Title: oil"]
        made = encode(self.TOKENIZER, prompts, targets, max_length=24, loss_on="target")
        for row, target in enumerate(targets):
            learned = made[row][made.loss_from[row] :].tolist()
            assert self.TOKENIZER.decode(learned) == f"{target}<|end_of_text|>"

    def test_target_longer_than_the_limit_is_learned_as_far_as_it_is_read(self) -> None:
        made = encode(self.TOKENIZER, ["red\n"], ["blue gel " * 30], max_length=16, loss_on="target")
        assert made.lengths.tolist() == [16]
        assert made.loss_from.tolist() == [1]


def test_windows_end_one_item_earlier_each() -> None:
    from bench.schema import Histories

    examples = training_examples(Histories.from_lists([[5, 6, 7], [1, 2], [9]], users=[3, 4, 8]), 2)
    assert [row.tolist() for row in examples.histories] == [[5, 6], [1], [5]]
    assert examples.targets.tolist() == [7, 2, 6]
    assert examples.histories.users.tolist() == [3, 4, 3]


def test_corpus_pairs_prompts_with_what_was_bought_next() -> None:
    data = shop()
    corpus = build_corpus(data, scratch_preset())
    texts = item_texts(data.catalogue)
    assert len(corpus.train_prompts) == len(data.train)
    assert corpus.train_targets[0] == texts[data.train[0][-1]]
    assert corpus.train_prompts[0].endswith(f"{texts[data.train[0][-2]]}\n\n### Next item:\n")
    assert corpus.validation_targets == [texts[item] for item in data.validation.targets]
